import { expect, test } from 'vitest';
import { readStatuses } from '../api/wire';
import { readStatus } from '../api/wire-provider';
import { readSession, type SessionView } from '../api/wire-login';
import { clockFace, mark, secondsLeft } from './countdown';
import { failureCode, nextActions, phaseOf, showsOutput, stillReadable } from './outcome';
import { begin, type Login, MAX_LINES, withLines, withStatus, withView } from './session';

const AT = Date.parse('2026-11-20T10:00:00.000Z');

/** A view from the wire; times are given as milliseconds and travel as they do there. */
function view(more: Record<string, unknown> = {}): SessionView {
  const wired = Object.entries({
    sessionId: 's1',
    provider: 'codex',
    status: 'running',
    step: 'awaiting_approval',
    startedAt: AT,
    updatedAt: AT,
    deadline: AT + 60_000,
    active: true,
    lines: [],
    ...more,
  }).map(([name, value]) => [name, typeof value === 'number' ? new Date(value).toISOString() : value]);
  const read = readSession(Object.fromEntries(wired));
  if (read === null) throw new Error('the view has an id');
  return read;
}

const line = (id: number) => ({ id, stream: 'stdout', text: `line ${id}` });
const event = (ids: number[], more = {}) => ({
  sessionId: 's1',
  lines: ids.map(line),
  deviceCode: null,
  verificationUrl: null,
  currentLine: null,
  ...more,
});

test('lines come once, in order, and the oldest go', () => {
  let login = withLines(begin(view(), false), event([1, 2]));
  login = withLines(login, event([2, 3]));
  expect(login.view.lines.map((one) => one.id)).toEqual([1, 2, 3]);
  login = withLines(login, event(Array.from({ length: MAX_LINES }, (_, index) => index + 4)));
  expect(login.view.lines).toHaveLength(MAX_LINES);
  expect(login.view.droppedLines).toBe(3);
});

test('an answer that later lines have overtaken takes none of them away', () => {
  const asked = view({ lines: [1, 2].map(line) });
  const login = withLines(withLines(begin(view(), false), event([1, 2])), event([3, 4]));
  const ids = (one: typeof login) => one.view.lines.map(({ id }) => id);
  expect(ids(withView(login, asked))).toEqual([1, 2, 3, 4]);
  // A change of state came before the lines: the view is old, its lines are news.
  const ahead = withLines(withStatus(begin(view(), false), view({ step: 'storing', updatedAt: AT + 9 })), event([3]));
  const whole = withView(ahead, asked);
  expect(ids(whole)).toEqual([1, 2, 3]);
  expect(whole.view.step).toBe('storing');
});

test('lines that the Room left out are counted by their numbers', () => {
  const login = withLines(begin(view(), false), event([1, 2, 19_999, 20_000]));
  // Those before the hole go too: what is shown reads on.
  expect([login.view.lines.map(({ id }) => id), login.view.droppedLines]).toEqual([[19_999, 20_000], 19_998]);
  expect(withView(login, view({ lines: [19_998, 19_999].map(line) })).view.droppedLines).toBe(19_997);
});

test('what is being written is replaced by each message about lines, kept by others, and gone at the end', () => {
  const now = (login: Login) => login.view.currentLine;
  let login = withLines(begin(view({ currentLine: 'Cont' }), false), event([1], { currentLine: 'Continue? [y' }));
  expect(now(login)).toBe('Continue? [y');
  login = withStatus(login, view({ step: 'storing', updatedAt: AT + 1 }));
  expect(now(login)).toBe('Continue? [y');
  expect(now(withView(login, view({ lines: [], currentLine: 'Cont', updatedAt: AT + 2 }))), 'an overtaken answer').toBe('Continue? [y');
  expect(now(withView(login, view({ lines: [1, 2].map(line), currentLine: 'Next', updatedAt: AT + 2 })))).toBe('Next');
  expect(now(withLines(login, event([], { currentLine: null })))).toBeNull();
  expect(now(withStatus(login, view({ status: 'failed', active: false, updatedAt: AT + 3 })))).toBeNull();
});

test('a later code supersedes, and its absence does not erase', () => {
  let login = withLines(begin(view(), false), event([1], { deviceCode: 'AAAA-BBBB', verificationUrl: 'https://a.example/' }));
  login = withLines(login, event([2]));
  expect(login.view.deviceCode).toBe('AAAA-BBBB');
  login = withLines(login, event([3], { deviceCode: 'CCCC-DDDD' }));
  expect(login.view.deviceCode).toBe('CCCC-DDDD');
});

test('a status keeps the lines', () => {
  const login = withStatus(withLines(begin(view(), false), event([1])), view({ step: 'storing', updatedAt: AT + 1 }));
  expect(login.view.step).toBe('storing');
  expect(login.view.lines).toHaveLength(1);
  expect(login.reached).toBe(2);
});

test('an end is final: a late poll does not undo it', () => {
  const done = withStatus(begin(view(), false), view({ status: 'completed', step: 'done', active: false, updatedAt: AT + 5 }));
  expect(withView(done, view({ updatedAt: AT + 9 }))).toBe(done);
  expect(withView(done, view({ status: 'timeout', active: false, updatedAt: AT + 2 }))).toBe(done);
  expect(phaseOf(done, AT + 3_600_000, 0)).toBe('completed');
});

test('messages of another session are not taken, its whole view is', () => {
  const login = begin(view(), false);
  expect(withStatus(login, view({ sessionId: 's2' }))).toBe(login);
  expect(withLines(login, { ...event([1]), sessionId: 's2' })).toBe(login);
  expect(withView(login, view({ sessionId: 's2' })).view.sessionId).toBe('s2');
});

test('an answer about a session that was over before this one began changes nothing', () => {
  const login = begin(view(), false);
  const before = { sessionId: 's0', startedAt: AT - 1 };
  expect(withView(login, view({ ...before, status: 'failed', active: false }))).toBe(login);
  expect(withView(login, view(before)), 'nor one that looks live').toBe(login);
  expect(withView(login, view({ sessionId: 's2', startedAt: AT + 1, status: 'failed', active: false })).view.sessionId).toBe('s2');
  // A clock that was set back keeps no live session off the page.
  const over = begin(view({ status: 'failed', active: false }), false);
  expect(withView(over, view(before)).view.sessionId).toBe('s0');
});

test('the step stays while cancelling and goes back for another paste', () => {
  let login = begin(view({ step: 'storing' }), false);
  login = withStatus(login, view({ step: 'cancelling', updatedAt: AT + 1 }));
  expect(login.reached).toBe(2);
  login = withStatus(login, view({ step: 'awaiting_input', updatedAt: AT + 2 }));
  expect(login.reached).toBe(1);
});

test('a failure shows the step it happened in', () => {
  const login = withStatus(
    begin(view({ step: 'verifying' }), false),
    view({ status: 'failed', step: 'done', active: false, updatedAt: AT + 1 }),
  );
  expect(login.reached).toBe(3);
  expect(begin(view({ status: 'failed', step: 'done', active: false }), true).reached).toBe(0);
  expect(begin(view({ status: 'failed', step: 'done', active: false, deviceCode: 'A' }), true).reached).toBe(1);
});

test('time that is up fails the wait, not the storing', () => {
  expect(phaseOf(begin(view(), false), AT + 59_000, 0)).toBe('active');
  expect(phaseOf(begin(view(), false), AT + 60_000, 0)).toBe('failed');
  expect(phaseOf(begin(view({ step: 'storing' }), false), AT + 60_000, 0)).toBe('active');
  expect(failureCode(view())).toBe('expired');
});

test('the countdown goes by the server’s clock', () => {
  expect(secondsLeft(AT + 10_000, AT, 0)).toBe(10);
  expect(secondsLeft(AT + 10_000, AT - 3_600_000, 3_600_000)).toBe(10);
  expect(secondsLeft(AT, AT + 5, 0)).toBe(0);
  expect(secondsLeft(null, AT, 0)).toBeNull();
  expect([clockFace(872), clockFace(5), clockFace(3725)]).toEqual(['14:32', '0:05', '1:02:05']);
});

test('the time left is said at five, one and zero minutes, once', () => {
  expect([mark(301, 300), mark(300, 299), mark(61, 60), mark(1, 0), mark(0, 0), mark(null, 5)]).toEqual([
    5,
    null,
    1,
    0,
    null,
    null,
  ]);
  expect(mark(900, 30)).toBe(1);
});

test('an end stays readable for ten minutes', () => {
  const ended = view({ status: 'failed', active: false, endedAt: AT });
  expect(stillReadable(ended, undefined, AT + 599_000, 0)).toBe(true);
  expect(stillReadable(ended, undefined, AT + 600_000, 0)).toBe(false);
  expect(stillReadable(view(), undefined, AT + 9e12, 0)).toBe(true);
});

test('a provider disconnected since is not called connected', () => {
  const done = view({ status: 'completed', active: false, endedAt: AT });
  const status = (at: number, connected: boolean) => {
    const head = readStatuses({ providers: { codex: { connected, checkedAt: new Date(at).toISOString() } } })['codex'];
    return head && readStatus(head);
  };
  expect(stillReadable(done, status(AT + 1, true), AT + 5, 0)).toBe(true);
  expect(stillReadable(done, status(AT - 1, false), AT + 5, 0)).toBe(true);
  expect(stillReadable(done, status(AT + 1, false), AT + 5, 0)).toBe(false);
});

test('every failure has something to do next', () => {
  const codes = [
    'not_installed',
    'too_old',
    'no_answer',
    'network',
    'device_codes_off',
    'expired',
    'refused',
    'rate_limited',
    'program_died',
    'launch_failed',
    'not_signed_in',
    'timeout',
    'canceled',
    'server_restarted',
    'cannot_store',
    'policy',
    'unrecognised',
    'of_tomorrow',
  ];
  for (const code of codes) expect(nextActions(code).length, code).toBeGreaterThan(0);
  expect(nextActions('of_tomorrow')).toEqual(['copy_details', 'again', 'other_way']);
  expect([showsOutput('program_died'), showsOutput('expired')]).toEqual([true, false]);
});

import { expect, test } from 'vitest';
import { readEvent, readPage, type Event } from '../api/activity';
import { createClient } from '../api/client';
import type { ChannelHandler } from '../api/socket';
import { createActivity, isError, MAX_EVENTS, merged } from './activity';

const raw = (seq: number, more: Record<string, unknown> = {}) => ({
  seq,
  at: '2026-11-20T10:00:00.000Z',
  action: 'provider.connect',
  outcome: 'ok',
  intent: null,
  actor: null,
  target: 'codex',
  detail: {},
  ...more,
});
const event = (seq: number, more: Record<string, unknown> = {}): Event => {
  const read = readEvent(raw(seq, more));
  if (read === null) throw new Error('the event has a number');
  return read;
};
const EMPTY = { events: [], more: false };
const seqs = (log: { events: Event[] } | null) => log?.events.map(({ seq }) => seq);

test('an outcome stands where its intent stood, whichever comes first', () => {
  const intent = event(1, { outcome: 'intent' });
  const outcome = event(3, { intent: 1 });
  expect(seqs(merged(merged(EMPTY, [intent, event(2)]), [outcome]))).toEqual([3, 2]);
  expect(seqs(merged(merged(EMPTY, [outcome]), [event(2), intent]))).toEqual([3, 2]);
  expect(seqs(merged(merged(EMPTY, [outcome]), [outcome]))).toEqual([3]);
});

test('only so many are kept, and that there are more is not forgotten', () => {
  const log = merged(EMPTY, Array.from({ length: MAX_EVENTS + 5 }, (_, index) => event(index + 1)));
  expect([log.events.length, log.events.at(-1)?.seq, log.more]).toEqual([MAX_EVENTS, 6, true]);
});

test('what is odd is left out, and what is missing is neutral', () => {
  const page = readPage({ events: [raw(1), { seq: 'x' }, null, { seq: 2, action: 'a.b', detail: { reason: 'r', count: 3, at: {} } }], more: 1 });
  expect(page.more).toBe(false);
  expect(page.events[1]).toEqual({
    seq: 2,
    at: 0,
    action: 'a.b',
    outcome: 'unknown',
    intent: null,
    actor: null,
    target: null,
    detail: { reason: 'r' },
    count: 3,
  });
});

function setUp(answers: Record<string, unknown>) {
  const asked: string[] = [];
  const held: (() => void)[] = [];
  const state = { hold: false, status: 200 };
  let handler: ChannelHandler | null = null;
  const client = createClient({
    fetch: async (path) => {
      asked.push(path);
      if (state.hold) await new Promise<void>((resolve) => held.push(resolve));
      return { status: state.status, headers: { get: () => null }, text: async () => JSON.stringify(answers[path] ?? { events: [], more: false }) };
    },
    credential: () => ({ id: '1', bearer: null }),
    onRefused: () => {},
  });
  const activity = createActivity({
    client,
    link: {
      subscribe: (_, given) => {
        handler = given;
        return () => {
          handler = null;
        };
      },
    },
  });
  const settle = () =>
    new Promise((resolve) => {
      setTimeout(resolve, 0);
    });
  return { activity, asked, state, held, settle, tell: () => handler };
}

test('pages go back in time, and the end is known', async () => {
  const { activity, asked, settle } = setUp({
    '/api/activity': { events: [raw(8), raw(9)], more: true },
    '/api/activity?before=8': { events: [raw(6), raw(7)], more: false },
  });
  activity.open();
  await settle();
  await activity.older();
  expect(seqs(activity.log.value)).toEqual([9, 8, 7, 6]);
  expect(activity.log.value?.more).toBe(false);
  expect(asked).toEqual(['/api/activity', '/api/activity?before=8']);
});

test('what the channel tells before the first page is there is not lost', async () => {
  const { activity, state, held, settle, tell } = setUp({ '/api/activity': { events: [raw(1)], more: false } });
  state.hold = true;
  activity.open();
  tell()?.event('activity:event', raw(2));
  held[0]?.();
  await settle();
  expect(seqs(activity.log.value)).toEqual([2, 1]);
});

test('what the channel begins with before the first page is there fills the gap up to what it tells next', async () => {
  const { activity, state, held, settle, tell } = setUp({ '/api/activity': { events: [raw(1), raw(2)], more: false } });
  state.hold = true;
  activity.open();
  tell()?.snapshot({ events: [raw(2), raw(3), raw(4)], more: true });
  tell()?.event('activity:event', raw(5));
  held[0]?.();
  await settle();
  expect(seqs(activity.log.value)).toEqual([5, 4, 3, 2, 1]);
});

test('a kind shows its own alone, also of what comes live; a late answer to another kind is dropped', async () => {
  const { activity, state, held, settle, tell } = setUp({
    '/api/activity': { events: [raw(1), raw(2, { action: 'access.pair' })], more: false },
    '/api/activity?kind=access': { events: [raw(2, { action: 'access.pair' })], more: false },
  });
  state.hold = true;
  activity.open();
  activity.choose('access');
  held[1]?.();
  await settle();
  held[0]?.();
  await settle();
  expect(seqs(activity.log.value)).toEqual([2]);
  tell()?.event('activity:event', raw(3));
  tell()?.event('activity:event', raw(4, { action: 'access.sign_out' }));
  expect(seqs(activity.log.value)).toEqual([4, 2]);
});

test('after a gap only what is known to be whole is shown', async () => {
  const { activity, settle, tell } = setUp({ '/api/activity': { events: [raw(1), raw(2)], more: false } });
  activity.open();
  await settle();
  tell()?.snapshot({ events: [raw(2), raw(3)], more: true });
  expect(seqs(activity.log.value)).toEqual([3, 2, 1]);
  tell()?.snapshot({ events: [raw(90), raw(91)], more: true });
  expect(seqs(activity.log.value)).toEqual([91, 90]);
  expect(activity.log.value?.more).toBe(true);
});

test('a failure is told, and the next answer ends it', async () => {
  const { activity, state, settle } = setUp({});
  state.status = 503;
  activity.open();
  await settle();
  expect([activity.error.value?.status, activity.log.value]).toEqual([503, null]);
  state.status = 200;
  await activity.load();
  expect([activity.error.value, activity.log.value?.events]).toEqual([null, []]);
});

test('an error is what failed or was refused, not what runs, nor what someone cancelled', () => {
  for (const outcome of ['failed', 'refused']) expect(isError(event(1, { outcome })), outcome).toBe(true);
  for (const outcome of ['ok', 'intent', 'unknown']) expect(isError(event(1, { outcome })), outcome).toBe(false);
  expect(isError(event(1, { outcome: 'failed', detail: { status: 'canceled' } }))).toBe(false);
  expect(isError(event(1, { action: 'instance.keys', detail: { status: 'stale' } }))).toBe(true);
});

const many = (from: number, to: number, failed: number[] = []) =>
  Array.from({ length: to - from + 1 }, (_, index) => raw(from + index, failed.includes(from + index) ? { outcome: 'failed' } : {}));

test('only errors: they are looked for further back, until one is found', async () => {
  const { activity, asked, settle, tell } = setUp({
    '/api/activity': { events: many(451, 500), more: true },
    '/api/activity?before=451&limit=200': { events: many(251, 450), more: true },
    '/api/activity?before=251&limit=200': { events: many(51, 250, [60, 200]), more: true },
    '/api/activity?before=51&limit=200': { events: many(1, 50), more: false },
  });
  activity.open();
  await settle();
  expect(activity.shown.value).toHaveLength(50);
  await activity.onlyErrors(true);
  expect([activity.shown.value.map(({ seq }) => seq), asked.length, activity.log.value?.more]).toEqual([[200, 60], 3, true]);
  tell()?.event('activity:event', raw(501));
  tell()?.event('activity:event', raw(502, { outcome: 'refused' }));
  expect(activity.shown.value.map(({ seq }) => seq)).toEqual([502, 200, 60]);
  await activity.older();
  expect([activity.shown.value.length, asked.length, activity.log.value?.more]).toEqual([3, 4, false]);
  await activity.onlyErrors(false);
  expect([activity.shown.value.length, asked.length]).toEqual([502, 4]);
});

test('only errors: the search has an end, and a choice ends it', async () => {
  const pages = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => 4001 - index * 200).map((before) => [
      `/api/activity?before=${before}&limit=200`,
      { events: many(before - 200, before - 1), more: true },
    ]),
  );
  const { activity, asked, state, held, settle } = setUp({ '/api/activity': { events: many(4001, 4050), more: true }, ...pages });
  activity.open();
  await settle();
  await activity.onlyErrors(true);
  expect([activity.shown.value, activity.full.value, asked.length]).toEqual([[], true, 6]);
  state.hold = true;
  activity.choose('access');
  activity.choose(null);
  held.at(-1)?.();
  await settle();
  await settle();
  // It looks on in what was chosen last; that it is not wanted any more ends it.
  expect(asked.at(-1)).toBe('/api/activity?before=4001&limit=200');
  void activity.onlyErrors(false);
  held.at(-1)?.();
  await settle();
  expect([asked.at(-1), activity.busy.value]).toEqual(['/api/activity?before=4001&limit=200', null]);
});

test('only errors: a search that fails says so and can go on', async () => {
  const { activity, state, asked, settle } = setUp({
    '/api/activity': { events: many(51, 100), more: true },
    '/api/activity?before=51&limit=200': { events: many(1, 50, [7]), more: false },
  });
  activity.open();
  await settle();
  state.status = 503;
  await activity.onlyErrors(true);
  expect([activity.error.value?.status, activity.shown.value, asked.length]).toEqual([503, [], 2]);
  state.status = 200;
  await activity.load();
  expect([activity.error.value, activity.shown.value.map(({ seq }) => seq)]).toEqual([null, [7]]);
});

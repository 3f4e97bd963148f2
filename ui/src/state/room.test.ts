import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FetchInit } from '../api/client';
import type { SocketEvents } from '../api/socket';
import { createRoom, type Platform } from './room';
import { safeStorage } from './storage';
import { TOKEN_KEY, type Arrival } from './auth';

type Reply = { status?: number; body?: unknown } | 'down';

/** A Room of answers: a route that is not named answers 404. */
function setUp(replies: Record<string, Reply | ((init: FetchInit) => Reply | Promise<Reply>)>, kept: Record<string, string> = {}) {
  const asked: string[] = [];
  const sockets: { sent: string[]; events: SocketEvents; readyState: number }[] = [];
  const storage = safeStorage(() => null);
  for (const [key, value] of Object.entries(kept)) storage.set(key, value);
  const greeted = vi.fn<Platform['greeted']>();
  const room = createRoom({
    fetch: async (path, init) => {
      const route = `${init.method} ${path}`;
      asked.push(route);
      const rule = replies[route] ?? { status: 404, body: { code: 'not_found' } };
      const reply = typeof rule === 'function' ? await rule(init) : rule;
      if (reply === 'down') throw new TypeError('failed to fetch');
      return { status: reply.status ?? 200, headers: { get: () => null }, text: async () => JSON.stringify(reply.body ?? {}) };
    },
    openSocket: (_, events) => {
      const socket = {
        sent: [] as string[],
        events,
        readyState: 1,
        send: (data: string) => void socket.sent.push(data),
        close: () => {},
      };
      sockets.push(socket);
      return socket;
    },
    timers: {
      set: (action, ms) => setTimeout(action, ms),
      clear: (timer) => clearTimeout(timer as number),
      now: () => Date.now(),
    },
    random: () => 0.5,
    storage,
    build: 'page',
    greeted,
    hosted: false,
    device: () => ['', 0],
    elsewhere: async () => null,
  });
  const settle = () => vi.advanceTimersByTimeAsync(0);
  return { room, asked, sockets, storage, settle, greeted };
}

const CODE: Arrival = { kind: 'code', secret: 'code' };
const VIEW = {
  sessionId: 's1',
  provider: 'codex',
  method: 'device',
  status: 'running',
  step: 'launching',
  active: true,
  lines: [],
};
const SIGNED_IN = {
  'GET /api/bootstrap': { body: { mode: 'local', auth: ['code'] } },
  'POST /api/auth/handshake': { body: { token: 'T' } },
  'GET /api/auth/verify': { body: { ok: true, role: 'owner' } },
  'POST /api/auth/ws-ticket': { body: { ticket: 'K' } },
  'GET /api/status': { body: { version: '0.1.0' } },
  'GET /api/providers': { body: { providers: [{ id: 'codex', name: 'Codex' }] } },
  'GET /api/providers/status': { body: { providers: { codex: { installed: true, connected: false } } } },
} satisfies Record<string, Reply>;
const HELLO = { type: 'hello', build: 'page', boot: 'b', mode: 'local', now: '2026-11-20T10:00:30.000Z' };

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime(new Date('2026-11-20T10:00:00.000Z'));
});
afterEach(() => vi.useRealTimers());

test('a link signs in, reads what is shown and opens the live link', async () => {
  const { room, asked, sockets, storage, settle } = setUp(SIGNED_IN);
  await room.auth.begin(CODE);
  await settle();
  expect(room.auth.phase.value).toBe('signed_in');
  expect(storage.get(TOKEN_KEY)).toBe('T');
  expect(asked).toContain('GET /api/providers');
  expect(asked.filter((route) => route === 'GET /api/status')).toHaveLength(1);
  expect(asked.filter((route) => route === 'GET /api/providers/status')).toHaveLength(1);
  sockets[0]?.events.message(JSON.stringify(HELLO));
  expect(room.linkPhase.value).toBe('live');
  expect(room.clockOffset.value).toBe(30_000);
  expect(sockets[0]?.sent).toEqual(['{"type":"subscribe","channels":["providers"]}']);
});

test('an answer that a later one has overtaken is not shown, nor one to someone who has left', async () => {
  const held: ((answer: Reply) => void)[] = [];
  let hold = false;
  const connected = (value: boolean) => ({ body: { providers: { codex: { installed: true, connected: value } } } });
  const { room, settle } = setUp({
    ...SIGNED_IN,
    'GET /api/providers/status': () => (hold ? new Promise<Reply>((resolve) => held.push(resolve)) : connected(false)),
  });
  await room.auth.begin(CODE);
  await settle();
  hold = true;
  const first = room.providers.refresh();
  const second = room.providers.refresh();
  await settle();
  held[1]?.(connected(true));
  await second;
  held[0]?.(connected(false));
  await first;
  expect(room.providers.statuses.value['codex']?.connected).toBe(true);
  const third = room.providers.refresh();
  await settle();
  room.auth.ended();
  held[2]?.(connected(true));
  await third;
  expect([room.providers.statuses.value, room.providers.known.value]).toEqual([{}, false]);
});

test('a role that was asked for before it changed does not come back', async () => {
  const held: ((answer: Reply) => void)[] = [];
  let hold = false;
  const role = (name: string): Reply => ({ body: { ok: true, role: name, issuer: 'i', subject: 's' } });
  const { room, settle } = setUp({
    ...SIGNED_IN,
    'GET /api/auth/verify': () => (hold ? new Promise<Reply>((resolve) => held.push(resolve)) : role('owner')),
  });
  await room.auth.begin(CODE);
  hold = true;
  const [first, second] = [room.auth.refresh(), room.auth.refresh()];
  await settle();
  held[1]?.(role('viewer'));
  await second;
  held[0]?.(role('owner'));
  await first;
  expect(room.auth.verified.value?.role).toBe('viewer');
});

test('without a code and without a kept sign-in nothing but the public route is asked', async () => {
  const { room, asked } = setUp(SIGNED_IN);
  await room.auth.begin(null);
  expect([room.auth.phase.value, room.auth.reason.value]).toEqual(['signed_out', 'no_code']);
  expect(asked).toEqual(['GET /api/bootstrap']);
});

test.each([
  [{ status: 401, body: { code: 'code_used' } }, 'code_refused'],
  [{ status: 403, body: { code: 'origin' } }, 'page_refused'],
  [{ status: 421, body: { code: 'host' } }, 'page_refused'],
  [{ status: 429, body: { code: 'limited' } }, 'limited'],
  [{ status: 503, body: {} }, 'unreachable'],
  ['down' as const, 'unreachable'],
  [{ status: 200, body: { no: 'token' } }, 'unexpected'],
])('a handshake answered with %j leaves one signed out: %s', async (reply, reason) => {
  const { room } = setUp({ ...SIGNED_IN, 'POST /api/auth/handshake': reply });
  await room.auth.begin(CODE);
  expect([room.auth.phase.value, room.auth.reason.value]).toEqual(['signed_out', reason]);
});

test('a used link does not end the sign-in it once gave', async () => {
  const { room } = setUp({ ...SIGNED_IN, 'POST /api/auth/handshake': { status: 401 } }, { [TOKEN_KEY]: 'T' });
  await room.auth.begin(CODE);
  expect(room.auth.phase.value).toBe('signed_in');
});

test('a Room that is down keeps the sign-in for a retry', async () => {
  let down = true;
  const { room, storage } = setUp(
    { ...SIGNED_IN, 'GET /api/auth/verify': () => (down ? 'down' : SIGNED_IN['GET /api/auth/verify']) },
    { [TOKEN_KEY]: 'T' },
  );
  await room.auth.begin(null);
  expect(room.auth.reason.value).toBe('unreachable');
  expect(storage.get(TOKEN_KEY)).toBe('T');
  down = false;
  await room.auth.retry();
  expect(room.auth.phase.value).toBe('signed_in');
});

test('a sign-in that ended is dropped once, and the link stops', async () => {
  let ended = false;
  const guard = (reply: Reply) => () => (ended ? { status: 401, body: { code: 'unauthorized' } } : reply);
  const { room, asked, storage, settle } = setUp({
    ...SIGNED_IN,
    'GET /api/status': guard(SIGNED_IN['GET /api/status']),
    'GET /api/providers/status': guard(SIGNED_IN['GET /api/providers/status']),
  });
  await room.auth.begin(CODE);
  await settle();
  ended = true;
  void room.refreshStatus();
  void room.providers.refresh();
  await settle();
  expect([room.auth.phase.value, room.auth.reason.value]).toEqual(['signed_out', 'ended']);
  expect(storage.get(TOKEN_KEY)).toBeNull();
  const count = asked.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked.length).toBe(count);
});

test('another tab’s sign-in is taken over', async () => {
  const { room, storage } = setUp(SIGNED_IN);
  await room.auth.begin(null);
  storage.set(TOKEN_KEY, 'T');
  await room.auth.adopt('T');
  expect(room.auth.phase.value).toBe('signed_in');
});

test('a sign-in to a provider is followed live to its end', async () => {
  const { room, sockets, settle, asked } = setUp({
    ...SIGNED_IN,
    'POST /api/providers/codex/connect': { body: { ok: true, session: VIEW, reused: false } },
  });
  await room.auth.begin(CODE);
  await settle();
  const socket = sockets[0];
  if (socket === undefined) throw new Error('no socket');
  const tell = (message: unknown) => socket.events.message(JSON.stringify(message));
  tell(HELLO);
  expect(await (await room.openManage()).logins.start('codex', { method: 'device' })).toBe(true);
  const channel = 'provider-auth:s1';
  expect(socket.sent.at(-1)).toBe(JSON.stringify({ type: 'subscribe', channels: [channel] }));
  tell({ type: 'snapshot', channel, seq: 1, data: VIEW });
  tell({
    type: 'provider_auth:line',
    channel,
    seq: 2,
    data: { sessionId: 's1', lines: [{ id: 1, text: 'hi' }], deviceCode: 'AAAA-BBBB', verificationUrl: null },
  });
  const { login } = (await room.openManage()).logins.slot('codex');
  expect(login.value?.view.deviceCode).toBe('AAAA-BBBB');
  const before = asked.filter((route) => route === 'GET /api/providers/status').length;
  tell({ type: 'provider_auth:status', channel, seq: 3, data: { ...VIEW, status: 'completed', step: 'done', active: false } });
  expect(login.value?.view.status).toBe('completed');
  expect(socket.sent.at(-1)).toBe(JSON.stringify({ type: 'unsubscribe', channels: [channel] }));
  await vi.advanceTimersByTimeAsync(100);
  expect(asked.filter((route) => route === 'GET /api/providers/status').length).toBe(before + 1);
});

test('without a live link a running sign-in is asked for, and no longer once it ended', async () => {
  let view: Record<string, unknown> = VIEW;
  const { room, settle, asked } = setUp({
    ...SIGNED_IN,
    'POST /api/providers/codex/connect': { body: { session: VIEW } },
    'GET /api/providers/sessions/s1': () => ({ body: { session: view } }),
  });
  await room.auth.begin(CODE);
  await settle();
  await (await room.openManage()).logins.start('codex');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(asked).toContain('GET /api/providers/sessions/s1');
  view = { ...VIEW, status: 'failed', active: false, failure: { code: 'network', title: '', action: '' } };
  await vi.advanceTimersByTimeAsync(3_000);
  expect((await room.openManage()).logins.slot('codex').login.value?.view.failure?.code).toBe('network');
  const count = asked.filter((route) => route.includes('sessions/s1')).length;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(asked.filter((route) => route.includes('sessions/s1')).length).toBe(count);
});

test('a sign-in started elsewhere is joined', async () => {
  const { room } = setUp({
    ...SIGNED_IN,
    'GET /api/providers/status': { body: { providers: { codex: { authSession: 's1' } } } },
    'GET /api/providers/sessions/s1': { body: { session: VIEW } },
  });
  await room.auth.begin(CODE);
  await vi.advanceTimersByTimeAsync(10);
  expect((await room.openManage()).logins.slot('codex').login.value).toMatchObject({ joined: true, view: { sessionId: 's1' } });
});

test('a start that is refused says why', async () => {
  const { room, settle } = setUp({
    ...SIGNED_IN,
    'POST /api/providers/codex/connect': { status: 409, body: { code: 'not_installed', detail: 'npm install …' } },
  });
  await room.auth.begin(CODE);
  await settle();
  expect(await (await room.openManage()).logins.start('codex')).toBe(false);
  expect((await room.openManage()).logins.slot('codex').error.value?.code).toBe('not_installed');
  expect((await room.openManage()).logins.slot('codex').busy.value).toBeNull();
});

test('looking for the last sign-in does not hide why a start failed', async () => {
  const { room, settle } = setUp({
    ...SIGNED_IN,
    'POST /api/providers/codex/connect': { status: 429, body: { code: 'limited' } },
  });
  await room.auth.begin(CODE);
  await settle();
  await (await room.openManage()).logins.start('codex');
  await (await room.openManage()).logins.load('codex');
  expect((await room.openManage()).logins.slot('codex')).toMatchObject({ error: { value: { status: 429 } }, loaded: { value: true } });
});

test('a sign-in that would end the earlier one starts only when the person agrees', async () => {
  const { room, settle } = setUp({
    ...SIGNED_IN,
    'POST /api/providers/codex/connect': (init) =>
      init.body === '{"method":"device","inPlace":true}'
        ? { body: { session: VIEW } }
        : { status: 409, body: { code: 'would_sign_out', detail: 'Signing in again signs Codex out first.' } },
  });
  await room.auth.begin(CODE);
  await settle();
  expect(await (await room.openManage()).logins.start('codex', { method: 'device' })).toBe(false);
  expect((await room.openManage()).logins.slot('codex').error.value?.code).toBe('would_sign_out');
  expect(await (await room.openManage()).logins.start('codex', { method: 'device', inPlace: true })).toBe(true);
  expect((await room.openManage()).logins.slot('codex').error.value).toBeNull();
});

test('renewing ends the old sign-in first', async () => {
  const { room, settle, asked } = setUp({
    ...SIGNED_IN,
    'POST /api/providers/codex/connect': { body: { session: VIEW } },
    'POST /api/providers/sessions/s1/cancel': { body: {} },
  });
  await room.auth.begin(CODE);
  await settle();
  await (await room.openManage()).logins.start('codex');
  await (await room.openManage()).logins.start('codex', { renew: true });
  const posts = asked.filter((route) => route.startsWith('POST /api/providers'));
  expect(posts).toEqual([
    'POST /api/providers/codex/connect',
    'POST /api/providers/sessions/s1/cancel',
    'POST /api/providers/codex/connect',
  ]);
});

test('a refused paste gives its reason', async () => {
  const { room, settle } = setUp({
    ...SIGNED_IN,
    'POST /api/providers/codex/connect': { body: { session: VIEW } },
    'POST /api/providers/sessions/s1/input': { status: 422, body: { code: 'bad_code', detail: 'Not the whole code.' } },
  });
  await room.auth.begin(CODE);
  await settle();
  await (await room.openManage()).logins.start('codex');
  expect((await (await room.openManage()).logins.input('codex', 'x'))?.message).toBe('Not the whole code.');
});

test('a disconnect that the check denies is a failure', async () => {
  const { room, settle } = setUp({
    ...SIGNED_IN,
    'POST /api/providers/codex/disconnect': { body: { ok: false, status: 'failed', removed: [] } },
  });
  await room.auth.begin(CODE);
  await settle();
  const manage = await room.openManage();
  await manage.disconnect('codex');
  expect(manage.outcomes.value['codex']).toMatchObject({ kind: 'disconnected', result: { ok: false } });
  expect(manage.work.value['codex']).toBeUndefined();
});

test('each greeting tells which build the Room serves, and what is offered then is kept', async () => {
  const { room, sockets, settle, greeted } = setUp(SIGNED_IN);
  await room.auth.begin(CODE);
  await settle();
  sockets[0]?.events.message(JSON.stringify({ ...HELLO, build: 'other' }));
  expect(greeted.mock.calls.map(([served]) => served)).toEqual(['other']);
  expect(room.newBuild.value).toBe(null);
  const apply = vi.fn();
  greeted.mock.calls[0]?.[1](apply);
  expect(room.newBuild.value).toBe(apply);
  expect(apply).not.toHaveBeenCalled();
});

test('signing out ends it here even when the Room is down', async () => {
  const { room, storage, settle } = setUp({ ...SIGNED_IN, 'DELETE /api/auth/session': 'down' });
  await room.auth.begin(CODE);
  await settle();
  await room.auth.signOut();
  expect([room.auth.phase.value, room.auth.reason.value, storage.get(TOKEN_KEY)]).toEqual(['signed_out', 'signed_out', null]);
});

test('storage that throws is replaced by memory', () => {
  const blocked = safeStorage(() => {
    throw new Error('blocked');
  });
  blocked.set('a', '1');
  expect(blocked.get('a')).toBe('1');
  const full = safeStorage(() => ({
    getItem: () => {
      throw new Error('no');
    },
    setItem: () => {
      throw new Error('full');
    },
    removeItem: () => {
      throw new Error('no');
    },
  }));
  full.set('a', '2');
  expect(full.get('a')).toBe('2');
  full.remove('a');
  expect(full.get('a')).toBeNull();
});

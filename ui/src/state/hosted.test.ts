// Arriving at a hosted Room: the trade, every refusal, and the question before someone is replaced.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FetchInit } from '../api/client';
import type { SocketEvents } from '../api/socket';
import { claims, pairingCode } from './arrive';
import { MARK_KEY, TOKEN_KEY, type Arrival } from './auth';
import { deviceName } from './device';
import { find, rootOf } from './elsewhere';
import { launchUrl, roomUrl } from './launch';
import { createRoom, type Platform } from './room';
import { safeStorage } from './storage';

type Reply = { status?: number; body?: unknown; headers?: Record<string, string> } | 'down';
type Rule = Reply | ((init: FetchInit) => Reply);

const AGENT = 'Mozilla/5.0 (iPhone; CPU iPhone OS 27_0 like Mac OS X) AppleWebKit/605.1.15 Version/27.0 Safari/604.1';

function setUp(replies: Record<string, Rule>, more: Partial<Platform> = {}) {
  const asked: { route: string; init: FetchInit }[] = [];
  const sockets: { protocols: string[]; sent: string[]; events: SocketEvents }[] = [];
  const storage = safeStorage(() => null);
  const room = createRoom({
    fetch: async (path, init) => {
      const route = `${init.method} ${path}`;
      asked.push({ route, init });
      const rule = replies[route] ?? { status: 404, body: { code: 'not_found' } };
      const reply = typeof rule === 'function' ? rule(init) : rule;
      if (reply === 'down') throw new TypeError('failed to fetch');
      return {
        status: reply.status ?? 200,
        headers: { get: (name) => reply.headers?.[name] ?? null },
        text: async () => (typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {})),
      };
    },
    openSocket: (protocols, events) => {
      const socket = { protocols, events, sent: [] as string[], readyState: 1, send: (data: string) => void socket.sent.push(data), close: () => {} };
      sockets.push(socket);
      return socket;
    },
    timers: { set: (action, ms) => setTimeout(action, ms), clear: (timer) => clearTimeout(timer as number), now: () => Date.now() },
    random: () => 0.5,
    storage,
    build: 'page',
    greeted: () => {},
    hosted: true,
    device: () => [AGENT, 5],
    elsewhere: async () => null,
    ...more,
  });
  const routes = () => asked.map(({ route }) => route);
  const sent = (route: string) => asked.find((one) => one.route === route)?.init;
  return { room, asked, routes, sent, sockets, storage, settle: () => vi.advanceTimersByTimeAsync(0) };
}

const WHO = { ok: true, role: 'owner', permissions: ['status.read', 'self'], issuer: 'https://id', subject: 'ada', profile: { name: 'Ada' } };
const OTHER = { ...WHO, subject: 'bob', profile: { name: null, email: 'bob@example.com' } };
const STRANGER = { status: 401, body: { code: 'sign_in_required' } };
const BOOTSTRAP = { mode: 'cloud', auth: ['token', 'pair'], controlPlaneUrl: 'https://plane.example', instanceId: 'i-1' };
const CLOUD = {
  'GET /api/bootstrap': { body: BOOTSTRAP },
  'GET /api/auth/verify': { body: WHO },
  'GET /api/status': { body: {} },
  'GET /api/providers': { body: { providers: [] } },
  'GET /api/providers/status': { body: { providers: {} } },
} satisfies Record<string, Reply>;

function jwt(more: Record<string, unknown> = {}): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'ES256' })}.${part({ iss: 'https://id', sub: 'ada', name: 'Ada', instanceId: 'i-1', ...more })}.c2ln`;
}
const arrival = (secret: string): Arrival => ({ kind: 'token', secret });

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime(new Date('2026-11-20T10:00:00.000Z'));
});
afterEach(() => vi.useRealTimers());

/** A Room whose cookie comes with the trade. */
function untraded(replies: Record<string, Rule>) {
  let cookie = false;
  return {
    ...CLOUD,
    'GET /api/auth/verify': (): Reply => (cookie ? { body: WHO } : STRANGER),
    'POST /api/auth/session': (): Reply => {
      cookie = true;
      return { body: WHO };
    },
    ...replies,
  };
}

test('a token is traded with its bearer, and nothing of it is kept', async () => {
  const token = jwt();
  const { room, asked, sent, sockets, storage, settle } = setUp(untraded({}));
  await room.auth.begin(arrival(token));
  await settle();
  expect(room.auth.phase.value).toBe('signed_in');
  expect(sent('POST /api/auth/session')?.headers['Authorization']).toBe(`Bearer ${token}`);
  expect(sent('POST /api/auth/session')?.body).toBe('{"deviceName":"Safari on iPhone"}');
  expect(storage.get(TOKEN_KEY)).toBeNull();
  expect(storage.get(MARK_KEY)).not.toContain(token);
  const bearers = asked.filter(({ init }) => init.headers['Authorization'] !== undefined);
  expect(bearers.map(({ route }) => route)).toEqual(['POST /api/auth/session']);
  expect(sockets[0]?.protocols).toEqual(['room.v1']);
});

test.each([
  [{ status: 401, body: { code: 'token_used' } }, jwt(), 'token_refused', 'token_used'],
  [{ status: 401, body: { code: 'token_too_old' } }, jwt(), 'token_refused', 'token_too_old'],
  [{ status: 401, body: { code: 'token_expired' } }, jwt(), 'token_refused', 'token_expired'],
  [{ status: 401, body: { code: 'invalid_token' } }, jwt(), 'token_refused', 'invalid_token'],
  [{ status: 401, body: { code: 'invalid_token' } }, jwt({ instanceId: 'i-2' }), 'token_refused', 'wrong_instance'],
  [{ status: 400, body: { code: 'invalid_request' } }, 'nonsense', 'token_refused', 'invalid_request'],
  [{ status: 403, body: { code: 'not_allowed' } }, jwt(), 'role_refused', 'not_allowed'],
  [{ status: 403, body: { code: 'not_our_page' } }, jwt(), 'page_refused', 'not_our_page'],
  [{ status: 429, body: { code: 'too_many_requests' } }, jwt(), 'limited', 'too_many_requests'],
  [{ status: 503, body: { code: 'keys_unavailable' } }, jwt(), 'no_keys', 'keys_unavailable'],
  [{ status: 503, body: 'a proxy' }, jwt(), 'unreachable', null],
  ['down' as const, jwt(), 'unreachable', null],
])('a trade answered with %j leaves one signed out, with the reason', async (reply, token, reason, code) => {
  const { room, settle } = setUp(untraded({ 'POST /api/auth/session': reply }));
  await room.auth.begin(arrival(token));
  await settle();
  expect([room.auth.phase.value, room.auth.reason.value, room.auth.problem.value?.code ?? null]).toEqual(['signed_out', reason, code]);
});

test('what passes by itself keeps the token for another try, a refusal does not', async () => {
  let reply: Reply = { status: 503, body: { code: 'keys_unavailable' } };
  const { room, routes } = setUp(untraded({ 'POST /api/auth/session': () => reply }));
  await room.auth.begin(arrival(jwt()));
  reply = { status: 401, body: { code: 'token_used' } };
  await room.auth.retry();
  expect(room.auth.reason.value).toBe('token_refused');
  const trades = () => routes().filter((route) => route === 'POST /api/auth/session').length;
  expect(trades()).toBe(2);
  await room.auth.retry();
  expect(trades()).toBe(2);
});

test('the same person’s token renews without a question, and a used one changes nothing', async () => {
  const { room } = setUp({ ...CLOUD, 'POST /api/auth/session': { status: 401, body: { code: 'token_used' } } });
  await room.auth.begin(arrival(jwt()));
  expect(room.auth.phase.value).toBe('signed_in');
});

test.each([
  [{ sub: 'bob', name: 'Bob' }, 'Bob'],
  [{ iss: 'https://other' }, 'Ada'],
])('a token of someone else asks first: %j', async (said, next) => {
  const { room, routes } = setUp({ ...CLOUD, 'POST /api/auth/session': { body: OTHER } });
  await room.auth.begin(arrival(jwt(said)));
  expect(room.auth.phase.value).toBe('asking');
  expect(room.auth.question.value).toMatchObject({ next, current: { name: 'Ada' } });
  expect(routes()).not.toContain('POST /api/auth/session');
  await room.auth.answer(true);
  expect([room.auth.phase.value, room.auth.verified.value?.name]).toEqual(['signed_in', 'bob@example.com']);
});

test('whoever stays, stays', async () => {
  const { room, routes } = setUp(CLOUD);
  await room.auth.begin({ kind: 'pair', secret: 'x'.repeat(22) });
  expect(room.auth.phase.value).toBe('asking');
  await room.auth.answer(false);
  expect([room.auth.phase.value, room.auth.verified.value?.name]).toEqual(['signed_in', 'Ada']);
  expect(routes()).not.toContain('POST /api/auth/pair/redeem');
});

test.each(['code_unknown', 'code_used', 'code_expired'])('a pairing code refused with %s says so', async (code) => {
  const { room } = setUp({ ...CLOUD, 'GET /api/auth/verify': STRANGER, 'POST /api/auth/pair/redeem': { status: 401, body: { code } } });
  await room.auth.begin({ kind: 'pair', secret: 'x'.repeat(22) });
  expect([room.auth.reason.value, room.auth.problem.value?.code]).toEqual(['pair_refused', code]);
});

test('a typed code signs in', async () => {
  const { room, sent } = setUp({ ...CLOUD, 'GET /api/auth/verify': STRANGER, 'POST /api/auth/pair/redeem': { body: WHO } });
  await room.auth.begin(null);
  expect([room.auth.phase.value, room.auth.reason.value]).toEqual(['signed_out', 'no_code']);
  expect(await room.auth.pair('abcde fgh')).toBe(false);
  expect(await room.auth.pair('abcde-fghjo')).toBe(true);
  expect(JSON.parse(sent('POST /api/auth/pair/redeem')?.body ?? '')).toEqual({ code: 'ABCDEFGHJ0', deviceName: 'Safari on iPhone' });
  expect(room.auth.phase.value).toBe('signed_in');
});

test('pairing codes are taken however they are written, links as they are', () => {
  expect(pairingCode(' abcde-fghjk ')).toBe('ABCDEFGHJK');
  expect(pairingCode('o1il0 o1il0')).toBe('0111001110');
  expect(pairingCode(`https://room.example/#pair=${'aB3_-'.repeat(4)}xy`)).toBe(`${'aB3_-'.repeat(4)}xy`);
  for (const length of [22, 43]) expect(pairingCode(`pair=${'a'.repeat(length)}`)).toBe('a'.repeat(length));
  for (const odd of ['', 'ABCDEFGHJ', 'ABCDEFGHJKM', 'ABCDEFGHJU', 'ABCDE+FGHJ']) expect(pairingCode(odd), odd).toBeNull();
});

test('what a token says of itself is read, and nonsense says nothing', () => {
  expect(claims(jwt({ name: 'Ada Lovelace – ä', exp: 5 }))).toMatchObject({ issuer: 'https://id', name: 'Ada Lovelace – ä', expiresAt: 5000 });
  for (const odd of ['', 'a.b', '..', `a.${Buffer.from('[1]').toString('base64url')}.c`])
    expect(claims(odd)).toEqual({ issuer: null, subject: null, name: null, instanceId: null, expiresAt: null });
});

test('a machine that is starting is waited for, half a minute long', async () => {
  let asleep = true;
  const { room } = setUp({ ...CLOUD, 'GET /api/bootstrap': () => (asleep ? { status: 502, body: 'proxy' } : { body: BOOTSTRAP }) });
  const began = room.auth.begin(null);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([room.auth.phase.value, room.asleepAt.value !== null]).toEqual(['starting', true]);
  asleep = false;
  await vi.advanceTimersByTimeAsync(2_000);
  await began;
  expect([room.auth.phase.value, room.asleepAt.value]).toEqual(['signed_in', null]);
});

test('a machine that does not start is said not to answer', async () => {
  const { room } = setUp({ ...CLOUD, 'GET /api/bootstrap': { status: 502, body: 'proxy' } });
  void room.auth.begin(null);
  await vi.advanceTimersByTimeAsync(29_000);
  expect(room.auth.phase.value).toBe('starting');
  await vi.advanceTimersByTimeAsync(5_000);
  expect([room.auth.phase.value, room.auth.reason.value]).toEqual(['signed_out', 'unreachable']);
});

test.each([
  [4401, 'ended'],
  [4403, 'revoked'],
])('a socket closed with %i ends it here: %s', async (code, reason) => {
  let out = false;
  const { room, sockets, settle } = setUp({ ...CLOUD, 'GET /api/auth/verify': () => (out ? STRANGER : { body: WHO }) });
  await room.auth.begin(null);
  await settle();
  out = true;
  sockets[0]?.events.closed(code as number);
  await settle();
  expect([room.auth.phase.value, room.auth.reason.value]).toEqual(['signed_out', reason]);
});

test('a sign-in that another tab has renewed goes on here', async () => {
  const { room, sockets, settle } = setUp(CLOUD);
  await room.auth.begin(null);
  await settle();
  sockets[0]?.events.closed(4401);
  await settle();
  expect([room.auth.phase.value, sockets.length]).toEqual(['signed_in', 2]);
});

test('a token of someone else in an open tab leaves nothing of the one before', async () => {
  const { room, settle } = setUp({ ...CLOUD, 'POST /api/auth/session': { body: OTHER } });
  await room.auth.begin(null);
  await settle();
  const phases: string[] = [];
  room.auth.phase.subscribe((phase) => phases.push(phase));
  await room.auth.begin(arrival(jwt({ sub: 'bob' })));
  await room.auth.answer(true);
  expect(phases).toEqual(['signed_in', 'asking', 'signed_out', 'signed_in']);
  expect(room.auth.verified.value?.subject).toBe('bob');
});

test('a socket that is refused at the door asks whether one is still signed in', async () => {
  let out = false;
  const { room, sockets, settle } = setUp({ ...CLOUD, 'GET /api/auth/verify': () => (out ? STRANGER : { body: WHO }) });
  await room.auth.begin(null);
  await settle();
  out = true;
  sockets[0]?.events.closed(1006);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([room.auth.phase.value, room.auth.reason.value]).toEqual(['signed_out', 'ended']);
  expect(sockets).toHaveLength(1);
});

test('a hidden page that is let go asks for nothing until it is seen again', async () => {
  const { room, sockets, settle, asked } = setUp(CLOUD);
  await room.auth.begin(null);
  await settle();
  sockets[0]?.events.message(JSON.stringify({ type: 'hello', build: 'page', boot: 'b', mode: 'cloud', now: '2026-11-20T10:00:00.000Z' }));
  await settle();
  room.link.setVisible(false);
  expect(sockets[0]?.sent.at(-1)).toBe('{"type":"visible","value":false}');
  sockets[0]?.events.closed(4000);
  const count = asked.length;
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect([sockets.length, asked.length, room.auth.phase.value]).toEqual([1, count, 'signed_in']);
  room.link.setVisible(true);
  room.link.wake();
  await settle();
  expect(sockets).toHaveLength(2);
});

test('only a Room that answers can end its cookie', async () => {
  let reply: Reply = 'down';
  const { room } = setUp({ ...CLOUD, 'DELETE /api/auth/session': () => reply });
  await room.auth.begin(null);
  expect((await room.auth.signOut())?.kind).toBe('unreachable');
  expect(room.auth.phase.value).toBe('signed_in');
  reply = { body: { ok: true } };
  expect(await room.auth.signOut()).toBeNull();
  expect([room.auth.phase.value, room.auth.reason.value]).toEqual(['signed_out', 'signed_out']);
});

test('who was signed in before is told that it ended', async () => {
  const { room, storage } = setUp({ ...CLOUD, 'GET /api/auth/verify': STRANGER });
  storage.set(MARK_KEY, '1');
  await room.auth.begin(null);
  expect(room.auth.reason.value).toBe('ended');
});

test('a role that changed is learnt with the first refusal', async () => {
  let who: Record<string, unknown> = { ...WHO, permissions: ['status.read', 'providers.manage'] };
  const { room, settle } = setUp({ ...CLOUD, 'GET /api/auth/verify': () => ({ body: who }), 'GET /api/x': { status: 403, body: { code: 'not_allowed' } } });
  await room.auth.begin(null);
  expect(room.auth.can('providers.manage')).toBe(true);
  who = { ...WHO, role: 'member' };
  await room.client.get('/api/x').catch(() => null);
  await settle();
  expect([room.auth.can('providers.manage'), room.auth.can('status.read')]).toEqual([false, true]);
});

test('another tab’s sign-in as someone else leaves nothing of the one before', async () => {
  let who: Record<string, unknown> = WHO;
  const { room, settle } = setUp({ ...CLOUD, 'GET /api/auth/verify': () => ({ body: who }), 'GET /api/status': { body: { name: 'R' } } });
  await room.auth.begin(null);
  await settle();
  const phases: string[] = [];
  room.auth.phase.subscribe((phase) => phases.push(phase));
  await room.auth.adopt('2');
  expect(phases).toEqual(['signed_in']);
  who = OTHER;
  await room.auth.adopt('3');
  expect(phases).toEqual(['signed_in', 'signed_out', 'signed_in']);
  expect(room.auth.verified.value?.subject).toBe('bob');
  await room.auth.adopt(null);
  expect(room.auth.reason.value).toBe('signed_out');
});

test('a page elsewhere carries its token in memory and takes tickets', async () => {
  const token = jwt();
  const replies: Record<string, Rule> = { ...CLOUD, 'POST /api/auth/ws-ticket': { body: { ticket: 'K' } } };
  const found = { controlPlaneUrl: 'https://app.example', instanceId: 'i-1' };
  let turned = false;
  const { room, asked, storage, sockets, settle } = setUp(
    { ...replies, 'GET /api/bootstrap': () => (turned ? { body: BOOTSTRAP } : { status: 404, body: '<html>' }) },
    {
      elsewhere: async () => {
        turned = true;
        return found;
      },
    },
  );
  await room.auth.begin(arrival(token));
  await settle();
  expect([room.auth.phase.value, room.auth.bootstrap.value?.controlPlaneUrl]).toEqual(['signed_in', 'https://app.example']);
  expect(asked.map(({ route }) => route)).not.toContain('POST /api/auth/session');
  expect(sockets[0]?.protocols).toEqual(['room.v1', 'room.ticket.K']);
  const guarded = asked.filter(({ route }) => route === 'GET /api/status');
  expect(guarded.every(({ init }) => init.headers['Authorization'] === `Bearer ${token}`)).toBe(true);
  expect([storage.get(TOKEN_KEY), storage.get(MARK_KEY)]).toEqual([null, null]);
  // Without it there is nothing to ask with; a cookie of that other origin is not tried.
  room.auth.ended();
  const count = asked.length;
  await expect(room.client.get('/api/status')).rejects.toMatchObject({ status: 401 });
  expect(asked.length).toBe(count);
});

test('the file beside a page names its Room', async () => {
  expect(rootOf('/app/r/i-1/providers/codex/connect')).toBe('/app/r/i-1/');
  expect([rootOf('/app/r/i-1'), rootOf('/'), rootOf('/activity')]).toEqual(['/app/r/i-1/', '/', '/']);
  const asked: string[] = [];
  const file = (body: unknown) => async (path: string) => {
    asked.push(path);
    return body;
  };
  expect(await find('/app/r/i-1/access', file({ apiUrl: 'https://i-1.room.example/', instanceId: 'i-1' }))).toEqual({
    root: '/app/r/i-1/',
    apiUrl: 'https://i-1.room.example',
    config: { instanceId: 'i-1' },
  });
  expect(asked).toEqual(['/app/r/i-1/config.json']);
  expect(await find('/', file({ apiUrl: 'http://room.example' }))).toBeNull();
  expect(await find('/', () => Promise.reject(new Error('404')))).toBeNull();
});

test('the way to a fresh token', () => {
  expect(launchUrl('https://plane.example/', 'i 1', '/providers')).toBe('https://plane.example/launch?instance=i%201&return=%2Fproviders');
  expect(launchUrl('https://plane.example/base', null, '/')).toBe('https://plane.example/base/launch?return=%2F');
  for (const odd of [null, '', 'http://plane.example', 'javascript:alert(1)', 'https://a:b@plane.example'])
    expect(launchUrl(odd, 'i', '/'), String(odd)).toBeNull();
  expect(roomUrl('http://localhost:3700')?.origin).toBe('http://localhost:3700');
});

test.each([
  [AGENT, 5, 'Safari on iPhone'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/27.0 Safari/605.1.15', 5, 'Safari on iPad'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/27.0 Safari/605.1.15', 0, 'Safari on Mac'],
  ['Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/157.0.0.0 Mobile Safari/537.36', 5, 'Chrome on Android'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/157.0.0.0 Safari/537.36 Edg/157.0', 0, 'Edge on Windows'],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:160.0) Gecko/20100101 Firefox/160.0', 0, 'Firefox on Linux'],
  ['curl/8', 0, 'Browser'],
])('%s is a device with a name', (agent, touch, name) => {
  expect(deviceName(agent, touch)).toBe(name);
});

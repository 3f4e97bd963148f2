import { expect, test, vi } from 'vitest';
import { ApiError, createClient, type FetchAnswer, type FetchInit } from './client';
import { loginCalls } from './login';

function answer(status: number, body: unknown, headers: Record<string, string> = {}): FetchAnswer {
  return {
    status,
    headers: { get: (name) => headers[name] ?? null },
    text: async () => (typeof body === 'string' ? body : JSON.stringify(body)),
  };
}

function setUp(reply: (path: string, init: FetchInit) => FetchAnswer | Promise<FetchAnswer>) {
  const fetch = vi.fn(async (path: string, init: FetchInit) => reply(path, init));
  const onRefused = vi.fn();
  const state: { token: string | null } = { token: 'T1' };
  const client = createClient({
    fetch,
    credential: () => (state.token === null ? null : { id: state.token, bearer: state.token }),
    onRefused,
  });
  return { client, fetch, onRefused, state };
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw new Error('expected an ApiError');
  return error;
}

test('the handshake carries its header and no bearer', async () => {
  const { client, fetch } = setUp(() => answer(200, { token: 'N', expiresAt: '2026-11-27T10:00:00.000Z' }));
  expect(await client.handshake('abc')).toBe('N');
  expect(fetch).toHaveBeenCalledWith('/api/auth/handshake', {
    method: 'POST',
    headers: { Accept: 'application/json', 'X-Room-Handshake': '1', 'Content-Type': 'application/json' },
    body: '{"code":"abc"}',
    timeoutMs: 30_000,
  });
});

test('a request carries the bearer', async () => {
  const { client, fetch } = setUp(() => answer(200, { ticket: 'x' }));
  expect(await client.ticket()).toBe('x');
  expect(fetch.mock.calls[0]?.[1].headers['Authorization']).toBe('Bearer T1');
});

test('parallel refusals of one token count as one and the token is not sent again', async () => {
  const { client, fetch, onRefused } = setUp(() => answer(401, { code: 'unauthorized' }));
  await Promise.all([failure(client.status()), failure(client.statuses()), failure(client.providers())]);
  expect(onRefused).toHaveBeenCalledTimes(1);
  const sent = fetch.mock.calls.length;
  expect((await failure(client.status())).unauthorized).toBe(true);
  expect(fetch.mock.calls.length).toBe(sent);
});

test('a late refusal of an old token does not end the new one', async () => {
  const { client, onRefused, state } = setUp((_, init) =>
    init.headers['Authorization'] === 'Bearer T1' ? answer(401, {}) : answer(200, { version: '1' }),
  );
  const late = failure(client.status());
  state.token = 'T2';
  await late;
  expect(onRefused).not.toHaveBeenCalled();
  expect((await client.status()).version).toBe('1');
});

test('without a token nothing is sent', async () => {
  const { client, fetch, state } = setUp(() => answer(200, {}));
  state.token = null;
  expect((await failure(client.status())).unauthorized).toBe(true);
  expect(fetch).not.toHaveBeenCalled();
});

test('a problem gives its code, detail and wait', async () => {
  const { client } = setUp(() =>
    answer(
      429,
      { type: 'about:blank', title: 'Too many', status: 429, code: 'rate_limited', detail: 'Wait 3 s.' },
      { 'Retry-After': '3' },
    ),
  );
  const error = await failure(loginCalls(client).begin('codex', 'auth', {}));
  expect([error.kind, error.code, error.message, error.retryAfterMs]).toEqual(['problem', 'rate_limited', 'Wait 3 s.', 3000]);
});

test('no answer and an answer that is not JSON are told apart', async () => {
  const down = setUp(() => Promise.reject(new TypeError('failed to fetch')));
  expect((await failure(down.client.bootstrap())).kind).toBe('unreachable');
  const page = setUp(() => answer(200, '<!doctype html>'));
  expect((await failure(page.client.bootstrap())).kind).toBe('unexpected');
  const gateway = setUp(() => answer(502, '<html>bad gateway</html>'));
  const error = await failure(gateway.client.bootstrap());
  expect([error.kind, error.status, error.code]).toEqual(['problem', 502, 'http_502']);
});

test('a provider without a session has none', async () => {
  const { client } = setUp(() => answer(404, { code: 'not_found' }));
  expect(await loginCalls(client).lastSession('codex', 'auth')).toBeNull();
});

test('ids are escaped in paths', async () => {
  const { client, fetch } = setUp(() => answer(200, {}));
  await loginCalls(client).input('../x', 'a#b', false);
  expect(fetch.mock.calls[0]?.[0]).toBe('/api/providers/sessions/..%2Fx/input');
});

test('what is read waits for a Room that starts; what changes something is not sent twice', async () => {
  let asleep = 3;
  const fetch = vi.fn(async () => (asleep-- > 0 ? answer(503, 'starting') : answer(200, { version: '1' })));
  const again = vi.fn(async () => true);
  const heard: boolean[] = [];
  const client = createClient({
    fetch,
    credential: () => ({ id: 'T', bearer: 'T' }),
    onRefused: () => {},
    onAnswer: (is) => heard.push(is),
    again,
  });
  expect((await client.status()).version).toBe('1');
  expect([fetch.mock.calls.length, again.mock.calls.length, heard]).toEqual([4, 3, [true, true, true, false]]);
  asleep = 1;
  expect((await failure(client.ticket())).asleep).toBe(true);
  expect(again).toHaveBeenCalledTimes(3);
  asleep = 1;
  expect((await failure(client.verify(true))).asleep).toBe(true);
  expect(again).toHaveBeenCalledTimes(3);
});

test('a 503 of the Room itself is its answer', async () => {
  const client = createClient({
    fetch: async () => answer(503, { code: 'draining' }),
    credential: () => ({ id: 'T', bearer: 'T' }),
    onRefused: () => {},
    again: async () => {
      throw new Error('asked again');
    },
  });
  expect((await failure(client.status())).code).toBe('draining');
});

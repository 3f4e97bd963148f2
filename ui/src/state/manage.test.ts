import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type FetchInit } from '../api/client';
import type { ChannelHandler } from '../api/socket';
import { createManage } from './manage';
import { callbackStart, doubt, pasted } from './paste';
import { createProviders } from './providers';

type Answer = { status?: number; body?: unknown } | 'down';

const STATUS = { installed: true, connected: true, method: 'api_key' };
const KEY = { kind: 'api_key', last4: 'x7Qa', storage: 'memory', source: 'person', storedAt: '2026-11-20T10:00:00.000Z', checkedAt: null, valid: null };
const INSTALL = { sessionId: 'i1', kind: 'install', provider: 'codex', method: 'install', status: 'running', step: 'launching', active: true, lines: [] };

function setUp(answers: Record<string, Answer>) {
  const asked: [string, unknown][] = [];
  const channels = new Map<string, ChannelHandler>();
  const timers = { set: (action: () => void, ms: number) => setTimeout(action, ms), clear: (timer: unknown) => clearTimeout(timer as number), now: () => Date.now() };
  const client = createClient({
    fetch: async (path: string, init: FetchInit) => {
      const ask = `${init.method} ${path}`;
      asked.push([ask, init.body === undefined ? null : JSON.parse(init.body)]);
      const answer = answers[ask] ?? { status: 404, body: { code: 'not_found' } };
      if (answer === 'down') throw new TypeError('failed to fetch');
      return { status: answer.status ?? 200, headers: { get: () => null }, text: async () => JSON.stringify(answer.body ?? {}) };
    },
    credential: () => ({ id: 'T', bearer: 'T' }),
    onRefused: () => {},
  });
  const providers = createProviders(client, timers);
  const link = {
    subscribe: (channel: string, handlers: ChannelHandler) => {
      channels.set(channel, handlers);
      return () => void channels.delete(channel);
    },
  };
  const manage = createManage({ client, link, timers, providers, isLive: () => true });
  return { manage, providers, asked, channels, answers };
}

const READ = {
  'GET /api/providers': { body: { providers: [{ id: 'codex', name: 'Codex' }] } },
  'GET /api/providers/status': { body: { providers: { codex: { ...STATUS, apiKey: KEY } } } },
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('an install is followed on its own channel until it ends', async () => {
  const { manage, channels, asked } = setUp({ ...READ, 'POST /api/providers/codex/install': { body: { ok: true, reused: false, session: INSTALL } } });
  expect(await manage.installs.start('codex')).toBe(true);
  expect(asked[0]).toEqual(['POST /api/providers/codex/install', {}]);
  const channel = channels.get('provider-install:i1');
  channel?.event('provider_install:line', { sessionId: 'i1', lines: [{ id: 1, stream: 'room', text: 'Downloaded 1 of 2 MB.' }] });
  channel?.event('provider_install:status', { ...INSTALL, step: 'storing' });
  expect(manage.installs.slot('codex').login.value).toMatchObject({ reached: 2, view: { lines: [{ text: 'Downloaded 1 of 2 MB.' }] } });
  // A sign-in of the same provider is something else.
  expect(manage.logins.slot('codex').login.value).toBeNull();
  channel?.event('provider_install:status', { ...INSTALL, status: 'failed', active: false, failure: { code: 'integrity', title: 't', action: 'a' } });
  expect(manage.installs.slot('codex').login.value?.view.failure?.code).toBe('integrity');
  expect(channels.size).toBe(0);
});

test('what runs elsewhere is joined, an install as an install', async () => {
  const { manage, channels, asked } = setUp({ ...READ, 'GET /api/providers/sessions/i1': { body: { session: INSTALL } } });
  const row = { installed: false, connected: null, keyed: false, tooOld: false, error: null, liveSessionId: null, row: {} };
  manage.join({ codex: { ...row, installSessionId: 'i1' } });
  await vi.advanceTimersByTimeAsync(0);
  expect(asked[0]?.[0]).toBe('GET /api/providers/sessions/i1');
  expect([...channels.keys()]).toEqual(['provider-install:i1']);
  expect(manage.installs.slot('codex').login.value?.joined).toBe(true);
});

test('a key is given once, and what is known of it is asked for anew', async () => {
  const { manage, asked } = setUp({ ...READ, 'PUT /api/providers/codex/api-key': { body: { ok: true } } });
  expect(await manage.setKey('codex', 'sk-1', false)).toBeNull();
  expect(await manage.setKey('codex', 'sk-1', true)).toBeNull();
  expect(asked.filter(([ask]) => ask.startsWith('PUT')).map(([, body]) => body)).toEqual([{ key: 'sk-1' }, { key: 'sk-1', replace: true }]);
  expect(manage.statuses.value['codex']?.key).toMatchObject({ last4: 'x7Qa', storage: 'memory', injected: false });
  expect(JSON.stringify([manage.statuses.value, manage.outcomes.value])).not.toContain('sk-1');
});

test('a key that is refused says why, and nothing is asked again', async () => {
  const { manage, asked } = setUp({ 'PUT /api/providers/codex/api-key': { status: 422, body: { code: 'key_format', detail: 'No.' } } });
  expect(await manage.setKey('codex', 'x', false)).toMatchObject({ code: 'key_format', status: 422 });
  expect(asked).toHaveLength(1);
  const down = setUp({ 'PUT /api/providers/codex/api-key': 'down' });
  expect(await down.manage.setKey('codex', 'x', false)).toMatchObject({ kind: 'unreachable' });
});

test('a test of a key and its removal are told', async () => {
  const { manage, answers } = setUp({
    ...READ,
    'POST /api/providers/codex/verify': { body: { ok: true, key: { valid: false, detail: 'The vendor says no.' } } },
    'DELETE /api/providers/codex/api-key': { status: 409, body: { code: 'key_injected', detail: 'From the settings.' } },
  });
  await manage.check('codex');
  expect(manage.outcomes.value['codex']).toMatchObject({ kind: 'checked', connected: true, key: { valid: false, detail: 'The vendor says no.' } });
  await manage.removeKey('codex');
  expect(manage.outcomes.value['codex']).toMatchObject({ kind: 'error', error: { code: 'key_injected' } });
  answers['DELETE /api/providers/codex/api-key'] = { body: { ok: true, removed: true } };
  await manage.removeKey('codex');
  expect([manage.outcomes.value['codex']?.kind, manage.work.value['codex']]).toEqual(['key_removed', undefined]);
});

test('an e-mail address goes along with the next try of the same way, and no other', async () => {
  const session = { ...INSTALL, kind: 'auth', provider: 'claude', sessionId: 's1', active: false, status: 'failed' };
  const { manage, asked } = setUp({ ...READ, 'POST /api/providers/claude/connect': { body: { ok: true, session } } });
  await manage.logins.start('claude', { method: 'sso', email: 'ada@example.com' });
  await manage.logins.start('claude', { method: 'sso', renew: true });
  await manage.logins.start('claude', { method: 'console' });
  expect(asked.filter(([ask]) => ask.endsWith('/connect')).map(([, body]) => body)).toEqual([
    { method: 'sso', email: 'ada@example.com' },
    { method: 'sso', email: 'ada@example.com' },
    { method: 'console' },
  ]);
});

test('raw keys are marked as such', async () => {
  const view = { ...INSTALL, kind: 'auth', provider: 'codex', sessionId: 's1', acceptsRaw: true };
  const { manage, asked } = setUp({ ...READ, 'POST /api/providers/codex/connect': { body: { session: view } }, 'POST /api/providers/sessions/s1/input': {} });
  await manage.logins.start('codex');
  expect(manage.logins.slot('codex').login.value?.view.acceptsRaw).toBe(true);
  await manage.logins.input('codex', '', true);
  await manage.logins.input('codex', 'a#b');
  expect(asked.filter(([ask]) => ask.endsWith('/input')).map(([, body]) => body)).toEqual([{ text: '', raw: true }, { text: 'a#b' }]);
});

test('a pasted address is whole, local and has a code in it', () => {
  const good = 'http://127.0.0.1:1455/auth/callback?code=ac_1&state=s';
  expect(pasted(` ${good.slice(0, 20)}\n${good.slice(20)} `, 'pasted_callback')).toBe(good);
  expect(pasted(good.replace('http://', ''), 'pasted_callback')).toBe(good);
  // Of a code this would make code#state; an address stays one.
  expect(pasted(good, 'pasted_code')).toBe('ac_1#s');
  const why = (text: string) => doubt(text, 'pasted_callback');
  expect([why(''), why(good), why(good.replace('127.0.0.1', 'localhost')), why('http://127.0.0.1:1455/auth/callback?error=access_denied')]).toEqual([null, null, null, null]);
  expect([why('ac_1'), why('https://auth.openai.com/log-in?code=x'), why('http://127.0.0.1:1455/auth')]).toEqual(['no_address', 'not_local', 'no_code']);
});

test('where the last page begins stands in the link itself', () => {
  const link = (to: string) => `https://auth.openai.com/oauth/authorize?redirect_uri=${encodeURIComponent(to)}&state=s`;
  expect(callbackStart(link('http://localhost:1457/auth/callback'))).toBe('http://localhost:1457');
  expect([callbackStart(link('https://evil.example/cb')), callbackStart(null), callbackStart('nonsense')]).toEqual(Array.from({ length: 3 }, () => 'http://127.0.0.1'));
});

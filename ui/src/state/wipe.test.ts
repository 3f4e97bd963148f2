import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createClient } from '../api/client';
import { COUNTED, readWiped } from '../api/wipe';
import { confirms, createWipe } from './wipe';

const WIPED = JSON.parse(readFileSync(new URL('../../../tests/wire/wipe.json', import.meta.url), 'utf8')) as Record<string, unknown>;

function setUp(reply: { status?: number; body?: unknown } | 'down') {
  const asked: [string, string | undefined, number][] = [];
  const client = createClient({
    fetch: async (path, { method, body, timeoutMs }) => {
      asked.push([`${method} ${path}`, body, timeoutMs]);
      if (reply === 'down') throw new TypeError('failed to fetch');
      return { status: reply.status ?? 200, headers: { get: () => null }, text: async () => JSON.stringify(reply.body) };
    },
    credential: () => ({ id: '1', bearer: null }),
    onRefused: () => {},
  });
  return { wipe: createWipe(client, 'inst-4711'), asked };
}

test('the Room’s name or its id confirms, however a phone writes it, and nothing else', () => {
  for (const typed of ['Ada’s Room', " ada's  room ", 'ADA‘S ROOM', 'inst-4711', ' Inst-4711 '])
    expect(confirms(typed, 'Ada’s Room', 'inst-4711'), typed).toBe(true);
  for (const typed of ['', ' ', 'Ada', 'inst', 'inst-4711 Ada’s Room'])
    expect(confirms(typed, 'Ada’s Room', 'inst-4711'), typed).toBe(false);
  // What is not shown need not be typed.
  expect(confirms('Ada', 'A\u202Eda', 'i')).toBe(true);
  for (const name of [null, '', ' '])
    expect([confirms('', name, 'i'), confirms(' ', name, 'i'), confirms('i', name, 'i')]).toEqual([false, false, true]);
});

test('the id goes along, the Room has its time, and its answer is the proof', async () => {
  const { wipe, asked } = setUp({ body: WIPED });
  const run = wipe.run();
  expect(wipe.step.value.at).toBe('busy');
  await Promise.all([run, wipe.run()]);
  await wipe.run();
  expect(asked).toEqual([['POST /api/instance/wipe', '{"confirm":"inst-4711"}', 600_000]]);
  expect(wipe.step.value).toEqual({
    at: 'ended',
    proof: {
      ok: true,
      providers: [{ id: 'codex', ok: true, removed: ['~/.codex/auth.json'], detail: null }],
      left: { devices: 0, sessions: 0, keys: 0, credentials: 0, backups: 0 },
    },
  });
});

test('what stayed is told with the same proof', async () => {
  const providers = { codex: { ok: false, status: 'failed', removed: [], detail: 'A keyring holds it.' } };
  const { wipe } = setUp({ status: 409, body: { ...WIPED, ok: false, credentials: 1, providers } });
  await wipe.run();
  expect(wipe.step.value).toMatchObject({
    at: 'ended',
    proof: { ok: false, left: { credentials: 1 }, providers: [{ ok: false, detail: 'A keyring holds it.' }] },
  });
});

test.each(COUNTED)('a proof that leaves out %s, or counts one, proves nothing', (name) => {
  expect(readWiped({ ...WIPED, [name]: undefined })).toBeNull();
  expect(readWiped({ ...WIPED, [name]: 1 })?.ok).toBe(false);
});

test.each([
  [{ status: 400, body: { code: 'not_confirmed' } }, 'not_confirmed', false],
  [{ status: 403, body: { code: 'not_allowed' } }, 'not_allowed', false],
  [{ status: 409, body: { code: 'of_tomorrow' } }, 'of_tomorrow', false],
  [{ status: 429, body: { code: 'too_many_requests' } }, 'too_many_requests', false],
  [{ status: 500, body: { code: 'internal' } }, 'internal', true],
  [{ status: 502, body: 'a proxy' }, 'http_502', true],
  [{ status: 200, body: { ok: true } }, 'unexpected', true],
  ['down' as const, 'unreachable', true],
])('after %j one can go on', async (reply, code, unknown) => {
  const { wipe, asked } = setUp(reply);
  await wipe.run();
  expect(wipe.step.value).toMatchObject({ at: 'failed', error: { code }, unknown });
  await wipe.run();
  expect(asked).toHaveLength(2);
});

test('a sign-in that is gone when the answer comes may be gone with the wipe', async () => {
  const { wipe } = setUp({ status: 401, body: { code: 'sign_in_required' } });
  await wipe.run();
  expect(wipe.step.value).toMatchObject({ at: 'failed', unknown: true });
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readDevices, type Device } from '../api/access';
import { createClient, type FetchInit } from '../api/client';
import type { ChannelHandler } from '../api/socket';
import type { Verified } from '../api/wire';
import { createAccess, mayEnd, people } from './access';

const row = (id: string, subject: string, more: Record<string, unknown> = {}) => ({
  id,
  issuer: 'https://id',
  subject,
  name: null,
  role: 'member',
  device: `device ${id}`,
  pairedFrom: null,
  createdAt: '2026-11-20T10:00:00.000Z',
  lastUsedAt: '2026-11-20T10:00:00.000Z',
  expiresAt: null,
  current: false,
  ...more,
});
const devices = (...rows: unknown[]): Device[] => readDevices({ sessions: rows });
const who = (subject: string, role: string, manages = true): Verified => ({
  role,
  permissions: manages ? ['self', 'access.manage'] : ['self'],
  issuer: 'https://id',
  subject,
  name: null,
  device: null,
  expiresAt: null,
});

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function setUp(me: Verified) {
  const state = { rows: [row('a', 'ada', { current: true })] as unknown[], refuse: {} as Record<string, number>, live: true, hold: false };
  const held: (() => void)[] = [];
  const asked: string[] = [];
  const channels = new Map<string, ChannelHandler>();
  const client = createClient({
    fetch: async (path, init: FetchInit) => {
      asked.push(`${init.method} ${path}`);
      const id = path.split('/')[4];
      const rows = state.rows;
      if (state.hold) await new Promise<void>((resolve) => held.push(resolve));
      const status = id === undefined ? 200 : (state.refuse[id] ?? 200);
      if (init.method === 'DELETE' && status === 200) state.rows = state.rows.filter((one) => (one as { id: string }).id !== id);
      const body = path.endsWith('/pair')
        ? { code: 'ABCDE-FGHJK', url: 'https://room.example/#pair=x', expiresAt: '2026-11-20T10:03:00.000Z' }
        : { sessions: rows };
      return { status, headers: { get: () => null }, text: async () => JSON.stringify(status === 200 ? body : { code: 'refused' }) };
    },
    credential: () => ({ id: '1', bearer: null }),
    onRefused: () => {},
  });
  const access = createAccess({
    client,
    link: {
      subscribe: (name, handler) => {
        channels.set(name, handler);
        return () => channels.delete(name);
      },
    },
    timers: { set: (action, ms) => setTimeout(action, ms), clear: (timer) => clearTimeout(timer as number), now: () => Date.now() },
    me: () => me,
    isLive: () => state.live,
    visible: () => true,
  });
  const ids = () => access.devices.value?.map(({ id }) => id);
  return { access, asked, channels, state, held, ids, settle: () => vi.advanceTimersByTimeAsync(0) };
}

test('people come oneself first, then from the owner down; the own device on top', () => {
  const list = people(
    devices(
      row('1', 'vera', { role: 'viewer', name: 'Vera' }),
      row('2', 'ada', { role: 'owner', lastUsedAt: '2026-11-20T11:00:00.000Z' }),
      row('3', 'bob', { lastUsedAt: '2026-11-20T12:00:00.000Z' }),
      row('4', 'bob', { current: true, name: 'Bob' }),
      row('5', 'bob', { issuer: 'https://other' }),
    ),
    { issuer: 'https://id', subject: 'bob' },
  );
  expect(list.map(({ subject, self }) => [subject, self])).toEqual([
    ['bob', true],
    ['ada', false],
    ['bob', false],
    ['vera', false],
  ]);
  expect(list[0]?.devices.map(({ id }) => id)).toEqual(['4', '3']);
  expect(list[0]?.name).toBe('Bob');
});

test('nobody ends a device of someone above, and only managers end others’', () => {
  const person = (role: string, self = false) => ({ role, self });
  expect(mayEnd(who('x', 'admin'), person('owner'))).toBe(false);
  expect(mayEnd(who('x', 'admin'), person('admin'))).toBe(true);
  expect(mayEnd(who('x', 'owner'), person('owner'))).toBe(true);
  expect(mayEnd(who('x', 'member', false), person('viewer'))).toBe(false);
  expect(mayEnd(who('x', 'viewer', false), person('viewer', true))).toBe(true);
  expect(mayEnd(null, person('viewer', true))).toBe(false);
});

test('the channel keeps the list, and this device is still known in it', async () => {
  const { access, channels, asked, ids, settle } = setUp(who('ada', 'owner'));
  const close = access.open();
  await settle();
  channels.get('access')?.event('access:changed', { sessions: [row('b', 'bob'), row('a', 'ada')] });
  expect(access.devices.value?.map(({ id, current }) => [id, current])).toEqual([
    ['b', false],
    ['a', true],
  ]);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked).toEqual(['GET /api/access/sessions']);
  close();
  expect(channels.size).toBe(0);
  expect(ids()).toEqual(['b', 'a']);
});

test('a list that was asked for before the channel spoke changes nothing but which device is this one', async () => {
  const { access, channels, state, held, ids, settle } = setUp(who('ada', 'owner'));
  state.hold = true;
  access.open();
  await settle();
  channels.get('access')?.event('access:changed', { sessions: [row('a', 'ada'), row('new', 'ada')] });
  held.shift()?.();
  await settle();
  expect(ids()).toEqual(['a', 'new']);
  expect(access.devices.value?.find(({ id }) => id === 'a')?.current).toBe(true);
  // An answer to a question that came after it is news.
  state.rows = [row('a', 'ada')];
  void access.load();
  await settle();
  held.shift()?.();
  await settle();
  expect(ids()).toEqual(['a']);
});

test('a code that is made before the list is there takes no old device for the new one', async () => {
  const { access, state, settle } = setUp(who('ada', 'owner'));
  state.rows.push(row('old', 'ada', { pairedFrom: 'a' }));
  await access.pair();
  await settle();
  expect(access.pairing.value?.added).toBeNull();
});

test('without the channel the list is asked for, faster while a code is shown, and no more once left', async () => {
  const { access, channels, asked, settle } = setUp(who('ada', 'member', false));
  const close = access.open();
  await settle();
  expect(channels.size).toBe(0);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(asked.length).toBe(2);
  await access.pair();
  await vi.advanceTimersByTimeAsync(6_000);
  expect(asked.slice(3)).toEqual(Array.from({ length: 3 }, () => 'GET /api/access/sessions'));
  close();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked.length).toBe(6);
});

test('the device that a code let in is shown; others that come meanwhile are not taken for it', async () => {
  const { access, channels, settle } = setUp(who('ada', 'owner'));
  access.open();
  await settle();
  await access.pair();
  const tell = (...rows: unknown[]) => channels.get('access')?.event('access:changed', { sessions: [row('a', 'ada'), ...rows] });
  tell(row('b', 'bob', { pairedFrom: 'x' }), row('c', 'ada'));
  expect(access.pairing.value?.added).toBeNull();
  tell(row('d', 'ada', { pairedFrom: 'a' }));
  expect(access.pairing.value?.added?.id).toBe('d');
  access.stopPairing();
  expect(access.pairing.value).toBeNull();
});

test('what is gone already is ended, a refusal is told, and the rest still ends', async () => {
  const { access, state, ids, settle } = setUp(who('ada', 'owner'));
  state.rows.push(row('b', 'bob'), row('c', 'bob'), row('d', 'bob'));
  state.refuse = { b: 404, c: 403 };
  access.open();
  await settle();
  const failed = await access.end(['b', 'c', 'd']);
  expect(failed?.status).toBe(403);
  expect(ids()).toEqual(['a', 'b', 'c']);
  expect(access.ending.value.size).toBe(0);
});

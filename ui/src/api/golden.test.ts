// The messages as the server writes them: the same files that its own tests compare with.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { accessCalls, readDevices } from './access';
import { readEvent, readPage } from './activity';
import { ApiError, createClient } from './client';
import { loginCalls } from './login';
import * as wire from './wire';
import * as login from './wire-login';
import { readProvider, readStatus } from './wire-provider';

const FOLDER = new URL('../../../tests/wire/', import.meta.url);

function golden(name: string): string {
  return readFileSync(new URL(`${name}.json`, FOLDER), 'utf8');
}

function json(name: string): unknown {
  return JSON.parse(golden(name));
}

/** A client whose every request is answered with one file. */
function answering(name: string, status = 200) {
  return createClient({
    fetch: async () => ({ status, headers: { get: () => null }, text: async () => golden(name) }),
    credential: () => ({ id: 'T', bearer: 'T' }),
    onRefused: () => {},
  });
}

test('every field of a session is read', () => {
  const view = login.readSession(json('session'));
  expect(view).toMatchObject({
    sessionId: '0f8fad5b-d9cb-469f-a165-70867728950e',
    provider: 'claude',
    method: 'subscription',
    status: 'running',
    step: 'awaiting_input',
    awaitingInput: true,
    startedBy: 'owner (browser)',
    active: true,
    droppedLines: 3,
    verificationUrl: 'https://claude.com/cai/oauth/authorize?code=true&state=s',
  });
  expect(view?.deadline).toBe(Date.parse('2026-11-20T12:15:00.250Z'));
  expect(view?.lines.map((line) => [line.id, line.stream])).toEqual([
    [4, 'terminal'],
    [5, 'room'],
  ]);
});

test('a held-up, a failed, a forgotten and no session', () => {
  expect(login.readSession(json('session-held-up'))).toMatchObject({ active: true, notice: { code: 'unrecognised' }, failure: null });
  expect(login.readSession(json('session-failed'))).toMatchObject({ active: false, notice: null, failure: { code: expect.any(String) } });
  expect(login.readSession(json('session-restarted'))).toMatchObject({ active: false, failure: { code: 'server_restarted' } });
  expect(login.readSession(json('session-none'))).toBeNull();
});

function codexIn(name: string) {
  const head = wire.readStatuses(json(name))['codex'];
  if (head === undefined) throw new Error(`${name} tells of codex`);
  return readStatus(head);
}

test('an install is a session too', () => {
  const view = login.readSession(json('session-install'));
  expect(view).toMatchObject({ method: 'install', step: 'launching', active: true, acceptsRaw: false, verificationUrl: null });
  expect(view?.lines.at(-1)?.text).toMatch(/^Downloaded 40 of 98 MB/u);
});

test('the table and the statuses are read', () => {
  const rows = wire.readProviders(json('providers')).map(readProvider);
  expect(rows.map((row) => row.id)).toEqual(['codex', 'claude']);
  for (const row of rows) {
    expect(row.hosts.length).toBeGreaterThan(0);
    expect(row.removes.length).toBeGreaterThan(0);
    expect(row.install.command).toMatch(/^npm /u);
    expect(row.methods.some((method) => method.primary)).toBe(true);
    expect(row.keys.length).toBeGreaterThan(0);
    for (const key of row.keys) expect(key.format).toMatch(/^sk-.*…$/u);
    expect(row.install).toMatchObject({ version: expect.any(String), byRoom: true });
    expect(row.optional).toBe(false);
    for (const method of row.methods) expect(['device_code', 'pasted_code', 'pasted_callback']).toContain(method.kind);
  }
  const ways = rows.flatMap((row) => row.methods);
  expect(ways.filter((method) => method.yieldsToken).map((method) => method.id)).toEqual(['setup_token']);
  expect(ways.filter((method) => method.takesEmail).map((method) => method.id)).toContain('sso');
  expect(codexIn('providers-status')).toMatchObject({
    keyed: true,
    tooOld: false,
    updateAvailable: true,
    expiresAt: Date.parse('2026-11-21T12:00:00.250Z'),
    key: { kind: 'api_key', last4: '3f9a', storage: 'sealed', injected: false, valid: true, checkedAt: expect.any(Number), storedAt: expect.any(Number) },
    connected: true,
    account: 'a…@example.com',
    liveSessionId: '0f8fad5b-d9cb-469f-a165-70867728950e',
  });
  expect(codexIn('providers-status-reader')).toMatchObject({ key: null, installSessionId: null, account: null, liveSessionId: null });
});

test('the answers of the Room about itself are read', () => {
  expect(wire.readBootstrap(json('bootstrap'))).toMatchObject({ mode: 'local', auth: ['code'] });
  expect(wire.readVerified(json('verify'))).toMatchObject({ role: 'owner', expiresAt: expect.any(Number) });
  const status = wire.readRoomStatus(json('status'));
  expect(status).toMatchObject({ version: '0.1.0', mode: 'local', dataDir: '/home/ada/.room' });
  expect(status.startedAt).toBe(Date.parse('2026-11-20T12:00:00.250Z'));
});

test('what only a hosted Room says is read', async () => {
  const bootstrap = { mode: 'cloud', auth: ['token', 'pair', 'cloudflare'], controlPlaneUrl: 'https://cloud.example', instanceId: 'i-1' };
  expect(wire.readBootstrap(json('bootstrap-cloud'))).toMatchObject(bootstrap);
  const ada = { role: 'admin', issuer: 'https://id.example', subject: 'u-7', name: 'Ada', device: "Ada's phone" };
  expect(wire.readVerified(json('verify-cloud'))).toMatchObject({ ...ada, expiresAt: Date.parse('2026-11-21T12:00:00.250Z') });
  const keys = [{ issuer: 'https://id.example', state: 'degraded' }];
  expect(wire.readRoomStatus(json('status-cloud'))).toMatchObject({ mode: 'cloud', goal: 'Ship the parser', region: 'ams', plan: 'small', keys });
  const { device: _device, ...person } = ada;
  const [device] = readDevices(json('access-sessions'));
  expect(device).toMatchObject({ ...person, current: true, pairedFrom: '7c9e6679-7425-40de-944b-e07fc1f90ae7', lastUsedAt: expect.any(Number) });
  const event = wire.readMessage(golden('ws-access'));
  if (event?.type !== 'event') throw new Error('ws-access is an event');
  expect(readDevices(event.data)).toEqual([{ ...device, current: false }]);
  const pairing = { code: 'ABCDE-FGHJK', url: 'https://room.example/#pair=S', expiresAt: expect.any(Number) };
  expect(await accessCalls(answering('pair')).pair()).toMatchObject(pairing);
});

test('the answers to what a person does are read', async () => {
  expect(await answering('handshake').handshake('c')).toBe('T');
  expect(await answering('ws-ticket').ticket()).toBe('T');
  expect(await loginCalls(answering('connect')).begin('claude', 'auth', {})).toMatchObject({ reused: true, session: { step: 'awaiting_input' } });
  expect(await loginCalls(answering('provider-verify')).check('codex')).toEqual({ valid: true, detail: expect.any(String) });
  expect(await loginCalls(answering('provider-key-removed')).removeKey('codex')).toBe(true);
  await loginCalls(answering('provider-key-set')).setKey('codex', 'sk-', false);
  expect((await loginCalls(answering('disconnect')).disconnect('codex')).removed).toContain('~/.codex/auth.json');
  expect(await loginCalls(answering('disconnect-failed')).disconnect('codex')).toMatchObject({ ok: false, reason: expect.any(String) });
});

test('problems give their code and words', async () => {
  const failed = async (name: string, status: number) =>
    loginCalls(answering(name, status))
      .begin('codex', 'auth', {})
      .catch((error: unknown) => error as ApiError);
  expect(await failed('problem-not-installed', 409)).toMatchObject({ code: 'not_installed', message: expect.stringContaining('npm') });
  expect(await failed('problem-sign-in', 401)).toMatchObject({ unauthorized: true });
});

test('socket messages are read', () => {
  expect(wire.readMessage(golden('ws-hello'))).toMatchObject({ type: 'hello', boot: 'r1', build: 'b1', now: expect.any(Number) });
  expect(wire.readMessage(golden('ws-subscribed'))).toEqual({ type: 'subscribed', channels: ['providers'], denied: ['x'] });
  expect(wire.readMessage(golden('ws-pong'))).toEqual({ type: 'pong' });
  expect(wire.readMessage(golden('ws-gap'))).toMatchObject({ type: 'gap' });
  expect(wire.readMessage(golden('ws-auth-expiring'))).toMatchObject({ type: 'auth_expiring', at: expect.any(Number) });
  expect(wire.readMessage(golden('ws-error'))).toMatchObject({ type: 'error', code: 'unknown_type' });
  const event = (name: string) => {
    const message = wire.readMessage(golden(name));
    if (message?.type !== 'event') throw new Error(`${name} is an event`);
    return message;
  };
  expect(login.readLinesEvent(event('ws-line').data)?.lines).toHaveLength(2);
  expect(login.readSession(event('ws-snapshot').data)?.lines).toHaveLength(2);
  expect(login.readSession(event('ws-status').data)).toMatchObject({ awaitingInput: true, lines: [] });
  expect(event('ws-provider').name).toBe('providers:auth_status');
});

test('the activity log is read', () => {
  const page = readPage(json('activity'));
  expect(page.more).toBe(true);
  expect(page.events.map(({ seq, action, outcome, intent, actor, count }) => [seq, action, outcome, intent, actor?.name, count])).toEqual([
    [7, 'instance.start', 'ok', null, undefined, null],
    [8, 'access.refused', 'refused', null, null, 41],
    [10, 'provider.connect', 'ok', 9, 'Ada', null],
    [11, 'provider.finished', 'failed', null, undefined, null],
  ]);
  expect(page.events[2]).toMatchObject({ target: 'codex', detail: { method: 'device', status: 'starting' }, at: Date.parse('2026-11-20T12:00:09.250Z') });
  for (const name of ['ws-activity-intent', 'ws-activity']) {
    const message = wire.readMessage(golden(name));
    if (message?.type !== 'event') throw new Error(`${name} is an event`);
    expect([message.name, message.channel]).toEqual(['activity:event', 'activity']);
    expect(readEvent(message.data)).toMatchObject({ action: 'provider.connect', actor: { device: 'Ada\'s phone' } });
  }
});

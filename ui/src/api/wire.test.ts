import { expect, test } from 'vitest';
import * as wire from './wire';
import * as login from './wire-login';
import { readDisconnected, readProvider } from './wire-provider';

const VIEW = {
  sessionId: 's1',
  kind: 'login',
  provider: 'codex',
  method: 'device',
  status: 'running',
  step: 'awaiting_approval',
  startedAt: '2026-11-20T10:00:00.000Z',
  deadline: '2026-11-20T10:15:00.000Z',
  verificationUrl: 'https://auth.openai.com/codex/device',
  deviceCode: 'CZ6N-DCWVI',
  awaitingInput: false,
  failure: null,
  active: true,
  lines: [{ id: 7, stream: 'stdout', text: 'hello', timestamp: '2026-11-20T10:00:00.000Z' }],
};

test('a session is read bare and wrapped', () => {
  const bare = login.readSession(VIEW);
  expect(bare).toEqual(login.readSession({ ok: true, session: VIEW }));
  expect(bare?.deadline).toBe(Date.parse('2026-11-20T10:15:00.000Z'));
  expect(bare?.lines).toEqual([{ id: 7, stream: 'stdout', text: 'hello' }]);
});

test('what is missing or mistyped becomes neutral', () => {
  const view = login.readSession({ sessionId: 's', status: 7, step: 4, deadline: 'soon', lines: 'no', failure: 'x' });
  expect(view).toMatchObject({ status: 'running', step: 'launching', deadline: null, lines: [], failure: null, active: true });
  expect(login.readSession(null)).toBeNull();
  expect(login.readSession({ session: null })).toBeNull();
});

test('a provider row is read with its words', () => {
  const [head] = wire.readProviders({
    providers: [
      {
        id: 'codex',
        name: 'Codex',
        plans: ['ChatGPT Plus', 'Pro'],
        prerequisite: { text: 'Turn it on', url: 'https://chatgpt.com' },
        methods: [
          { id: 'device', label: 'Device code', kind: 'device_code', steps: [{ text: 'one' }, 'two'], primary: true },
          {},
        ],
        hosts: ['Auth.OpenAI.com'],
        removes: ['~/.codex/auth.json'],
        install: { command: 'npm i -g @openai/codex' },
        colour: 'ignored',
      },
      { name: 'without id' },
    ],
  });
  const row = head && readProvider(head);
  expect(row).toMatchObject({
    id: 'codex',
    plans: 'ChatGPT Plus, Pro',
    hosts: ['auth.openai.com'],
    install: { command: 'npm i -g @openai/codex', version: null, byRoom: false },
  });
  expect(row?.methods).toEqual([
    { id: 'device', label: 'Device code', kind: 'device_code', steps: ['one', 'two'], primary: true, note: null, takesEmail: false, yieldsToken: false },
  ]);
});

test('a live session in the status is an id, a view, or absent', () => {
  const of = (authSession: unknown) => wire.readStatuses({ providers: { codex: { authSession } } })['codex']?.liveSessionId;
  expect(of('s1')).toBe('s1');
  expect(of(VIEW)).toBe('s1');
  expect(of({ ...VIEW, status: 'completed', active: false })).toBeNull();
  expect(of(null)).toBeNull();
});

test('a disconnect counts only when the server checked it', () => {
  expect(readDisconnected({ ok: true, status: 'disconnected', removed: ['a'] }).ok).toBe(true);
  expect(readDisconnected({ ok: true, status: 'failed', removed: [] }).ok).toBe(false);
});

test('events need a channel and a position', () => {
  expect(wire.readMessage('{"type":"x","channel":"c","seq":3,"data":1}')).toEqual({
    type: 'event',
    name: 'x',
    channel: 'c',
    seq: 3,
    data: 1,
  });
  expect(wire.readMessage('{"type":"x","channel":"c"}')).toEqual({ type: 'other' });
  expect(wire.readMessage('{')).toBeNull();
  expect(wire.readMessage('{"no":"type"}')).toBeNull();
});

test('the start of the Room comes from its uptime in seconds', () => {
  const status = wire.readRoomStatus({ uptime: 60, generatedAt: '2026-11-20T10:01:00.000Z' });
  expect(status.startedAt).toBe(Date.parse('2026-11-20T10:00:00.000Z'));
});

test('what holds a live sign-in up is told apart from how it failed', () => {
  const reason = { code: 'no_answer', title: 'No link yet.', action: 'Wait.' };
  expect(login.readSession({ ...VIEW, notice: reason })).toMatchObject({ notice: reason, failure: null });
  expect(login.readSession({ ...VIEW, failure: reason })).toMatchObject({ notice: reason, failure: null });
  expect(login.readSession({ ...VIEW, status: 'failed', active: false, failure: reason })).toMatchObject({
    notice: null,
    failure: reason,
  });
});

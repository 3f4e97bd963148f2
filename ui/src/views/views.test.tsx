// @vitest-environment happy-dom
import { render, type ComponentChildren } from 'preact';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readEvent, type Event } from '../api/activity';
import { readProviders } from '../api/wire';
import { readProvider, type Provider } from '../api/wire-provider';
import { readSession, type SessionView } from '../api/wire-login';
import { createRoom } from '../state/room';
import { begin } from '../state/session';
import { safeStorage } from '../state/storage';
import { trustedUrl } from '../state/address';
import { w } from '../text/ended';
import { sentenceOf, toneOf, whoOf } from './activity';
import { CodeCard, LinkCard, PhoneCard } from './approve';
import { provideRoom } from './context';
import { Ended } from './ended';
import { qrPath } from './qr';
import { parse } from './router';

let host: HTMLElement;

beforeEach(async () => {
  host = document.createElement('div');
  document.body.append(host);
  const room = createRoom({
    fetch: () => Promise.reject(new TypeError('no network here')),
    openSocket: () => ({ readyState: 0, send: () => {}, close: () => {} }),
    timers: { set: () => null, clear: () => {}, now: () => 0 },
    random: () => 0,
    storage: safeStorage(() => null),
    build: 'test',
    greeted: () => {},
    hosted: false,
    device: () => ['', 0],
    elsewhere: async () => null,
  });
  await room.openManage();
  provideRoom(room);
});
afterEach(() => {
  render(null, host);
  host.remove();
});

function draw(children: ComponentChildren): HTMLElement {
  render(children, host);
  return host;
}

function provider(): Provider {
  const [row] = readProviders({
    providers: [
      {
        id: 'codex',
        name: 'Codex',
        prerequisite: { text: 'Turn it on', url: 'https://chatgpt.com/#settings' },
        methods: [{ id: 'device', label: 'Device', kind: 'device_code', primary: true }],
        hosts: ['auth.openai.com'],
        install: { command: 'npm install -g @openai/codex' },
      },
    ],
  });
  if (row === undefined) throw new Error('the row has an id');
  return readProvider(row);
}

function view(more: Record<string, unknown>): SessionView {
  const read = readSession({ sessionId: 's', provider: 'codex', method: 'device', status: 'running', active: true, ...more });
  if (read === null) throw new Error('the view has an id');
  return read;
}

const CODES = [
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
  'server_restarted',
  'cannot_store',
  'policy',
  'unrecognised',
];

test.each([...CODES, 'of_tomorrow'])('the failure %s has words, a button and its code', (code) => {
  const login = begin(view({ status: 'failed', active: false, failure: { code, title: '', action: '' } }), false);
  const page = draw(<Ended provider={provider()} login={login} phase="failed" kind="device_code" />);
  expect(page.querySelector('h2')?.textContent?.length).toBeGreaterThan(10);
  expect(page.querySelectorAll('button, a').length).toBeGreaterThan(0);
  expect(page.textContent).toContain(`Code: ${code}`);
});

test('every failure the Room can send has words of its own', () => {
  for (const code of CODES) expect(Object.keys(w.failures), code).toContain(code);
});

test('the Room’s own sentence stands above ours, without what deceives', () => {
  const failure = { code: 'network', title: 'Your Room could not reach OpenAI.\u202E', action: 'Check it.' };
  const login = begin(view({ status: 'failed', active: false, failure }), false);
  const page = draw(<Ended provider={provider()} login={login} phase="failed" kind="device_code" />);
  expect(page.querySelector('h2')?.textContent).toBe('Your Room could not reach OpenAI.');
});

test.each(['http://auth.openai.com/x', 'https://evil.example/x', 'javascript:alert(1)'])(
  'the address %s is text and never a link',
  (address) => {
    const session = view({ deviceCode: 'AAAA-BBBB', verificationUrl: address });
    const url = trustedUrl(address, provider().hosts);
    const page = draw(<CodeCard view={session} code="AAAA-BBBB" url={url} left={60} />);
    expect(page.querySelector('a')).toBeNull();
    expect(page.textContent).toContain(address);
    draw(<LinkCard view={session} url={url} left={60} kind="paste" />);
    expect(page.querySelector('a')).toBeNull();
  },
);

test('a link is sent to a phone where the browser can, and nothing offers it elsewhere', () => {
  const url = new URL('https://claude.com/cai/oauth/authorize?code=true');
  const card = () => draw(<PhoneCard url={url} code={null} />);
  expect(card().querySelector('[data-testid=send-link]')).toBeNull();
  const sent: unknown[] = [];
  Object.defineProperty(navigator, 'share', {
    configurable: true,
    value: async (what: unknown) => {
      sent.push(what);
      throw new DOMException('closed', 'AbortError');
    },
  });
  render(null, host);
  card().querySelector<HTMLButtonElement>('[data-testid=send-link]')?.click();
  expect(sent).toEqual([{ url: url.href }]);
  Reflect.deleteProperty(navigator, 'share');
});

test('a code without an address is still a code', () => {
  const page = draw(<CodeCard view={view({ deviceCode: 'AAAA-BBBB' })} code="AAAA-BBBB" url={null} left={null} />);
  expect(page.querySelector('button.code')?.textContent).toBe('Copy code AAAA-BBBB');
  expect(page.querySelector('[data-testid=countdown]')).toBeNull();
});

test('the last two minutes look different', () => {
  const at = (left: number) => {
    const page = draw(<CodeCard view={view({})} code="A" url={null} left={left} />);
    return page.querySelector('[data-testid=countdown]')?.className;
  };
  expect([at(120), at(119)]).toEqual(['time', 'time short']);
});

test('a QR code of a long link fits and covers its modules once', () => {
  const { path, size } = qrPath(`https://claude.com/cai/oauth/authorize?${'x'.repeat(480)}`);
  expect(size).toBeGreaterThan(60);
  const rows = path.match(/M\d+ \d+h\d+v1h-\d+z/gu) ?? [];
  expect(rows.join('')).toBe(path);
  // The finder in the corner: seven dark modules, then a light one.
  expect(path.startsWith('M0 0h7v1h-7z')).toBe(true);
});

test.each([
  ['/', { page: 'overview' }],
  ['/providers', { page: 'providers' }],
  ['/providers/', { page: 'providers' }],
  ['/providers/claude%20x/connect', { page: 'login', provider: 'claude x' }],
  ['/providers/%zz/connect', { page: 'unknown' }],
  ['/providers/codex', { page: 'unknown' }],
  ['/access', { page: 'access' }],
  ['/activity', { page: 'activity' }],
  ['/settings/x', { page: 'unknown' }],
])('the address %s is a page', (path, route) => {
  expect(parse(path)).toEqual(route);
});

const ACTIONS = [
  'access.sign_in access.sign_out access.pair access.redeem access.end_session access.revoke access.backchannel_logout access.refused',
  'provider.connect provider.input provider.cancel provider.disconnect provider.verify provider.finished provider.answer provider.install provider.installed provider.set_key provider.remove_key',
  'instance.start instance.stop instance.backup instance.wipe instance.keys',
]
  .join(' ')
  .split(' ');

test.each(ACTIONS)('%s has a sentence for every outcome', (action) => {
  const said = ['intent', 'ok', 'refused', 'failed', 'unknown'].map((outcome) =>
    sentenceOf(happened({ action, outcome, target: 'codex' }), 'Codex'),
  );
  for (const sentence of said) {
    expect(sentence).toMatch(/^[A-Z]/u);
    expect(sentence).not.toContain(action);
  }
});

test('an event says why, how often, and nothing twice', () => {
  const refused = { action: 'access.refused', outcome: 'refused', detail: { reason: 'code_unknown', count: 1041 } };
  expect(sentenceOf(happened(refused), '')).toBe('Sign-ins refused, 1,041 times: unknown code');
  const canceled = { action: 'provider.finished', outcome: 'failed', detail: { status: 'canceled', reason: 'canceled' } };
  expect(sentenceOf(happened(canceled), 'Codex')).toBe('Codex sign-in ended, cancelled');
  expect(toneOf(happened(canceled))).toBe('off');
  const future = { action: 'moon.landed', outcome: 'ok', detail: { reason: 'of_tomorrow' } };
  expect(sentenceOf(happened(future), '')).toBe('moon.landed: of_tomorrow');
});

test('who did it is told as far as it is known', () => {
  const by = (actor: unknown) => whoOf(happened({ action: 'a.b', actor }).actor);
  expect(by(null)).toBe('The Room itself');
  expect(by({ name: 'Ada', device: 'iPhone', role: 'owner' })).toBe('Ada, iPhone');
  expect(by({ issuer: 'room:local', subject: 'owner', device: 'browser' })).toBe('Owner, browser');
  expect(by({ issuer: 'https://id', subject: 'u-7' })).toBe('u-7');
  expect(by({ address: '203.0.113.0/24' })).toBe('Someone not signed in, 203.0.113.0/24');
  expect(by({ issuer: 'https://id', subject: 'svc', role: 'control' })).toBe('Control plane');
  expect(by({ name: 'A\u202Eda' })).toBe('Ada');
});

function happened(more: Record<string, unknown>): Event {
  const event = readEvent({ seq: 1, at: '2026-11-20T10:00:00.000Z', outcome: 'ok', ...more });
  if (event === null) throw new Error('the event has a number');
  return event;
}

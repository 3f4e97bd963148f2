// The fake Room's providers: scripted sign-ins, installs and keys.

import { randomBytes, randomUUID } from 'node:crypto';
import { GH, iso, status, storedKey, TABLE } from './fake-table.mjs';

const FAILURES_AT_START = new Set([
  'network',
  'program_died',
  'launch_failed',
  'policy',
  'cannot_store',
  'unrecognised',
  'rate_limited',
  'not_signed_in',
  'server_restarted',
  'device_codes_off',
  'too_old',
  'brand_new',
]);

const COMMANDS = { device: 'codex login --device-auth', browser: 'codex login', setup_token: 'claude setup-token', sso: 'claude auth login --sso' };

/** `publish(channel, type, data)` tells the sockets, `note` writes the log. */
export function createFakeProviders({ script, publish, note }) {
  const statuses = { codex: status({ version: '0.169.0' }), claude: status({ version: '2.1.329' }) };
  const sessions = new Map();
  /** The last session of each provider and kind: `codex auth`. */
  const last = {};
  const table = () => (statuses.gh === undefined ? TABLE : [...TABLE, GH]);
  const lastOf = (provider, kind = 'auth') => sessions.get(last[`${provider} ${kind}`]);

  function open(provider, kind, method) {
    const now = Date.now();
    const view = {
      sessionId: randomUUID(),
      kind,
      provider,
      method,
      status: 'starting',
      step: 'launching',
      command: kind === 'install' ? '' : (COMMANDS[method] ?? 'claude auth login --claudeai'),
      startedAt: iso(now),
      updatedAt: iso(now),
      endedAt: null,
      deadline: iso(now + script.seconds * 1000),
      exitCode: null,
      verificationUrl: null,
      deviceCode: null,
      awaitingInput: false,
      acceptsRaw: false,
      inputHint: null,
      failure: null,
      notice: null,
      startedBy: 'this computer',
      active: true,
      lines: [],
    };
    const session = { view, timers: [], lineId: 0, channel: `provider-${kind}:${view.sessionId}` };
    sessions.set(view.sessionId, session);
    last[`${provider} ${kind}`] = view.sessionId;
    statuses[provider][kind === 'auth' ? 'authSession' : 'installSession'] = view.sessionId;
    publish('providers', 'providers:auth_status', { provider, sessionId: view.sessionId });
    return session;
  }

  function begin(provider, method, email) {
    const session = open(provider, 'auth', method);
    session.email = email;
    const kind = script[provider];
    if (kind === 'silent') {
      later(session, 400, () =>
        change(session, {
          status: 'running',
          acceptsRaw: true,
          notice: {
            code: 'no_answer',
            title: 'Codex has not shown a sign-in link yet.',
            action: 'Wait a little longer, or cancel and try again.',
          },
        }),
      );
    } else if (kind === 'asks') {
      later(session, 300, () => {
        print(session, ['A new way to sign in is here.', '', '  1. Use your browser', '  2. Use a security key', '', 'Your choice [1]:']);
        change(session, {
          status: 'running',
          acceptsRaw: true,
          notice: {
            code: 'unrecognised',
            title: 'Codex asks something Room does not know.',
            action: 'Look at the live output for what the program asks.',
          },
        });
      });
    } else if (FAILURES_AT_START.has(kind)) {
      later(session, 300, () => {
        print(session, [`Error logging in: ${kind}`]);
        end(session, 'failed', kind, 1);
      });
    } else if (method === 'browser') callback(session);
    else if (provider === 'claude') claude(session);
    else device(session, kind);
    return session.view;
  }

  function device(session, kind) {
    later(session, 300, () => {
      const gh = session.view.provider === 'gh';
      if (gh) print(session, ['! First copy your one-time code: WDJB-MJHT']);
      else
        print(session, [
          'Welcome to Codex [v0.169.0]',
          "OpenAI's command-line coding agent",
          '',
          'Follow these steps to sign in with ChatGPT using device code authorization:',
          '',
          '1. Open this link in your browser and sign in to your account',
          '   https://auth.openai.com/codex/device',
          '',
          '2. Enter this one-time code (expires in 15 minutes)',
          '   CZ6N-DCWVI',
        ]);
      const strange = 'https://auth.openai.com.evil.example/codex/device';
      change(session, {
        status: 'running',
        step: 'awaiting_approval',
        deviceCode: gh ? 'WDJB-MJHT' : 'CZ6N-DCWVI',
        verificationUrl: kind === 'strange' ? strange : gh ? 'https://github.com/login/device' : 'https://auth.openai.com/codex/device',
      });
    });
  }

  function callback(session) {
    session.state = randomBytes(24).toString('base64url');
    const url = `https://auth.openai.com/oauth/authorize?response_type=code&client_id=app_EMoamEEZ73f0CkXaXp7hrann&redirect_uri=http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback&scope=openid+profile+email+offline_access&code_challenge=${randomBytes(32).toString('base64url')}&code_challenge_method=S256&state=${session.state}`;
    later(session, 300, () => {
      print(session, ['Starting local login server on http://localhost:1455.', 'If your browser did not open, navigate to this URL to authenticate:', '', url]);
      change(session, { status: 'running', step: 'awaiting_input', verificationUrl: url, awaitingInput: true });
    });
  }

  function claude(session) {
    const state = randomBytes(32).toString('base64url');
    const url = `https://claude.com/cai/oauth/authorize?code=true&client_id=9d1c250a-e61b-44d9-88ed-5944d1962f5e&response_type=code&redirect_uri=https%3A%2F%2Fplatform.claude.com%2Foauth%2Fcode%2Fcallback&scope=org%3Acreate_api_key+user%3Aprofile+user%3Ainference+user%3Asessions%3Aclaude_code+user%3Amcp_servers+user%3Afile_upload&code_challenge=${randomBytes(32).toString('base64url')}&code_challenge_method=S256&state=${state}`;
    later(session, 300, () => {
      print(session, ['Opening browser to sign in…', `If the browser didn't open, visit: ${url}`, 'Paste code here if prompted >']);
      change(session, { status: 'running', step: 'awaiting_input', verificationUrl: url, awaitingInput: true });
    });
  }

  /** What happens once the person has approved; asked for by `POST /fake {"approve": "codex"}`. */
  function finish(session) {
    const { provider, method } = session.view;
    change(session, { step: 'storing', awaitingInput: false });
    later(session, 400, () => {
      print(session, [method === 'setup_token' ? 'Your token: [masked]' : 'Successfully logged in']);
      change(session, { step: 'verifying' });
    });
    later(session, 900, () => {
      if (method === 'setup_token') {
        const key = storedKey('token', 'sk-ant-oat01-0000-yT3w', script.storage ?? 'sealed');
        Object.assign(statuses[provider], { connected: true, method: 'oauth_token', apiKey: key });
      } else
        Object.assign(statuses[provider], {
          connected: true,
          method: { codex: 'chatgpt', claude: 'claude.ai' }[provider] ?? null,
          account: 'an…@example.com',
          plan: { codex: 'Plus', claude: 'Pro' }[provider] ?? null,
          checkedAt: iso(Date.now()),
        });
      end(session, 'completed', null, 0);
    });
  }

  function install(provider) {
    const current = lastOf(provider, 'install');
    if (current?.view.active) return { reused: true, view: current.view };
    const session = open(provider, 'install', 'install');
    const how = script.install ?? 'ok';
    later(session, 200, () => {
      change(session, { status: 'running' });
      print(session, ['Downloading @openai/codex 0.169.0']);
    });
    for (const [index, done] of [12, 40, 67, 98].entries())
      later(session, 400 + index * 250, () => print(session, [`Downloaded ${done} of 98 MB`]));
    if (how !== 'ok')
      later(session, 1100, () => {
        print(session, [`It failed: ${how}`]);
        end(session, 'failed', how, null);
      });
    later(session, 1400, () => {
      print(session, ['Unpacking']);
      change(session, { step: 'storing' });
    });
    later(session, 1800, () => change(session, { step: 'verifying' }));
    later(session, 2200, () => {
      const version = table().find((row) => row.id === provider).install.version;
      Object.assign(statuses[provider], { installed: true, version, versionNote: null, tooOld: false, updateAvailable: false });
      print(session, [`${provider} ${version}`]);
      end(session, 'completed', null, 0);
    });
    return { reused: false, view: session.view };
  }

  function later(session, delayMs, action) {
    session.timers.push(
      setTimeout(() => {
        if (session.view.active) action();
      }, delayMs * script.pace),
    );
  }

  function print(session, texts) {
    const lines = texts.map((text) => ({ id: (session.lineId += 1), stream: 'terminal', text, timestamp: iso(Date.now()) }));
    session.view.lines.push(...lines);
    const { sessionId, deviceCode, verificationUrl } = session.view;
    publish(session.channel, 'provider_auth:line', { sessionId, lines, deviceCode, verificationUrl });
  }

  function change(session, more) {
    Object.assign(session.view, more, { updatedAt: iso(Date.now()) });
    const { lines: _, ...view } = session.view;
    publish(session.channel, 'provider_auth:status', view);
  }

  function end(session, how, code, exitCode) {
    for (const timer of session.timers) clearTimeout(timer);
    const { provider, kind, method } = session.view;
    statuses[provider][kind === 'auth' ? 'authSession' : 'installSession'] = null;
    change(session, {
      status: how,
      step: 'done',
      active: false,
      acceptsRaw: false,
      awaitingInput: false,
      endedAt: iso(Date.now()),
      exitCode,
      notice: null,
      failure: code === null ? null : { code, title: '', action: '' },
    });
    publish('providers', 'providers:auth_status', { provider });
    const detail = { method, status: how, ...(code === null ? {} : { reason: code }) };
    note(kind === 'auth' ? 'provider.finished' : 'provider.installed', how === 'completed' ? 'ok' : 'failed', null, { fields: { target: provider, detail } });
  }

  /** What a paste or typed keys lead to: an error as `[status, code, detail]`, or null. */
  function input(session, { text, raw }) {
    const { view } = session;
    if (raw) {
      if (!view.acceptsRaw) return [409, 'not_stuck', 'Room understands what the program asks.'];
      print(session, [`> ${text}`]);
      change(session, { acceptsRaw: false, notice: null });
      device(session, 'ok');
      return null;
    }
    if (!view.awaitingInput) return [409, 'not_asked', 'Nothing is asked for.'];
    if (view.method === 'browser') {
      const url = URL.canParse(text) ? new URL(text) : null;
      if (url === null || !['127.0.0.1', 'localhost'].includes(url.hostname) || url.pathname !== '/auth/callback')
        return [422, 'wrong_page', 'That is not the address of the last page.'];
      if (url.port !== '1455') return [422, 'other_port', 'That address is for another sign-in.'];
      if (url.searchParams.get('state') !== session.state) return [422, 'other_attempt', 'That address is from an earlier attempt.'];
    } else if (!/^[^#\s]+#[^#\s]+$/u.test(text)) {
      return [422, 'incomplete', 'That is not the whole code.'];
    }
    note('provider.input', 'ok', null, { fields: { target: view.provider } });
    change(session, { step: 'storing', awaitingInput: false, failure: null });
    if (text.startsWith('bad')) {
      later(session, 700, () => {
        print(session, ["Couldn't log in: That code wasn't accepted."]);
        end(session, 'failed', 'refused', 1);
      });
    } else finish(session);
    return null;
  }

  /** `PUT …/api-key`: the same. */
  function setKey(provider, { key, replace }) {
    const now = statuses[provider];
    const kinds = [
      [/^sk-ant-api\d\d-\S{8,}$/u, 'claude', 'api_key'],
      [/^sk-ant-oat\d\d-\S{8,}$/u, 'claude', 'token'],
      [/^sk-(?!ant-)\S{8,}$/u, 'codex', 'api_key'],
    ];
    const [, , kind] = kinds.find(([pattern, whose]) => whose === provider && pattern.test(key)) ?? [];
    if (kind === undefined) return [422, 'key_format', `This does not look like a key of ${provider}.`];
    const inProgram = provider === 'codex';
    if (inProgram && now.connected && now.apiKey === null && !replace)
      return [409, 'would_sign_out', 'The key takes the place of the signed-in account.'];
    now.apiKey = storedKey(kind, key, inProgram ? 'program' : (script.storage ?? 'sealed'));
    Object.assign(now, { connected: true, method: kind === 'token' ? 'oauth_token' : 'api_key', account: null, plan: null });
    note('provider.set_key', 'ok', null, { fields: { target: provider, detail: { method: kind } } });
    publish('providers', 'providers:updated', {});
    return null;
  }

  function removeKey(provider) {
    const now = statuses[provider];
    if (now.apiKey?.source === 'environment') return [409, 'key_injected', 'This key came with the settings of the Room.'];
    Object.assign(now, { apiKey: null, connected: false, method: null });
    note('provider.remove_key', 'ok', null, { fields: { target: provider } });
    publish('providers', 'providers:updated', {});
    return null;
  }

  function verify(provider) {
    const now = statuses[provider];
    now.checkedAt = iso(Date.now());
    note('provider.verify', 'ok', null, { fields: { target: provider, detail: { status: now.connected ? 'connected' : 'disconnected' } } });
    if (now.apiKey === null) return null;
    const valid = script.key ?? true;
    Object.assign(now.apiKey, { checkedAt: iso(Date.now()), valid });
    return { valid, detail: valid === true ? null : valid === false ? 'The vendor answered 401.' : 'The vendor could not be reached.' };
  }

  function reset() {
    for (const session of sessions.values()) for (const timer of session.timers) clearTimeout(timer);
    for (const name of Object.keys(last)) delete last[name];
    for (const id of ['codex', 'claude']) Object.assign(statuses[id], status({ version: statuses[id].version }));
    delete statuses.gh;
    sessions.clear();
  }

  return { statuses, sessions, table, lastOf, begin, finish, install, input, setKey, removeKey, verify, print, change, end, reset };
}

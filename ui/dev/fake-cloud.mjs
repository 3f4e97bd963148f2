// The cloud side of the fake Room: people, devices, pairing, activity, and a control plane to come from.
//
// Tokens are not signed: whatever says that it is one is believed, but for the rules that the pages have
// words for (used, too old, expired, another instance, no role).

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

export const INSTANCE = 'inst-4711';
export const ISSUER = 'https://id.example.com';
const HOUR = 3_600_000;
const PERMISSIONS = {
  owner: [
    'status.read',
    'self',
    'providers.manage',
    'activity.read',
    'access.manage',
    'instance.manage',
    'instance.wipe',
  ],
  admin: ['status.read', 'self', 'providers.manage', 'activity.read', 'access.manage'],
  member: ['status.read', 'self'],
  viewer: ['status.read', 'self'],
};
const RANK = ['viewer', 'member', 'admin', 'owner'];
const PEOPLE = {
  ada: { sub: 'u-ada', name: 'Ada Lovelace', role: 'owner' },
  grace: { sub: 'u-grace', name: 'Grace Hopper', role: 'admin' },
  bob: { sub: 'u-bob', name: null, email: 'bob@example.com', role: 'member' },
  vera: { sub: 'u-vera', name: 'Vera', role: 'viewer' },
};

const iso = (ms) => new Date(ms).toISOString();
const random = (bytes) => randomBytes(bytes).toString('base64url');

/** A token of the stand-in control plane. */
export function token(who = 'ada', more = {}) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: ISSUER, aud: 'quoroom-runtime', instanceId: INSTANCE, iat: now, exp: now + 600, jti: random(9), ...PEOPLE[who], ...more };
  return `${part({ alg: 'ES256', kid: 'k1' })}.${part(claims)}.${random(48)}`;
}

function payload(jwt) {
  try {
    return JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());
  } catch {
    return null;
  }
}

/** `room`: what this side needs of the other: answers, sockets, the script. */
export function createCloud({ json, problem, read, publish, closeSockets, script, origin }) {
  let devices = new Map();
  let used = new Set();
  let codes = new Map();
  let events = [];
  let seq = 0;

  function reset() {
    devices = new Map();
    used = new Set();
    codes = new Map();
    events = [];
    seq = 0;
  }

  function open(person, device, pairedFrom = null, createdAt = Date.now()) {
    const entry = { id: random(9), secret: random(32), person, device, pairedFrom, createdAt, lastUsedAt: createdAt };
    devices.set(entry.id, entry);
    tell();
    return entry;
  }

  const expires = (entry) =>
    entry.person.issuer === ISSUER ? entry.createdAt + (script.lifeMs ?? 24 * HOUR) : entry.createdAt + 30 * 24 * HOUR;

  function row(entry, current) {
    const { issuer, subject, name, role } = entry.person;
    return {
      id: entry.id,
      issuer,
      subject,
      name,
      role,
      device: entry.device,
      pairedFrom: entry.pairedFrom,
      createdAt: iso(entry.createdAt),
      lastUsedAt: iso(entry.lastUsedAt),
      expiresAt: iso(expires(entry)),
      current,
    };
  }

  const rows = () => [...devices.values()].map((entry) => row(entry, false));
  const tell = () => publish('access', 'access:changed', { sessions: rows() });

  function verified(entry) {
    const { issuer, subject, name, email, role } = entry.person;
    return {
      ok: true,
      role,
      permissions: PERMISSIONS[role],
      profile: { email: email ?? null, emailVerified: true, name },
      issuer,
      subject,
      instanceId: INSTANCE,
      deploymentMode: 'cloud',
      device: entry.device,
      expiresAt: iso(expires(entry)),
    };
  }

  function actor(entry) {
    const { issuer, subject, name, email, role } = entry.person;
    return { issuer, subject, name: name ?? email ?? null, role, device: entry.device, address: '203.0.113.0/24' };
  }

  function note(action, outcome, who, more = {}) {
    seq += 1;
    const event = { seq, at: iso(more.at ?? Date.now()), action, outcome, intent: null, actor: who, target: null, detail: {}, ...more.fields };
    events.push(event);
    publish('activity', 'activity:event', event);
    return seq;
  }

  /** A page on another origin carries its token itself. */
  function bearer(request) {
    const said = payload((request.headers.authorization ?? '').replace('Bearer ', ''));
    if (said?.sub === undefined || said.exp * 1000 < Date.now()) return null;
    const person = { issuer: said.iss, subject: said.sub, name: said.name ?? null, email: said.email ?? null, role: said.role };
    return { id: 'bearer', person, device: null, createdAt: Date.now(), lastUsedAt: Date.now() };
  }

  function holder(request) {
    if (request.headers.authorization !== undefined) return bearer(request);
    const cookie = /(?:^|;\s*)room=([^;]+)/u.exec(request.headers.cookie ?? '')?.[1];
    const entry = [...devices.values()].find(({ secret }) => secret === cookie);
    if (entry === undefined || expires(entry) < Date.now()) return null;
    entry.lastUsedAt = Math.max(entry.lastUsedAt, Date.now());
    return entry;
  }

  const cookie = (entry) => ({ 'Set-Cookie': `room=${entry.secret}; HttpOnly; SameSite=Lax; Path=/; Max-Age=864000` });

  function end(entry, code) {
    devices.delete(entry.id);
    closeSockets(entry.id, code);
    tell();
  }

  async function trade(request, response) {
    const jwt = (request.headers.authorization ?? '').replace('Bearer ', '');
    const { deviceName } = await read(request);
    if (script.trade === 'limited') return problem(response, 429, 'too_many_requests', 'Too many tries.', { 'Retry-After': '42' });
    if (script.trade === 'no_keys')
      return problem(response, 503, 'keys_unavailable', 'The keys cannot be reached.', { 'Retry-After': '20' });
    const said = jwt === '' && script.cloudflare ? { iss: 'https://team.cloudflareaccess.com', ...PEOPLE.grace } : payload(jwt);
    if (jwt === '' && script.cloudflare === 'unknown')
      return problem(response, 403, 'not_allowed', 'Your role does not allow this.');
    if (said === null) return problem(response, 401, 'invalid_token', 'Sign in to this Room first.');
    if (said.exp !== undefined && said.exp * 1000 < Date.now()) return problem(response, 401, 'token_expired', 'It is over.');
    if (said.instanceId !== undefined && said.instanceId !== INSTANCE)
      return problem(response, 401, 'invalid_token', 'Sign in to this Room first.');
    if (PERMISSIONS[said.role] === undefined) return problem(response, 403, 'not_allowed', 'Your role does not allow this.');
    if (said.iat !== undefined && said.iat * 1000 < Date.now() - 600_000)
      return problem(response, 401, 'token_too_old', 'That link is too old.');
    if (said.jti !== undefined && used.has(said.jti)) return problem(response, 401, 'token_used', 'That link was used.');
    used.add(said.jti);
    const person = { issuer: said.iss, subject: said.sub, name: said.name ?? null, email: said.email ?? null, role: said.role };
    const old = holder(request);
    if (old !== null) end(old, 4401);
    const entry = open(person, deviceName ?? 'Browser');
    note('access.sign_in', 'ok', actor(entry));
    return json(response, 200, verified(entry), cookie(entry));
  }

  async function redeem(request, response) {
    const { code, deviceName } = await read(request);
    if (script.trade === 'limited') return problem(response, 429, 'too_many_requests', 'Too many tries.', { 'Retry-After': '42' });
    const found = [...codes.values()].find((one) => one.code.replace('-', '') === code || one.secret === code);
    if (found === undefined) return problem(response, 401, 'code_unknown', 'There is no such code.');
    if (found.used) return problem(response, 401, 'code_used', 'That code was used.');
    if (found.expiresAt < Date.now()) return problem(response, 401, 'code_expired', 'That code is too old.');
    found.used = true;
    const entry = open(found.by.person, deviceName ?? 'Browser', found.by.id);
    note('access.redeem', 'ok', actor(entry), { fields: { detail: { device: found.by.device } } });
    return json(response, 200, verified(entry), cookie(entry));
  }

  function pair(response, entry) {
    const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    const typed = [...randomBytes(10)].map((byte) => letters[byte & 31]).join('');
    const code = `${typed.slice(0, 5)}-${typed.slice(5)}`;
    const one = { code, secret: random(32), by: entry, used: false, expiresAt: Date.now() + (script.pairMs ?? 180_000) };
    codes.set(code, one);
    note('access.pair', 'ok', actor(entry));
    return json(response, 200, { code, url: `${origin()}/#pair=${one.secret}`, expiresAt: iso(one.expiresAt) });
  }

  function activity(response, url) {
    const number = (name) => (url.searchParams.has(name) ? Number(url.searchParams.get(name)) : null);
    const [after, before, limit] = [number('after'), number('before'), number('limit') ?? 50];
    const kind = url.searchParams.get('kind');
    const done = new Set(events.map((event) => event.intent).filter(Boolean));
    const all = events.filter((event) => !done.has(event.seq) && (kind === null || event.action.startsWith(`${kind}.`)));
    const from = after === null ? all.filter((event) => before === null || event.seq < before) : all.filter((event) => event.seq > after);
    const part = after === null ? from.slice(-limit) : from.slice(0, limit);
    return json(response, 200, { events: part, more: part.length < from.length });
  }

  /** Routes of the cloud side; undefined where the common ones go on, for a caller who is let in. */
  async function route(request, response, ask, path) {
    if (ask === 'POST /api/auth/session') return trade(request, response);
    if (ask === 'POST /api/auth/pair/redeem') return redeem(request, response);
    const entry = holder(request);
    if (entry === null) return problem(response, 401, 'sign_in_required', 'Sign in to this Room first.');
    const may = PERMISSIONS[entry.person.role];
    const needed = needs(ask, path);
    if (!may.includes(needed)) return problem(response, 403, 'not_allowed', 'Your role does not allow this.');
    if (ask === 'GET /api/auth/verify') return json(response, 200, verified(entry));
    if (ask === 'DELETE /api/auth/session') {
      note('access.sign_out', 'ok', actor(entry));
      end(entry, 4401);
      return json(response, 200, { ok: true }, { 'Set-Cookie': 'room=; Path=/; Max-Age=0' });
    }
    if (ask === 'POST /api/instance/wipe') return wipe(request, response, entry);
    if (ask === 'POST /api/auth/pair') return pair(response, entry);
    if (ask === 'GET /api/access/sessions') {
      const mine = ({ person }) => person.subject === entry.person.subject && person.issuer === entry.person.issuer;
      const seen = [...devices.values()].filter((one) => may.includes('access.manage') || mine(one));
      return json(response, 200, { sessions: seen.map((one) => row(one, one.id === entry.id)) });
    }
    if (path.startsWith('/api/access/sessions/')) {
      const target = devices.get(decodeURIComponent(path.split('/')[4]));
      if (target === undefined) return problem(response, 404, 'not_found', 'There is nothing here.');
      if (RANK.indexOf(target.person.role) > RANK.indexOf(entry.person.role))
        return problem(response, 403, 'above_you', 'That device is of someone above you.');
      const intent = note('access.end_session', 'intent', actor(entry), { fields: { target: target.id, detail: { device: target.device } } });
      end(target, 4403);
      note('access.end_session', 'ok', actor(entry), { fields: { target: target.id, detail: { device: target.device }, intent } });
      return json(response, 200, { ok: true });
    }
    return undefined;
  }

  /** Everyone goes first, this caller too; the answer comes when the providers' programs are done. */
  async function wipe(request, response, entry) {
    const { confirm } = await read(request);
    if (confirm !== INSTANCE) return problem(response, 400, 'not_confirmed', 'Send {"confirm": instanceId} to wipe this Room.');
    if (script.wipe === 'limited') return problem(response, 429, 'too_many_requests', 'Too many tries.', { 'Retry-After': '42' });
    const who = actor(entry);
    const intent = note('instance.wipe', 'intent', who);
    for (const one of [...devices.values()]) end(one, 4403);
    await new Promise((resolve) => {
      setTimeout(resolve, script.wipeMs ?? 300);
    });
    if (script.wipe === 'cut') return request.socket.destroy();
    const left = script.wipe === 'left';
    note('instance.wipe', left ? 'failed' : 'ok', who, { fields: { intent } });
    const out = (removed) => ({ ok: true, status: 'disconnected', removed, disconnectedAt: iso(Date.now()), detail: null });
    const stayed = { ...out([]), ok: false, status: 'failed', detail: 'Codex still says that it is signed in.' };
    const providers = { claude: out(['~/.claude/.credentials.json']), codex: left ? stayed : out(['~/.codex/auth.json']) };
    const body = { ok: !left, providers, devices: 0, sessions: 0, keys: 0, credentials: left ? 1 : 0, backups: 0 };
    return json(response, left ? 409 : 200, body);
  }

  /** Both modes have a log. */
  function logged(response, ask, url) {
    if (ask === 'GET /api/activity') return activity(response, url);
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Content-Disposition': 'attachment; filename="room-activity.ndjson"' });
    return response.end(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  }

  function needs(ask, path) {
    if (path.startsWith('/api/instance')) return path.endsWith('wipe') ? 'instance.wipe' : 'instance.manage';
    if (path.startsWith('/api/activity')) return 'activity.read';
    if (path.startsWith('/api/status') || ask === 'GET /api/providers' || ask === 'GET /api/providers/status') return 'status.read';
    return path.startsWith('/api/providers') ? 'providers.manage' : 'self';
  }

  return {
    reset,
    route,
    logged,
    holder,
    tell,
    note,
    actor,
    may: (entry, permission) => PERMISSIONS[entry.person.role].includes(permission),
    snapshot(channel) {
      if (channel === 'access') return { sessions: rows() };
      if (channel === 'activity') {
        const done = new Set(events.map((event) => event.intent));
        const shown = events.filter((event) => !done.has(event.seq));
        return { events: shown.slice(-50), more: shown.length > 50 };
      }
      return undefined;
    },
    /** From `POST /fake`: a person changes role, devices and events that were there before, an end from afar. */
    control({ role, end: ended, of, devices: more, history }) {
      if (role) for (const entry of devices.values()) if (entry.person.subject === PEOPLE[role[0]].sub) entry.person.role = role[1];
      if (ended) {
        const code = { revoked: 4403, expired: 4401, idle: 4000 }[ended];
        for (const entry of [...devices.values()]) {
          if (of !== undefined && entry.person.subject !== PEOPLE[of].sub) continue;
          if (code === 4000) closeSockets(entry.id, code);
          else end(entry, code);
        }
      }
      for (const [who, device, agoMs, pairedFrom] of more ?? []) {
        const { sub, role: has, name, email } = PEOPLE[who];
        const person = { issuer: ISSUER, subject: sub, name: name ?? email ?? null, email: email ?? null, role: has };
        open(person, device, [...devices.values()].find((one) => one.device === pairedFrom)?.id ?? pairedFrom ?? null, Date.now() - 3 * HOUR).lastUsedAt = Date.now() - agoMs;
      }
      for (const [action, outcome, who, agoMs, fields] of history ?? []) {
        const known = who === null ? null : { issuer: ISSUER, subject: PEOPLE[who].sub, name: PEOPLE[who].name ?? PEOPLE[who].email, role: PEOPLE[who].role, device: 'Safari on iPhone', address: '203.0.113.0/24' };
        note(action, outcome, known, { at: Date.now() - agoMs, fields });
      }
    },
  };
}

/** The stand-in control plane: whoever visits is someone already, and goes back with a fresh token. */
export function createControlPlane(origin, script) {
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname !== '/launch' || url.searchParams.get('instance') !== INSTANCE) {
      response.writeHead(404).end();
      return;
    }
    const back = url.searchParams.get('return') ?? '/';
    response.writeHead(302, { Location: `${origin()}${script.launchHome ? '/' : back}#token=${token(script.launchAs ?? 'ada')}` }).end();
  });
  return new Promise((resolve) => {
    server.listen(0, 'localhost', () => resolve(`http://localhost:${server.address().port}`));
  });
}

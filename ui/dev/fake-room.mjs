// A Room that is not one: the routes, messages and headers of the real server with scripted sign-ins,
// to work on the pages without a Rust build and to see states that are hard to reach.
//
//   npm run dev:fake            serves ../ui-dist on http://localhost:3700/#code=dev
//   PORT=0 npm run dev:fake     a free port
//
// `POST /fake` with JSON changes the script: {"codex": {...}} is merged into that provider's status,
// {"script": "codes_off"} chooses how the next sign-in ends, {"seconds": 90} its time,
// {"install": "integrity"} and {"key": false} how installs and key tests do, {"gh": {}} adds a row, {"stop": true}
// cuts every socket and refuses requests until {"stop": false}, {"reset": true} forgets all sign-ins.
// {"mode": "cloud"} makes it a hosted Room, see fake-cloud.mjs; `GET /fake?token=ada` is a sign-in link.

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { createCloud, createControlPlane, INSTANCE, token as cloudToken } from './fake-cloud.mjs';
import { createFakeProviders } from './fake-providers.mjs';
import { iso, status as newStatus } from './fake-table.mjs';

const ROOT = new URL('../../ui-dist/', import.meta.url).pathname;
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types room-sw",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
};
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};

const startedAt = Date.now();
const boot = randomUUID();
const tokens = new Set();
/** Tickets, and for whom they are. */
const tickets = new Map();
const script = { mode: process.env.MODE ?? 'local', codex: 'ok', claude: 'ok', seconds: 900, pace: 1, stop: false };
// Sockets

const sockets = new Set();
const positions = new Map();

const hosted = () => script.mode === 'cloud';

function closeSockets(device, code) {
  for (const socket of sockets) {
    if (socket.device !== device) continue;
    socket.stream.write(Buffer.from([0x88, 2, code >> 8, code & 255]));
    socket.stream.end();
  }
}

function publish(channel, type, data) {
  const seq = (positions.get(channel) ?? 0) + 1;
  positions.set(channel, seq);
  for (const socket of sockets) {
    if (socket.channels.has(channel)) send(socket, { type, channel, seq, data, timestamp: iso(Date.now()) });
  }
}

function send({ stream }, message) {
  const body = Buffer.from(JSON.stringify(message));
  const head =
    body.length < 126 ? Buffer.from([0x81, body.length]) : Buffer.from([0x81, 126, body.length >> 8, body.length & 255]);
  stream.write(Buffer.concat([head, body]));
}

function received(socket, message) {
  if (message.type === 'ping') send(socket, { type: 'pong', id: message.id });
  if (message.type === 'unsubscribe') for (const channel of message.channels) socket.channels.delete(channel);
  if (message.type === 'visible') script.heard = message.value;
  if (message.type !== 'subscribe') return;
  const allowed = message.channels.filter((channel) => !hosted() || mayHear(socket, channel));
  const denied = message.channels.filter((channel) => !allowed.includes(channel));
  send(socket, { type: 'subscribed', channels: allowed, denied });
  for (const channel of allowed) {
    socket.channels.add(channel);
    const session = fake.sessions.get(channel.replace(/^provider-(?:auth|install):/u, ''));
    const data = channel === 'providers' ? { providers: fake.statuses } : (cloud.snapshot(channel) ?? session?.view ?? null);
    send(socket, { type: 'snapshot', channel, seq: positions.get(channel) ?? 0, data, timestamp: iso(Date.now()) });
  }
}

function mayHear({ entry }, channel) {
  const needed = { providers: 'status.read', access: 'access.manage', activity: 'activity.read' }[channel];
  return cloud.may(entry, needed ?? 'providers.manage');
}

function upgrade(request, stream) {
  const asked = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
  const ticket = asked.find((one) => one.startsWith('room.ticket.'))?.slice('room.ticket.'.length);
  const entry = hosted() ? (tickets.get(ticket) ?? cloud.holder(request)) : null;
  if (script.stop || (hosted() ? entry === null : !tickets.has(ticket))) {
    stream.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
    return;
  }
  tickets.delete(ticket);
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: room.v1\r\n\r\n`,
  );
  const socket = { stream, channels: new Set(), entry, device: entry?.id };
  sockets.add(socket);
  const gone = () => sockets.delete(socket);
  stream.on('close', gone).on('error', gone);
  let rest = Buffer.alloc(0);
  stream.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < 2) return;
      let size = rest[1] & 127;
      let at = 2;
      if (size === 126) {
        if (rest.length < 4) return;
        size = rest.readUInt16BE(2);
        at = 4;
      }
      if (rest.length < at + 4 + size) return;
      const mask = rest.subarray(at, at + 4);
      const body = rest.subarray(at + 4, at + 4 + size).map((byte, index) => byte ^ mask[index % 4]);
      const kind = rest[0] & 15;
      rest = rest.subarray(at + 4 + size);
      if (kind === 8) {
        stream.end();
        return;
      }
      if (kind === 1) received(socket, JSON.parse(Buffer.from(body).toString()));
    }
  });
  send(socket, { type: 'hello', build: build(), boot, mode: script.mode, now: iso(Date.now()), heartbeatMs: 25_000 });
}

// HTTP

function build() {
  return JSON.parse(readFileSync(join(ROOT, 'build.json'), 'utf8')).build;
}

function json(response, code, body, headers = {}) {
  response.writeHead(code, { ...HEADERS, 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers });
  response.end(JSON.stringify(body));
}

function problem(response, code, name, detail, headers = {}) {
  const body = { type: 'about:blank', title: name, status: code, code: name, detail, error: detail };
  json(response, code, body, { 'Content-Type': 'application/problem+json', ...headers });
}

async function read(request) {
  let raw = '';
  for await (const chunk of request) raw += chunk;
  return raw === '' ? {} : JSON.parse(raw);
}

function page(request, response, path) {
  let file = normalize(join(ROOT, path));
  if (!file.startsWith(ROOT) || !existsSync(file) || statSync(file).isDirectory()) {
    const wantsPage = extname(path) === '' && (request.headers.accept ?? '').includes('text/html');
    if (!wantsPage) {
      problem(response, 404, 'not_found', 'There is no such file.');
      return;
    }
    file = join(ROOT, 'index.html');
  }
  const encodings = request.headers['accept-encoding'] ?? '';
  const packed = encodings.includes('br') && existsSync(`${file}.br`) ? 'br' : null;
  response.writeHead(200, {
    ...HEADERS,
    'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
    'Cache-Control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-store',
    Vary: 'Accept-Encoding',
    ...(packed === null ? {} : { 'Content-Encoding': packed }),
  });
  response.end(readFileSync(packed === null ? file : `${file}.${packed}`));
}

async function control(request, response) {
  const { reset, approve, refuse, codexStatus, claudeStatus, tokens: keep, lines, end: ending, people, gh, ...more } = await read(request);
  if (reset) {
    fake.reset();
    cloud.reset();
    for (const { stream } of sockets) stream.destroy();
    for (const name of ['lifeMs', 'pairMs', 'trade', 'cloudflare', 'noPlane', 'keys', 'launchAs', 'launchHome', 'heard', 'site', 'install', 'key', 'storage', 'load', 'wipe', 'wipeMs']) delete script[name];
  }
  Object.assign(script, more);
  if (people) cloud.control(people);
  if (codexStatus) Object.assign(fake.statuses.codex, codexStatus);
  if (claudeStatus) Object.assign(fake.statuses.claude, claudeStatus);
  if (gh) fake.statuses.gh = newStatus({ version: '2.23.0', ...gh });
  if (codexStatus || claudeStatus || gh) publish('providers', 'providers:updated', {});
  if (approve) fake.finish(fake.lastOf(approve));
  if (ending) fake.end(fake.lastOf(ending[0]), ending[1], ending[2], 1);
  if (refuse)
    fake.change(fake.lastOf(refuse), {
      step: 'awaiting_input',
      awaitingInput: true,
      inputHint: "That doesn't look like the full code. Copy all of it, including the # in the middle.",
    });
  if (lines) fake.print(fake.lastOf(lines.provider), lines.texts);
  if (keep === false) tokens.clear();
  if (script.stop) for (const { stream } of sockets) stream.destroy();
  json(response, 200, { ok: true, script });
}

const server = createServer(async (request, response) => {
  const { pathname: path } = new URL(request.url, 'http://localhost');
  const ask = `${request.method} ${path}`;
  const url = new URL(request.url, 'http://localhost');
  if (ask === 'POST /fake') return control(request, response);
  if (ask === 'GET /fake') {
    const more = JSON.parse(url.searchParams.get('more') ?? '{}');
    return json(response, 200, { token: cloudToken(url.searchParams.get('token') ?? 'ada', more) });
  }
  if (script.stop) return request.socket.destroy();
  if (script.site !== undefined && request.headers.origin === script.site) {
    response.setHeader('Access-Control-Allow-Origin', script.site);
    response.setHeader('Vary', 'Origin');
    response.setHeader('Access-Control-Allow-Headers', 'authorization, content-type');
    response.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE');
    if (request.method === 'OPTIONS') return response.writeHead(204).end();
  }
  if (!path.startsWith('/api/')) return page(request, response, path);
  if (ask === 'GET /api/bootstrap') {
    if (!hosted()) return json(response, 200, { mode: 'local', build: build(), name: 'Room', auth: ['code'], controlPlaneUrl: null });
    const ways = [script.noPlane ? null : 'token', 'pair', script.cloudflare ? 'cloudflare' : null];
    return json(response, 200, {
      mode: 'cloud',
      build: build(),
      name: 'Ada’s Room',
      auth: ways.filter((way) => way !== null),
      controlPlaneUrl: script.noPlane ? null : plane,
      instanceId: INSTANCE,
    });
  }
  if (hosted()) {
    const answered = await cloud.route(request, response, ask, path);
    if (answered !== undefined || response.writableEnded) return undefined;
    const manages = cloud.may(cloud.holder(request), 'providers.manage');
    if (ask === 'GET /api/providers/status' && !manages) {
      const plain = Object.entries(fake.statuses).map(([id, row]) => [id, { ...row, account: null, authSession: null, installSession: null, apiKey: null }]);
      return json(response, 200, { providers: Object.fromEntries(plain) });
    }
    return common(request, response, ask, path);
  }
  if (ask === 'POST /api/auth/handshake') {
    const { code } = await read(request);
    if (request.headers['x-room-handshake'] !== '1') return problem(response, 403, 'refused', 'The header is missing.');
    if (code === 'busy') return problem(response, 429, 'rate_limited', 'Too many tries.', { 'Retry-After': '42' });
    if (!String(code).startsWith('dev'))
      return problem(response, 401, 'code_used', 'This link was used already. Run `room open` for another.');
    const token = randomBytes(24).toString('base64url');
    tokens.add(token);
    return json(response, 200, { token, expiresAt: iso(Date.now() + 7 * 86_400_000) });
  }
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  if (!tokens.has(token)) return problem(response, 401, 'unauthorized', 'Sign in.');
  return common(request, response, ask, path, token);
});

let ticks = 0;

/** A machine that is a little busy, a little differently each time. */
function machine() {
  ticks += 1;
  const wave = (Math.sin(ticks / 3) + 1) / 2;
  return {
    resources: {
      cores: 2,
      load: script.load ?? 0.3 + wave,
      cpuTicks: 100 * ticks,
      cpuBusyTicks: Math.round((20 + 15 * Math.sin(ticks / 3)) + 30 * ticks),
      memoryBytes: 4 * 2 ** 30,
      availableBytes: Math.round((2.6 - wave) * 2 ** 30),
      residentBytes: 14 * 2 ** 20,
    },
    storage: { dataDir: '/home/ada/.room', totalBytes: 20 * 2 ** 30, freeBytes: 12 * 2 ** 30, usedBytes: 420 * 2 ** 20 },
  };
}

const OWNER = { issuer: 'room:local', subject: 'owner', name: null, role: 'owner', device: 'browser', address: '127.0.0.0/24' };

/** What both modes have, for a caller who is let in. */
async function common(request, response, ask, path, token) {
  const entry = hosted() ? cloud.holder(request) : null;
  const who = entry === null ? OWNER : cloud.actor(entry);
  const note = (action, outcome, target, detail = {}, intent = null) =>
    cloud.note(action, outcome, who, { fields: { target, detail, intent } });
  if (ask === 'POST /api/instance/backup') {
    response.writeHead(200, { 'Content-Type': 'application/vnd.sqlite3', 'Content-Disposition': 'attachment; filename="room.db"' });
    return void response.end('SQLite format 3\0');
  }
  if (path.startsWith('/api/activity')) return cloud.logged(response, ask, new URL(request.url, origin()));
  const [, , , one, two, three] = path.split('/');
  const session = fake.sessions.get(two);
  switch (true) {
    case ask === 'GET /api/auth/verify':
      return json(response, 200, {
        ok: true,
        role: 'owner',
        permissions: ['status.read', 'self', 'providers.manage', 'activity.read', 'access.manage', 'instance.manage', 'instance.wipe'],
        profile: null,
        issuer: 'local',
        subject: 'owner',
        instanceId: null,
        deploymentMode: 'local',
        device: null,
        expiresAt: iso(Date.now() + 7 * 86_400_000),
      });
    case ask === 'DELETE /api/auth/session':
      tokens.delete(token);
      response.writeHead(204, HEADERS);
      return response.end();
    case ask === 'POST /api/auth/ws-ticket': {
      const ticket = randomBytes(24).toString('base64url');
      tickets.set(ticket, entry);
      return json(response, 200, { ticket, expiresAt: iso(Date.now() + 30_000) });
    }
    case ask === 'GET /api/status':
      return json(response, 200, {
        version: '0.1.0',
        build: build(),
        uptime: (Date.now() - startedAt) / 1000 + 7300,
        deploymentMode: script.mode,
        serverPlatform: 'linux x86_64',
        name: hosted() ? 'Ada’s Room' : 'Room',
        goal: hosted() ? 'Keep the shop’s support inbox empty' : null,
        region: hosted() ? 'fra' : null,
        plan: hosted() ? 'Team' : null,
        generatedAt: iso(Date.now()),
        ...machine(),
        ...(hosted() ? { keys: [{ issuer: 'https://id.example.com', state: script.keys ?? 'fresh', ageSeconds: 90, keys: 2 }] } : {}),
      });
    case ask === 'GET /api/providers':
      return json(response, 200, { providers: fake.table() });
    case ask === 'GET /api/providers/status':
      return json(response, 200, { providers: fake.statuses });
    case one === 'sessions' && session === undefined:
      return problem(response, 404, 'not_found', 'There is no such session.');
    case one === 'sessions' && three === undefined:
      return json(response, 200, { session: session.view });
    case one === 'sessions' && three === 'cancel':
      if (session.view.active) {
        fake.change(session, { step: 'cancelling' });
        await new Promise((resolve) => {
          setTimeout(resolve, 300);
        });
        const intent = note('provider.cancel', 'intent', session.view.provider);
        fake.end(session, 'canceled', 'canceled', null);
        note('provider.cancel', 'ok', session.view.provider, { status: 'canceled' }, intent);
      }
      return json(response, 200, { ok: true, session: session.view });
    case one === 'sessions' && three === 'input': {
      const asked = await read(request);
      if (asked.raw && hosted() && !cloud.may(entry, 'instance.manage')) return problem(response, 403, 'forbidden', 'Only the owner may.');
      const refused = fake.input(session, asked);
      if (refused !== null) return problem(response, ...refused);
      return json(response, 200, { ok: true });
    }
    case two === 'session' || (two === 'install' && request.method === 'GET'): {
      const found = fake.lastOf(one, two === 'session' ? 'auth' : 'install');
      return json(response, 200, { session: found?.view ?? null });
    }
    case two === 'install': {
      if (script.install === 'not_installable') return problem(response, 409, 'not_installable', `There is no ${one} for this machine.`);
      const { view, reused } = fake.install(one);
      note('provider.install', 'ok', one);
      const channel = `provider-install:${view.sessionId}`;
      return json(response, 200, { ok: true, provider: one, status: 'pending', requestedAt: view.startedAt, reused, session: view, channel });
    }
    case two === 'api-key': {
      const refused = request.method === 'PUT' ? fake.setKey(one, await read(request)) : fake.removeKey(one);
      if (refused !== null) return problem(response, ...refused);
      return json(response, 200, { ok: true, provider: one, removed: true, ...fake.statuses[one] });
    }
    case two === 'connect': {
      const { method, inPlace, email } = await read(request);
      if (script[one] === 'in_place' && !inPlace) {
        return problem(
          response,
          409,
          'would_sign_out',
          'Signing in again signs Codex out first, because its settings keep sign-ins in a keyring.',
        );
      }
      if (!fake.statuses[one].installed)
        return problem(response, 409, 'not_installed', `${one} is not installed. Run: npm install -g ${one}`);
      const current = fake.lastOf(one);
      const reused = current?.view.active === true;
      const row = fake.table().find((provider) => provider.id === one);
      const intent = note('provider.connect', 'intent', one, { method: method ?? row.methods[0].id });
      const view = reused ? current.view : fake.begin(one, method ?? row.methods[0].id, email);
      note('provider.connect', 'ok', one, { method: view.method, status: reused ? 'joined' : 'starting' }, intent);
      return json(response, 200, {
        ok: true,
        provider: one,
        status: 'pending',
        requestedAt: view.startedAt,
        reused,
        session: view,
        channel: `provider-auth:${view.sessionId}`,
      });
    }
    case two === 'verify': {
      const key = fake.verify(one);
      return json(response, 200, { ok: true, provider: one, ...fake.statuses[one], key });
    }
    case two === 'disconnect':
      Object.assign(fake.statuses[one], {
        connected: false,
        account: null,
        plan: null,
        method: null,
        disconnectedAt: iso(Date.now()),
        apiKey: null,
      });
      note('provider.disconnect', 'ok', one);
      publish('providers', 'providers:updated', {});
      return json(response, 200, {
        ok: true,
        status: 'disconnected',
        removed: fake.table().find((row) => row.id === one).removes,
        disconnectedAt: fake.statuses[one].disconnectedAt,
      });
    default:
      return problem(response, 404, 'not_found', 'There is no such route.');
  }
}

const origin = () => `http://localhost:${server.address().port}`;
const cloud = createCloud({ json, problem, read, publish, closeSockets, script, origin });
const fake = createFakeProviders({ script, publish, note: (...event) => cloud.note(...event) });
const plane = await createControlPlane(origin, script);

server.on('upgrade', upgrade);
server.listen(Number(process.env.PORT ?? 3700), 'localhost', () => {
  console.log(`fake room: http://localhost:${server.address().port}/#code=dev`);
});

// The JSON of the Room's HTTP and WebSocket interface, and the one place that reads it.
//
// Readers are lenient: a field that is missing or of another type becomes its neutral value, and a
// field we do not know is ignored, so that a newer server does not break an open page.

/** What every page needs of a row of `GET /api/providers`; `wire-provider` reads the rest of it. */
export interface ProviderHead {
  id: string;
  name: string;
  /** Shown because its program is there, not because anyone asked for it. */
  optional: boolean;
  row: Fields;
}

/** What every page needs of an entry of `GET /api/providers/status`. */
export interface StatusHead {
  installed: boolean | null;
  connected: boolean | null;
  /** A key of a person does for a sign-in. */
  keyed: boolean;
  tooOld: boolean;
  error: string | null;
  liveSessionId: string | null;
  installSessionId: string | null;
  row: Fields;
}

export interface Bootstrap {
  mode: string;
  build: string | null;
  name: string | null;
  auth: string[];
  controlPlaneUrl: string | null;
  instanceId: string | null;
}

/** Who is signed in, and what they may do. */
export interface Verified {
  role: string | null;
  permissions: string[];
  issuer: string | null;
  subject: string | null;
  /** The person's name, else their e-mail. */
  name: string | null;
  device: string | null;
  expiresAt: number | null;
}

/** The keys of one issuer: whether new sign-ins of its people can be checked. */
export interface KeySet {
  issuer: string;
  state: string;
}

export interface RoomStatus {
  version: string | null;
  build: string | null;
  startedAt: number | null;
  mode: string | null;
  platform: string | null;
  name: string | null;
  goal: string | null;
  region: string | null;
  plan: string | null;
  dataDir: string | null;
  keys: KeySet[];
}

export interface Problem {
  code: string | null;
  title: string | null;
  detail: string | null;
}

export type ServerMessage =
  | { type: 'hello'; build: string | null; boot: string | null; mode: string | null; now: number | null }
  | { type: 'subscribed'; channels: string[]; denied: string[] }
  | { type: 'pong' }
  | { type: 'gap'; channel: string }
  | { type: 'auth_expiring'; at: number | null }
  | { type: 'error'; code: string | null; message: string | null }
  | { type: 'event'; name: string; channel: string; seq: number; data: unknown }
  | { type: 'other' };

export type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

export function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

export function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Strings of a list; an entry that is an object gives its `text`. */
export function texts(value: unknown): string[] {
  return list(value)
    .map((entry) => text(entry) ?? text(fields(entry)['text']))
    .filter((entry) => entry !== null);
}

/** RFC 3339 to milliseconds; anything else is null. */
export function time(value: unknown): number | null {
  return number(Date.parse(text(value) ?? ''));
}

export function readProviders(value: unknown): ProviderHead[] {
  return list(fields(value)['providers']).flatMap((entry) => {
    const row = fields(entry);
    const id = text(row['id']);
    return id === null ? [] : [{ id, name: text(row['name']) ?? id, optional: row['shown'] === 'installed', row }];
  });
}

export function readStatuses(value: unknown): Record<string, StatusHead> {
  const rows: Record<string, StatusHead> = {};
  for (const [id, entry] of Object.entries(fields(fields(value)['providers']))) {
    const row = fields(entry);
    rows[id] = {
      installed: flag(row['installed']),
      connected: flag(row['connected']),
      keyed: text(fields(row['apiKey'])['last4']) !== null,
      tooOld: row['tooOld'] === true,
      error: text(row['error']),
      liveSessionId: live(row['authSession']),
      installSessionId: live(row['installSession']),
      row,
    };
  }
  return rows;
}

/** A session whole, or its id alone; to those who may not see it, nothing. */
function live(value: unknown): string | null {
  const session = fields(value);
  return text(value) ?? (session['active'] === false ? null : text(session['sessionId']));
}

export function readBootstrap(value: unknown): Bootstrap {
  const body = fields(value);
  return {
    mode: text(body['mode']) ?? 'local',
    build: text(body['build']),
    name: text(body['name']),
    auth: texts(body['auth']),
    controlPlaneUrl: text(body['controlPlaneUrl']),
    instanceId: text(body['instanceId']),
  };
}

export function readVerified(value: unknown): Verified {
  const body = fields(value);
  const profile = fields(body['profile']);
  return {
    role: text(body['role']),
    permissions: texts(body['permissions']),
    issuer: text(body['issuer']),
    subject: text(body['subject']),
    name: text(profile['name']) ?? text(profile['email']),
    device: text(body['device']),
    expiresAt: time(body['expiresAt']),
  };
}

export function readRoomStatus(value: unknown): RoomStatus {
  const body = fields(value);
  const uptimeSeconds = number(body['uptime']);
  const generatedAt = time(body['generatedAt']);
  return {
    version: text(body['version']),
    build: text(body['build']),
    startedAt: uptimeSeconds === null || generatedAt === null ? null : generatedAt - uptimeSeconds * 1000,
    mode: text(body['deploymentMode']),
    platform: text(body['serverPlatform']),
    name: text(body['name']),
    goal: text(body['goal']),
    region: text(body['region']),
    plan: text(body['plan']),
    dataDir: text(fields(body['storage'])['dataDir']),
    keys: list(body['keys']).map((entry) => ({
      issuer: text(fields(entry)['issuer']) ?? '',
      state: text(fields(entry)['state']) ?? '',
    })),
  };
}

export function readProblem(value: unknown): Problem {
  const body = fields(value);
  return {
    code: text(body['code']),
    title: text(body['title']),
    detail: text(body['detail']) ?? text(body['error']),
  };
}

/** One message of the socket; null if it is not JSON of our shape. */
export function readMessage(frame: unknown): ServerMessage | null {
  if (typeof frame !== 'string') return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(frame);
  } catch {
    return null;
  }
  const message = fields(parsed);
  const type = text(message['type']);
  if (type === null) return null;
  const channel = text(message['channel']);
  switch (type) {
    case 'hello':
      return {
        type,
        build: text(message['build']),
        boot: message['boot'] === undefined ? null : String(message['boot']),
        mode: text(message['mode']),
        now: time(message['now']),
      };
    case 'subscribed':
      return { type, channels: texts(message['channels']), denied: texts(message['denied']) };
    case 'pong':
      return { type };
    case 'gap':
      return channel === null ? { type: 'other' } : { type, channel };
    case 'auth_expiring':
      return { type, at: time(message['at']) };
    case 'error':
      return { type, code: text(message['code']), message: text(message['message']) };
    default: {
      const seq = number(message['seq']);
      if (channel === null || seq === null) return { type: 'other' };
      return { type: 'event', name: type, channel, seq, data: message['data'] };
    }
  }
}

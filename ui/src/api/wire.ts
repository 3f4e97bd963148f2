// The JSON of the Room's HTTP and WebSocket interface, and the one place that reads it.
//
// Readers are lenient: a field that is missing or of another type becomes its neutral value, and a
// field we do not know is ignored, so that a newer server does not break an open page.

export interface Method {
  id: string;
  label: string;
  kind: string;
  steps: string[];
  primary: boolean;
  note: string | null;
}

/** One row of `GET /api/providers`: what a provider is, which does not change while a page is open. */
export interface Provider {
  id: string;
  name: string;
  plans: string | null;
  prerequisite: { text: string; url: string | null } | null;
  methods: Method[];
  hosts: string[];
  removes: string[];
  installCommand: string | null;
}

/** One entry of `GET /api/providers/status`. */
export interface ProviderStatus {
  installed: boolean | null;
  version: string | null;
  versionNote: string | null;
  connected: boolean | null;
  method: string | null;
  account: string | null;
  plan: string | null;
  checkedAt: number | null;
  error: string | null;
  disconnectedAt: number | null;
  liveSessionId: string | null;
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

type Fields = Record<string, unknown>;

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

export function readProviders(value: unknown): Provider[] {
  return list(fields(value)['providers']).flatMap((entry) => {
    const row = fields(entry);
    const id = text(row['id']);
    if (id === null) return [];
    const prerequisite = fields(row['prerequisite']);
    const prerequisiteText = text(row['prerequisite']) ?? text(prerequisite['text']);
    return [
      {
        id,
        name: text(row['name']) ?? id,
        plans: text(row['plans']) ?? (texts(row['plans']).join(', ') || null),
        prerequisite: prerequisiteText === null ? null : { text: prerequisiteText, url: text(prerequisite['url']) },
        methods: list(row['methods']).flatMap(readMethod),
        hosts: texts(row['hosts']).map((host) => host.toLowerCase()),
        removes: texts(row['removes']),
        installCommand: text(fields(row['install'])['command']) ?? text(row['install']),
      },
    ];
  });
}

function readMethod(value: unknown): Method[] {
  const method = fields(value);
  const id = text(method['id']);
  if (id === null) return [];
  return [
    {
      id,
      label: text(method['label']) ?? id,
      kind: text(method['kind']) ?? 'unknown',
      steps: texts(method['steps']),
      primary: method['primary'] === true,
      note: text(method['note']),
    },
  ];
}

export function readStatuses(value: unknown): Record<string, ProviderStatus> {
  const rows: Record<string, ProviderStatus> = {};
  for (const [id, entry] of Object.entries(fields(fields(value)['providers']))) {
    const row = fields(entry);
    // The session whole, or its id alone; to those who may not see it, nothing.
    const session = fields(row['authSession']);
    rows[id] = {
      installed: flag(row['installed']),
      version: text(row['version']),
      versionNote: text(row['versionNote']),
      connected: flag(row['connected']),
      method: text(row['method']),
      account: text(row['account']),
      plan: text(row['plan']),
      checkedAt: time(row['checkedAt']),
      error: text(row['error']),
      disconnectedAt: time(row['disconnectedAt']),
      liveSessionId: text(row['authSession']) ?? (session['active'] === false ? null : text(session['sessionId'])),
    };
  }
  return rows;
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

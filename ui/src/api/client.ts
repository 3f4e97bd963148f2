// Requests to the Room, typed. One door for the bearer, for problem+json and for the 401 rule:
// the first refusal of a token ends it here, so that a page with ten requests in flight counts as
// one refusal for the server's limiter and shows one sign-in screen.

import * as wire from './wire';

export interface FetchAnswer {
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
}

export interface FetchInit {
  method: string;
  headers: Record<string, string>;
  body?: string;
  /** The request is given up after this long. */
  timeoutMs: number;
}

export type Fetch = (path: string, init: FetchInit) => Promise<FetchAnswer>;

export type ErrorKind = 'problem' | 'unreachable' | 'unexpected';

/** A request that did not succeed. `unreachable` means that no answer came at all. */
export class ApiError extends Error {
  constructor(
    readonly kind: ErrorKind,
    readonly status: number,
    readonly problem: wire.Problem,
    readonly retryAfterMs: number | null = null,
  ) {
    super(problem.detail ?? problem.title ?? `${kind} ${status}`);
    this.name = 'ApiError';
  }

  get code(): string {
    return this.problem.code ?? (this.kind === 'problem' ? `http_${this.status}` : this.kind);
  }

  get unauthorized(): boolean {
    return this.status === 401;
  }
}

export interface ClientOptions {
  fetch: Fetch;
  token(): string | null;
  /** Called once for a token that the Room does not take any more. */
  onRefused(): void;
}

/** A cancel answers within 5 s and a disconnect may ask the vendor, so this is the longest of them. */
const TIMEOUT_MS = 30_000;

const NO_PROBLEM: wire.Problem = { code: null, title: null, detail: null };

export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  let refused: string | null = null;

  async function send(
    method: string,
    path: string,
    extra: { body?: unknown; headers?: Record<string, string>; anonymous?: boolean } = {},
  ): Promise<unknown> {
    const token = extra.anonymous === true ? null : options.token();
    if (extra.anonymous !== true && (token === null || token === refused)) {
      throw new ApiError('problem', 401, { code: 'signed_out', title: null, detail: null });
    }
    const headers: Record<string, string> = { Accept: 'application/json', ...extra.headers };
    if (token !== null) headers['Authorization'] = `Bearer ${token}`;
    if (extra.body !== undefined) headers['Content-Type'] = 'application/json';

    let answer: FetchAnswer;
    let raw: string;
    try {
      const body = extra.body === undefined ? {} : { body: JSON.stringify(extra.body) };
      answer = await options.fetch(path, { method, headers, timeoutMs: TIMEOUT_MS, ...body });
      raw = await answer.text();
    } catch {
      throw new ApiError('unreachable', 0, NO_PROBLEM);
    }

    let body: unknown = null;
    let readable = true;
    try {
      body = raw === '' ? null : JSON.parse(raw);
    } catch {
      readable = false;
    }
    if (answer.status >= 200 && answer.status < 300) {
      if (!readable) throw new ApiError('unexpected', answer.status, NO_PROBLEM);
      return body;
    }
    if (answer.status === 401 && token !== null && token !== refused) {
      refused = token;
      // Another tab may have signed in anew meanwhile; then only the old token is refused.
      if (options.token() === token) options.onRefused();
    }
    const seconds = Number(answer.headers.get('Retry-After') ?? Number.NaN);
    throw new ApiError('problem', answer.status, wire.readProblem(body), Number.isFinite(seconds) ? seconds * 1000 : null);
  }

  const get = (path: string) => send('GET', path);
  const post = (path: string, body: unknown = {}) => send('POST', path, { body });
  const provider = (id: string) => `/api/providers/${encodeURIComponent(id)}`;
  const session = (id: string) => `/api/providers/sessions/${encodeURIComponent(id)}`;

  return {
    async bootstrap(): Promise<wire.Bootstrap> {
      return wire.readBootstrap(await send('GET', '/api/bootstrap', { anonymous: true }));
    },

    /** Trades the one-time code of a link for a bearer. */
    async handshake(code: string): Promise<string> {
      const answer = await send('POST', '/api/auth/handshake', {
        anonymous: true,
        body: { code },
        headers: { 'X-Room-Handshake': '1' },
      });
      const token = wire.fields(answer)['token'];
      if (typeof token !== 'string' || token === '') throw new ApiError('unexpected', 200, NO_PROBLEM);
      return token;
    },

    async verify(): Promise<wire.Verified> {
      return wire.readVerified(await get('/api/auth/verify'));
    },

    async signOut(): Promise<void> {
      await send('DELETE', '/api/auth/session');
    },

    async ticket(): Promise<string> {
      const ticket = wire.fields(await post('/api/auth/ws-ticket'))['ticket'];
      if (typeof ticket !== 'string' || ticket === '') throw new ApiError('unexpected', 200, NO_PROBLEM);
      return ticket;
    },

    async status(): Promise<wire.RoomStatus> {
      return wire.readRoomStatus(await get('/api/status'));
    },

    /** The build id of the page that the server has now. */
    async servedBuild(): Promise<string | null> {
      const build = wire.fields(await send('GET', '/build.json', { anonymous: true }))['build'];
      return typeof build === 'string' ? build : null;
    },

    async providers(): Promise<wire.Provider[]> {
      return wire.readProviders(await get('/api/providers'));
    },

    async statuses(probe = false): Promise<Record<string, wire.ProviderStatus>> {
      return wire.readStatuses(await get(`/api/providers/status${probe ? '?refresh=1' : ''}`));
    },

    /** `inPlace`: the person agrees that the earlier sign-in ends first, where there is no other way. */
    async connect(id: string, method: string | null, inPlace = false): Promise<{ session: wire.SessionView; reused: boolean }> {
      const answer = await post(`${provider(id)}/connect`, {
        ...(method === null ? {} : { method }),
        ...(inPlace ? { inPlace } : {}),
      });
      const view = wire.readSession(answer);
      if (view === null) throw new ApiError('unexpected', 200, NO_PROBLEM);
      return { session: view, reused: wire.fields(answer)['reused'] === true };
    },

    /** The last sign-in of a provider, or null if it has none. */
    async lastSession(id: string): Promise<wire.SessionView | null> {
      try {
        return wire.readSession(await get(`${provider(id)}/session`));
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },

    async session(id: string): Promise<wire.SessionView | null> {
      return wire.readSession(await get(session(id)));
    },

    async input(id: string, pasted: string): Promise<void> {
      await post(`${session(id)}/input`, { text: pasted });
    },

    async cancel(id: string): Promise<wire.SessionView | null> {
      return wire.readSession(await post(`${session(id)}/cancel`));
    },

    async disconnect(id: string): Promise<wire.Disconnected> {
      return wire.readDisconnected(await post(`${provider(id)}/disconnect`));
    },

    async check(id: string): Promise<void> {
      await post(`${provider(id)}/verify`);
    },
  };
}

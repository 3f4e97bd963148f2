// Requests to the Room, typed. One door for the bearer, for problem+json and for the 401 rule:
// the first refusal of a token ends it here, so that a page with ten requests in flight counts as
// one refusal for the server's limiter and shows one sign-in screen.

import * as wire from './wire';

export interface FetchAnswer {
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
  /** The same as a file. */
  blob?(): Promise<unknown>;
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
    /** The whole answer, where it is more than a problem. */
    readonly body: unknown = null,
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

  /** A proxy answered in the Room's place, as it does while a hosted machine starts. */
  get asleep(): boolean {
    return this.problem.code === null && [502, 503, 504].includes(this.status);
  }
}

/** What proves who asks: a bearer, or null where the browser sends its cookie by itself. */
export interface Credential {
  /** Tells one sign-in from the next. */
  id: string;
  bearer: string | null;
}

export interface ClientOptions {
  fetch: Fetch;
  credential(): Credential | null;
  /** Called once for a sign-in that the Room does not take any more. */
  onRefused(): void;
  /** Signed in, and not allowed: what this page knows of its permissions is old. */
  onForbidden?(): void;
  /** Called with each answer: whether a proxy gave it in the Room's place. */
  onAnswer?(asleep: boolean): void;
  /** While the Room starts, what is only read is asked for again: resolves when, or with false if never. */
  again?(): Promise<boolean>;
}

/** A cancel answers within 5 s and a disconnect may ask the vendor, so this is the longest of them. */
const TIMEOUT_MS = 30_000;
/**
 * What stands between a socket and its opening: on a connection that has silently died it would never
 * answer, and given up it takes that connection with it.
 */
const LINK_TIMEOUT_MS = 3_000;
/** A file comes at the pace of the network. */
const FILE_TIMEOUT_MS = 600_000;

export const NO_PROBLEM: wire.Problem = { code: null, title: null, detail: null };

interface Extra {
  body?: unknown;
  headers?: Record<string, string>;
  /** Stands in for the sign-in of this page: null for nobody. A refusal of it ends nothing here. */
  as?: Credential | null;
  /** The answer is text, or a file, and stays so. */
  raw?: 'text' | 'blob';
  /** Asked by the live link, which asks again by itself: in a short time, and once. */
  quick?: boolean;
  /** Takes its time: the Room works until it answers. */
  slow?: boolean;
}

export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  let refused: string | null = null;

  async function send(method: string, path: string, extra: Extra = {}): Promise<unknown> {
    for (;;) {
      try {
        return await attempt(method, path, extra);
      } catch (error) {
        const asleep = error instanceof ApiError && error.asleep;
        if (!asleep || method !== 'GET' || extra.quick || !(await options.again?.())) throw error;
      }
    }
  }

  async function attempt(method: string, path: string, { as, ...extra }: Extra): Promise<unknown> {
    const kept = as === undefined ? options.credential() : null;
    if (as === undefined && (kept === null || kept.id === refused)) {
      throw new ApiError('problem', 401, { code: 'signed_out', title: null, detail: null });
    }
    const bearer = (kept ?? as)?.bearer ?? null;
    const headers: Record<string, string> = { Accept: 'application/json', ...extra.headers };
    if (bearer !== null) headers['Authorization'] = `Bearer ${bearer}`;
    if (extra.body !== undefined) headers['Content-Type'] = 'application/json';

    let answer: FetchAnswer;
    let raw: string;
    try {
      const body = extra.body === undefined ? {} : { body: JSON.stringify(extra.body) };
      const timeoutMs = extra.quick ? LINK_TIMEOUT_MS : extra.slow || extra.raw === 'blob' ? FILE_TIMEOUT_MS : TIMEOUT_MS;
      answer = await options.fetch(path, { method, headers, timeoutMs, ...body });
      if (extra.raw === 'blob' && answer.status === 200) return await answer.blob?.();
      raw = await answer.text();
    } catch {
      options.onAnswer?.(false);
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
      options.onAnswer?.(false);
      if (extra.raw) return raw;
      if (!readable) throw new ApiError('unexpected', answer.status, NO_PROBLEM);
      return body;
    }
    if (answer.status === 401 && kept !== null && kept.id !== refused) {
      refused = kept.id;
      // Another tab may have signed in anew meanwhile; then only the old sign-in is refused.
      if (options.credential()?.id === kept.id) options.onRefused();
    }
    if (answer.status === 403 && kept !== null) options.onForbidden?.();
    const seconds = Number(answer.headers.get('Retry-After') ?? Number.NaN);
    const after = Number.isFinite(seconds) ? seconds * 1000 : null;
    const error = new ApiError('problem', answer.status, wire.readProblem(body), after, body);
    options.onAnswer?.(error.asleep);
    throw error;
  }

  const get = (path: string) => send('GET', path);
  const post = (path: string, body: unknown = {}) => send('POST', path, { body });
  return {
    send,
    get,
    post,

    async bootstrap(): Promise<wire.Bootstrap> {
      return wire.readBootstrap(await send('GET', '/api/bootstrap', { as: null }));
    },

    /** Trades the one-time code of a link for a bearer. */
    async handshake(code: string): Promise<string> {
      const answer = await send('POST', '/api/auth/handshake', {
        as: null,
        body: { code },
        headers: { 'X-Room-Handshake': '1' },
      });
      const token = wire.fields(answer)['token'];
      if (typeof token !== 'string' || token === '') throw new ApiError('unexpected', 200, NO_PROBLEM);
      return token;
    },

    async verify(quick = false): Promise<wire.Verified> {
      return wire.readVerified(await send('GET', '/api/auth/verify', { quick }));
    },

    async signOut(): Promise<void> {
      await send('DELETE', '/api/auth/session');
    },

    async ticket(): Promise<string> {
      const ticket = wire.fields(await send('POST', '/api/auth/ws-ticket', { body: {}, quick: true }))['ticket'];
      if (typeof ticket !== 'string' || ticket === '') throw new ApiError('unexpected', 200, NO_PROBLEM);
      return ticket;
    },

    async status(): Promise<wire.RoomStatus> {
      return wire.readRoomStatus(await get('/api/status'));
    },

    async providers(): Promise<wire.ProviderHead[]> {
      return wire.readProviders(await get('/api/providers'));
    },

    async statuses(probe = false): Promise<Record<string, wire.StatusHead>> {
      return wire.readStatuses(await get(`/api/providers/status${probe ? '?refresh=1' : ''}`));
    },
  };
}

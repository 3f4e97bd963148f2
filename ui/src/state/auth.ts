// Whether this browser is signed in, and why not.
//
// Where the Room is local, the page keeps a bearer of its own origin; where it is hosted, the browser
// keeps a cookie that no script sees. What only happens as one arrives from elsewhere is in `arrive`,
// which is loaded then.

import { signal } from '@preact/signals-core';
import { ApiError, type Client, type Credential } from '../api/client';
import type { Bootstrap, Problem, Verified } from '../api/wire';
import { latest } from './latest';
import type { SafeStorage } from './storage';

export type AuthPhase = 'starting' | 'asking' | 'signed_in' | 'signed_out';

/** Why the connect page is shown. */
export type SignedOutReason =
  | 'no_code'
  | 'code_refused'
  | 'page_refused'
  | 'limited'
  | 'unreachable'
  | 'unexpected'
  | 'ended'
  | 'revoked'
  | 'signed_out'
  | 'token_refused'
  | 'role_refused'
  | 'pair_refused'
  | 'cloudflare_refused'
  | 'no_keys';

/** What the address of a page brought along. */
export interface Arrival {
  kind: 'code' | 'token' | 'pair';
  secret: string;
}

/** The parts of this module that `arrive` works with. */
export interface Inside {
  client: Client;
  instanceId(): string | null;
  device: AuthPlatform['device'];
  /** The page is on another origin than its Room. */
  apart(): boolean;
  /** Keeps a bearer in memory, or drops it. */
  carry(token: string | null): void;
  accept(who: Verified): void;
  ask(question: Question): void;
  out(why: SignedOutReason, error?: ApiError): void;
  explain(error: unknown, refused: SignedOutReason): void;
}

/** Someone else is signed in on this browser: asked before that is replaced. */
export interface Question {
  arrival: Arrival;
  /** Who is signed in now. */
  current: Verified;
  /** Who comes, where that can be told. */
  next: string | null;
}

export const TOKEN_KEY = 'room.token';

/** Says to a hosted page, and to its other tabs, that this browser has signed in. Lets nobody in. */
export const MARK_KEY = 'room.signed-in';

/** After these the same arrival may work in a moment. */
const PASSING: SignedOutReason[] = ['unreachable', 'unexpected', 'limited', 'no_keys'];

export interface AuthPlatform {
  storage: SafeStorage;
  /** This page came from the network, not from this machine: its Room is hosted. */
  hosted: boolean;
  now(): number;
  /** What the browser says of itself, and how many fingers it feels. */
  device(): [agent: string, touch: number];
  /** Looks for a Room elsewhere, named in a file beside this page, and turns to it. */
  elsewhere(): Promise<Partial<Bootstrap> | null>;
}

export type Auth = ReturnType<typeof createAuth>;

export function createAuth(client: Client, platform: AuthPlatform) {
  const { storage } = platform;
  const phase = signal<AuthPhase>('starting');
  const reason = signal<SignedOutReason>('no_code');
  const problem = signal<Problem | null>(null);
  const retryAfterMs = signal<number | null>(null);
  const bootstrap = signal<Bootstrap | null>(null);
  const verified = signal<Verified | null>(null);
  const question = signal<Question | null>(null);
  const busy = signal(false);
  /** Of a page on another origin than its Room: in memory, and nowhere else. */
  let bearer: string | null = null;
  /** What the file beside such a page says. */
  let apart: Partial<Bootstrap> | null = null;
  /** Rises with each sign-in that the cookie may stand for. */
  let era = 0;
  /** What brought one here and is not decided yet. */
  let pending: Arrival | null = null;
  /** To the question who is signed in. */
  const answers = latest();

  const cloud = () => (bootstrap.value === null ? platform.hosted : bootstrap.value.mode === 'cloud');

  function out(why: SignedOutReason, error?: ApiError): void {
    reason.value = why;
    problem.value = error?.problem ?? null;
    retryAfterMs.value = error?.retryAfterMs ?? null;
    answers.told();
    verified.value = null;
    phase.value = 'signed_out';
  }

  function explain(error: unknown, refused: SignedOutReason): void {
    if (!(error instanceof ApiError)) throw error;
    // The Room itself says 503 of the keys of an issuer; else it was something in front of it.
    if (error.status === 503 && error.problem.code !== null && cloud()) out('no_keys', error);
    else if (error.kind === 'unreachable' || [502, 503, 504].includes(error.status)) out('unreachable', error);
    else if (error.kind === 'unexpected') out('unexpected', error);
    else if (error.status === 429) out('limited', error);
    else if (error.status === 403 && error.code === 'not_allowed') out('role_refused', error);
    else if (error.status === 403 || error.status === 421) out('page_refused', error);
    else if (error.status === 400 || error.status === 401 || error.status === 410 || error.status === 422) out(refused, error);
    else out('unexpected', error);
  }

  /** Learns how this Room is entered. Public, and for a local Room not needed: a failure leaves it unknown. */
  async function learn(): Promise<ApiError | null> {
    for (;;) {
      try {
        bootstrap.value = { ...(await client.bootstrap()), ...apart };
        return null;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.kind === 'unexpected' || error.status === 404) {
          if (apart === null && (apart = await platform.elsewhere()) !== null) continue;
        }
        return error;
      }
    }
  }

  function accept(who: Verified): void {
    // Nothing of someone else may stay on the page.
    if (verified.value !== null && !samePerson(who, verified.value)) out('signed_out');
    pending = null;
    question.value = null;
    answers.told();
    verified.value = who;
    if (cloud() && apart === null) storage.set(MARK_KEY, String(platform.now()));
    phase.value = 'signed_in';
  }

  async function prove(): Promise<void> {
    era += 1;
    try {
      accept(await client.verify());
    } catch (error) {
      if (error instanceof ApiError && error.unauthorized) forget();
      explain(error, cloud() && storage.get(MARK_KEY) === null ? 'no_code' : 'ended');
    }
  }

  function forget(): void {
    bearer = null;
    storage.remove(TOKEN_KEY);
  }

  async function trade(code: string): Promise<boolean> {
    try {
      storage.set(TOKEN_KEY, await client.handshake(code));
      return true;
    } catch (error) {
      explain(error, 'code_refused');
      return false;
    }
  }

  async function guarded(action: () => Promise<void>): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    try {
      await action();
    } finally {
      busy.value = false;
    }
  }

  async function beginLocal(code: string | null, error: ApiError | null): Promise<void> {
    const had = storage.get(TOKEN_KEY) !== null;
    // A link opened twice, or restored by the browser, is refused; the sign-in it gave still holds.
    if (code !== null && !(await trade(code)) && !(had && reason.value === 'code_refused')) return;
    if (storage.get(TOKEN_KEY) !== null) await prove();
    else if (code === null && error !== null) explain(error, 'no_code');
    else out(code === null ? 'no_code' : 'code_refused');
    if (code !== null && had && phase.value === 'signed_out' && reason.value === 'ended') out('code_refused');
  }

  async function beginHosted(): Promise<void> {
    if (pending === null || pending.kind === 'code') {
      // What was in memory is gone with the page that had it.
      if (apart !== null && bearer === null) out('no_code');
      else await prove();
      return;
    }
    const { arrive } = await import('./arrive');
    await arrive(inside, pending);
  }

  async function start(): Promise<void> {
    const error = await learn();
    const code = pending?.kind === 'code' ? pending.secret : null;
    if (cloud() && error !== null) explain(error, 'unexpected');
    else if (cloud()) await beginHosted();
    else await beginLocal(code, error);
  }

  const inside: Inside = {
    client,
    instanceId: () => bootstrap.value?.instanceId ?? null,
    device: platform.device,
    apart: () => apart !== null,
    carry(token) {
      bearer = token;
    },
    accept(who) {
      // A cookie was set: what was refused before says nothing of it.
      era += 1;
      accept(who);
    },
    ask(next) {
      question.value = next;
      phase.value = 'asking';
    },
    out,
    explain,
  };

  return {
    phase,
    reason,
    /** The Room's own words on the last refusal. */
    problem,
    retryAfterMs,
    bootstrap,
    verified,
    question,
    busy,
    cloud,
    /** The page is on another origin than its Room. */
    apart: () => apart !== null,

    credential(): Credential | null {
      if (bearer !== null) return { id: bearer, bearer };
      if (cloud()) return apart !== null ? null : { id: `cookie ${era}`, bearer: null };
      const token = storage.get(TOKEN_KEY);
      return token === null ? null : { id: token, bearer: token };
    },

    can(permission: string): boolean {
      return verified.value?.permissions.includes(permission) ?? false;
    },

    /** First steps of a page: takes what its address brought, else tries the sign-in it kept. */
    async begin(arrival: Arrival | null): Promise<void> {
      pending = arrival;
      await guarded(start);
    },

    /** A code that was typed or pasted on the connect page of a local Room. */
    async enter(code: string): Promise<void> {
      await guarded(async () => {
        if (await trade(code)) await prove();
      });
    },

    /** A pairing code that was typed or pasted. False if it cannot be one. */
    async pair(text: string): Promise<boolean> {
      const { pairingCode, take } = await import('./arrive');
      const secret = pairingCode(text);
      if (secret === null) return false;
      await guarded(() => take(inside, { kind: 'pair', secret }, null));
      return true;
    },

    /** Cloudflare Access stands in front and says who one is. */
    async cloudflare(): Promise<void> {
      const { cloudflare } = await import('./arrive');
      await guarded(() => cloudflare(inside));
    },

    /** The answer to the question whether to replace who is signed in. */
    async answer(yes: boolean): Promise<void> {
      const asked = question.value;
      if (asked === null) return;
      if (!yes) return accept(asked.current);
      const { take } = await import('./arrive');
      await guarded(() => take(inside, asked.arrival, null));
    },

    async retry(): Promise<void> {
      if (!PASSING.includes(reason.value)) pending = null;
      await guarded(start);
    },

    /** Another tab signed in or out. */
    async adopt(value: string | null): Promise<void> {
      if (value === null) {
        if (phase.value === 'signed_in') out('signed_out');
        return;
      }
      if (phase.value === 'signed_out') await guarded(prove);
      else await this.refresh();
    },

    /** Asks anew what this sign-in may do: a role can change while a page is open. */
    async refresh(): Promise<void> {
      if (phase.value !== 'signed_in') return;
      const counts = answers.ask();
      try {
        const who = await client.verify();
        if (!counts()) return;
        if (samePerson(who, verified.value)) verified.value = who;
        else accept(who);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
      }
    },

    /** The Room does not take this sign-in any more. */
    ended(why: 'ended' | 'revoked' = 'ended'): void {
      if (phase.value !== 'signed_in') return;
      forget();
      out(why);
    },

    /** The error is why this browser is still signed in: only a hosted Room can end its cookie. */
    async signOut(): Promise<ApiError | null> {
      try {
        await client.signOut();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // A local Room that is down has ended its sign-ins by itself.
        if (cloud() && !error.unauthorized) return error;
      }
      forget();
      storage.remove(MARK_KEY);
      out('signed_out');
      return null;
    },
  };
}

export function samePerson(one: Verified | null, other: Pick<Verified, 'issuer' | 'subject'> | null): boolean {
  return one !== null && other !== null && one.issuer === other.issuer && one.subject === other.subject;
}

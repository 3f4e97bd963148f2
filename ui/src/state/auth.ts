// Whether this browser is signed in, and why not.

import { signal } from '@preact/signals-core';
import { ApiError, type Client } from '../api/client';
import type { Bootstrap, Problem, Verified } from '../api/wire';
import type { SafeStorage } from './storage';
import { linkCode } from './plain';

export type AuthPhase = 'starting' | 'signed_in' | 'signed_out';

/** Why the connect page is shown. */
export type SignedOutReason =
  'no_code' | 'code_refused' | 'page_refused' | 'limited' | 'unreachable' | 'unexpected' | 'ended' | 'signed_out';

export const TOKEN_KEY = 'room.token';

export type Auth = ReturnType<typeof createAuth>;

export function createAuth(client: Client, storage: SafeStorage) {
  const phase = signal<AuthPhase>('starting');
  const reason = signal<SignedOutReason>('no_code');
  const problem = signal<Problem | null>(null);
  const retryAfterMs = signal<number | null>(null);
  const bootstrap = signal<Bootstrap | null>(null);
  const verified = signal<Verified | null>(null);
  const busy = signal(false);

  function out(why: SignedOutReason, error?: ApiError): void {
    reason.value = why;
    problem.value = error?.problem ?? null;
    retryAfterMs.value = error?.retryAfterMs ?? null;
    verified.value = null;
    phase.value = 'signed_out';
  }

  function explain(error: unknown, refused: SignedOutReason): void {
    if (!(error instanceof ApiError)) throw error;
    if (error.kind === 'unreachable' || [502, 503, 504].includes(error.status)) out('unreachable', error);
    else if (error.kind === 'unexpected') out('unexpected', error);
    else if (error.status === 429) out('limited', error);
    else if (error.status === 403 || error.status === 421) out('page_refused', error);
    else if (error.status === 400 || error.status === 401 || error.status === 410 || error.status === 422) out(refused, error);
    else out('unexpected', error);
  }

  /** Learns how this Room is entered. Public, and not needed to get in: a failure leaves it unknown. */
  async function learn(): Promise<boolean> {
    try {
      bootstrap.value = await client.bootstrap();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return false;
    }
  }

  async function prove(): Promise<void> {
    try {
      verified.value = await client.verify();
      phase.value = 'signed_in';
    } catch (error) {
      if (error instanceof ApiError && error.unauthorized) storage.remove(TOKEN_KEY);
      explain(error, 'ended');
    }
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

  return {
    phase,
    reason,
    /** The Room's own words on the last refusal. */
    problem,
    retryAfterMs,
    bootstrap,
    verified,
    busy,

    token(): string | null {
      return storage.get(TOKEN_KEY);
    },

    /** First steps of a page: trades the code of its address, else tries the sign-in it kept. */
    async begin(code: string | null): Promise<void> {
      await guarded(async () => {
        const learned = learn();
        const had = storage.get(TOKEN_KEY) !== null;
        // A link opened twice, or restored by the browser, is refused; the sign-in it gave still holds.
        if (code !== null && !(await trade(code)) && !(had && reason.value === 'code_refused')) return void (await learned);
        if (storage.get(TOKEN_KEY) === null) out(code === null ? 'no_code' : 'code_refused');
        else await prove();
        if (code !== null && had && phase.value === 'signed_out' && reason.value === 'ended') out('code_refused');
        await learned;
      });
    },

    /** What was typed or pasted on the connect page: a link or its code. False if it holds neither. */
    async enter(text: string): Promise<boolean> {
      const code = linkCode(text);
      if (code === null) return false;
      await guarded(async () => {
        if (await trade(code)) await prove();
      });
      return true;
    },

    async retry(): Promise<void> {
      await guarded(async () => {
        if (storage.get(TOKEN_KEY) !== null) await prove();
        else out((await learn()) ? 'no_code' : 'unreachable');
      });
    },

    /** Another tab signed in or out. */
    async adopt(token: string | null): Promise<void> {
      if (token === null) {
        if (phase.value === 'signed_in') out('signed_out');
      } else if (phase.value === 'signed_out') {
        await guarded(prove);
      }
    },

    /** The Room does not take the token any more. */
    ended(): void {
      storage.remove(TOKEN_KEY);
      if (phase.value === 'signed_in') out('ended');
    },

    async signOut(): Promise<void> {
      try {
        await client.signOut();
      } catch (error) {
        // Out here in any case; a Room that is down ends its sign-ins by itself.
        if (!(error instanceof ApiError)) throw error;
      }
      storage.remove(TOKEN_KEY);
      out('signed_out');
    },
  };
}

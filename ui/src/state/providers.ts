// What providers there are, and how each stands.

import { signal } from '@preact/signals-core';
import { ApiError, type Client } from '../api/client';
import type { Timers } from '../api/socket';
import type { Provider, ProviderStatus } from '../api/wire';
import type { Disconnected } from '../api/wire-login';

/** Changes come in bursts (a status, a session, an update); one question answers them all. */
const GATHER_MS = 80;

export type Work = 'checking' | 'disconnecting';

export type Outcome =
  | { kind: 'checked'; connected: boolean | null }
  | { kind: 'disconnected'; result: Disconnected }
  | { kind: 'error'; error: ApiError };

export type Providers = ReturnType<typeof createProviders>;

export function createProviders(client: Client, timers: Timers) {
  const table = signal<Provider[] | null>(null);
  const statuses = signal<Record<string, ProviderStatus>>({});
  const known = signal(false);
  const error = signal<ApiError | null>(null);
  const work = signal<Record<string, Work | undefined>>({});
  const outcomes = signal<Record<string, Outcome | undefined>>({});
  let pending: unknown = null;

  const calls = async () => (await import('../api/login')).loginCalls(client);

  async function refresh(probe = false): Promise<void> {
    try {
      if (table.value === null) {
        const [rows, states] = await Promise.all([client.providers(), client.statuses(probe)]);
        table.value = rows;
        statuses.value = states;
      } else {
        statuses.value = await client.statuses(probe);
      }
      known.value = true;
      error.value = null;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
  }

  async function during(id: string, kind: Work, action: () => Promise<Outcome>): Promise<void> {
    if (work.value[id] !== undefined) return;
    work.value = { ...work.value, [id]: kind };
    let outcome: Outcome;
    try {
      outcome = await action();
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      outcome = { kind: 'error', error: reason };
    }
    outcomes.value = { ...outcomes.value, [id]: outcome };
    work.value = { ...work.value, [id]: undefined };
  }

  return {
    table,
    statuses,
    /** Something was read at least once. */
    known,
    error,
    work,
    outcomes,
    refresh,

    /** Asks again soon, once for all who say so meanwhile. */
    stale(): void {
      if (pending !== null) return;
      pending = timers.set(() => {
        pending = null;
        void refresh();
      }, GATHER_MS);
    },

    /** Asks the program itself whether it is signed in. */
    check(id: string): Promise<void> {
      return during(id, 'checking', async () => {
        await (await calls()).check(id);
        await refresh();
        return { kind: 'checked', connected: statuses.value[id]?.connected ?? null };
      });
    },

    /** Looks for the program again, after someone has installed it. */
    probe(id: string): Promise<void> {
      return during(id, 'checking', async () => {
        await refresh(true);
        return { kind: 'checked', connected: statuses.value[id]?.connected ?? null };
      });
    },

    disconnect(id: string): Promise<void> {
      return during(id, 'disconnecting', async () => {
        const result = await (await calls()).disconnect(id);
        await refresh();
        return { kind: 'disconnected', result };
      });
    },

    dismiss(id: string): void {
      outcomes.value = { ...outcomes.value, [id]: undefined };
    },

    clear(): void {
      timers.clear(pending);
      pending = null;
      statuses.value = {};
      known.value = false;
      work.value = {};
      outcomes.value = {};
    },
  };
}

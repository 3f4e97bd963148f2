// What providers there are, and how each stands: as much as every page needs. `manage` has the rest.

import { signal } from '@preact/signals-core';
import { ApiError, type Client } from '../api/client';
import type { Timers } from '../api/socket';
import type { ProviderHead, StatusHead } from '../api/wire';

/** Changes come in bursts (a status, a session, an update); one question answers them all. */
const GATHER_MS = 80;

export type Providers = ReturnType<typeof createProviders>;

export function createProviders(client: Client, timers: Timers) {
  const table = signal<ProviderHead[] | null>(null);
  const statuses = signal<Record<string, StatusHead>>({});
  const known = signal(false);
  const error = signal<ApiError | null>(null);
  let pending: unknown = null;

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

  return {
    table,
    statuses,
    /** Something was read at least once. */
    known,
    error,
    refresh,

    /** Asks again soon, once for all who say so meanwhile. */
    stale(): void {
      if (pending !== null) return;
      pending = timers.set(() => {
        pending = null;
        void refresh();
      }, GATHER_MS);
    },

    clear(): void {
      timers.clear(pending);
      pending = null;
      statuses.value = {};
      known.value = false;
    },
  };
}

// What providers there are, and how each stands: as much as every page needs. `manage` has the rest.

import { signal } from '@preact/signals-core';
import { ApiError, type Client } from '../api/client';
import type { Timers } from '../api/socket';
import type { ProviderHead, StatusHead } from '../api/wire';
import { latest } from './latest';

/** Changes come in bursts (a status, a session, an update); one question answers them all. */
const GATHER_MS = 80;

export type Providers = ReturnType<typeof createProviders>;

export function createProviders(client: Client, timers: Timers) {
  const table = signal<ProviderHead[] | null>(null);
  const statuses = signal<Record<string, StatusHead>>({});
  const known = signal(false);
  const error = signal<ApiError | null>(null);
  const answers = latest();
  let pending: unknown = null;

  async function refresh(probe = false): Promise<void> {
    let counts = answers.ask();
    try {
      if (probe) {
        // It takes its time. What others asked meanwhile is not newer, so it is asked once more.
        await client.statuses(true);
        counts = answers.ask();
      }
      const [rows, states] = await Promise.all([table.value ?? client.providers(), client.statuses()]);
      if (!counts()) return;
      table.value = rows;
      statuses.value = states;
      known.value = true;
      error.value = null;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (counts()) error.value = reason;
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
      answers.told();
      timers.clear(pending);
      pending = null;
      statuses.value = {};
      known.value = false;
    },
  };
}

// What the pages about providers know and do: each provider whole, its sign-ins and installs, its key.

import { computed, signal } from '@preact/signals-core';
import { ApiError, type Client } from '../api/client';
import { loginCalls } from '../api/login';
import type { Link, Timers } from '../api/socket';
import type { StatusHead } from '../api/wire';
import { readProvider, readStatus, type Disconnected, type KeyCheck, type ProviderStatus } from '../api/wire-provider';
import { createLogins } from './logins';
import type { Providers } from './providers';

export type Work = 'checking' | 'disconnecting' | 'removing_key';

/** How the last thing that was asked for went. */
export type Outcome =
  | { kind: 'checked'; connected: boolean | null; key: KeyCheck | null }
  | { kind: 'disconnected'; result: Disconnected }
  | { kind: 'key_removed' }
  | { kind: 'error'; error: ApiError };

export interface ManageOptions {
  client: Client;
  link: Pick<Link, 'subscribe'>;
  timers: Timers;
  providers: Providers;
  isLive(): boolean;
}

export type Manage = ReturnType<typeof createManage>;

export function createManage({ client, link, timers, providers, isLive }: ManageOptions) {
  const calls = loginCalls(client);
  const sessions = { client, link, timers, isLive, onTurn: () => providers.stale() };
  const logins = createLogins({ ...sessions, kind: 'auth' });
  const installs = createLogins({ ...sessions, kind: 'install' });
  const table = computed(() => providers.table.value?.map(readProvider) ?? null);
  const statuses = computed(() => {
    const rows: Record<string, ProviderStatus> = {};
    for (const [id, head] of Object.entries(providers.statuses.value)) rows[id] = readStatus(head);
    return rows;
  });
  const work = signal<Record<string, Work | undefined>>({});
  const outcomes = signal<Record<string, Outcome | undefined>>({});

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

  const connected = (id: string) => providers.statuses.value[id]?.connected ?? null;

  return {
    table,
    statuses,
    logins,
    installs,
    work,
    outcomes,

    /** Follows what runs already, wherever it was started. */
    join(rows: Record<string, StatusHead>): void {
      for (const [id, { liveSessionId, installSessionId }] of Object.entries(rows)) {
        if (liveSessionId !== null) void logins.join(id, liveSessionId);
        if (installSessionId !== null) void installs.join(id, installSessionId);
      }
    },

    /** Asks the program itself whether it is signed in, and the vendor whether the key works. */
    check(id: string): Promise<void> {
      return during(id, 'checking', async () => {
        const key = await calls.check(id);
        await providers.refresh();
        return { kind: 'checked', connected: connected(id), key };
      });
    },

    /** Looks for the program again, after someone has installed it. */
    probe(id: string): Promise<void> {
      return during(id, 'checking', async () => {
        await providers.refresh(true);
        return { kind: 'checked', connected: connected(id), key: null };
      });
    },

    disconnect(id: string): Promise<void> {
      return during(id, 'disconnecting', async () => {
        const result = await calls.disconnect(id);
        await providers.refresh();
        return { kind: 'disconnected', result };
      });
    },

    /** Gives the Room a key. It is kept nowhere here; the error is the reason it was not taken. */
    async setKey(id: string, key: string, replace: boolean): Promise<ApiError | null> {
      try {
        await calls.setKey(id, key, replace);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return error;
      }
      outcomes.value = { ...outcomes.value, [id]: undefined };
      await providers.refresh();
      return null;
    },

    removeKey(id: string): Promise<void> {
      return during(id, 'removing_key', async () => {
        await calls.removeKey(id);
        await providers.refresh();
        return { kind: 'key_removed' };
      });
    },

    dismiss(id: string): void {
      outcomes.value = { ...outcomes.value, [id]: undefined };
    },

    clear(): void {
      logins.clear();
      installs.clear();
      work.value = {};
      outcomes.value = {};
    },
  };
}

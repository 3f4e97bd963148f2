// One page's whole state, built once from the platform it is handed, and the rules between its parts.

import { batch, effect, signal, untracked } from '@preact/signals-core';
import { ApiError, createClient, type Fetch } from '../api/client';
import { createLink, type LinkPhase, type SocketEvents, type SocketLike, type Timers } from '../api/socket';
import type { RoomStatus } from '../api/wire';
import { createAuth, type AuthPlatform } from './auth';
import { latest } from './latest';
import type { Manage } from './manage';
import { createProviders } from './providers';
import type { SafeStorage } from './storage';

export interface Platform extends Pick<AuthPlatform, 'hosted' | 'device' | 'elsewhere'> {
  fetch: Fetch;
  openSocket(protocols: string[], events: SocketEvents): SocketLike;
  timers: Timers;
  random(): number;
  storage: SafeStorage;
  /** The build id of the page that runs. */
  build: string;
  /** The Room has greeted with the build that it serves; `offer` is for another one that is ready. */
  greeted(served: string, offer: (apply: () => void) => void): void;
}

export type Theme = 'system' | 'light' | 'dark';

const THEME_KEY = 'room.theme';

/** When the Room was last heard of, for a page that is opened while it is away. */
export const HEARD_KEY = 'room.heard';
const HEARD_EVERY_MS = 10_000;

/** A machine that sleeps takes a while to start; its proxy answers meanwhile. */
export const WAKING_MS = 30_000;
const WAKING_AGAIN_MS = 1_500;

export type Room = ReturnType<typeof createRoom>;

export function createRoom(platform: Platform) {
  const { storage, timers } = platform;
  const linkPhase = signal<LinkPhase>('idle');
  const heardAt = signal<number | null>(null);
  /** Server time less our time. */
  const clockOffset = signal(0);
  const expiringAt = signal<number | null>(null);
  const status = signal<RoomStatus | null>(null);
  const statusError = signal<ApiError | null>(null);
  /** Since when a proxy has answered in the Room's place; null while it does not. */
  const asleepAt = signal<number | null>(null);
  /** Another build of this page is ready: what puts it in this one's place. */
  const newBuild = signal<(() => void) | null>(null);
  const said = signal('');
  let heardKept = 0;
  const theme = signal<Theme>(readTheme(storage.get(THEME_KEY)));

  const client = createClient({
    fetch: platform.fetch,
    credential: () => auth.credential(),
    onRefused: () => auth.ended(),
    onForbidden: () => void auth.refresh(),
    onAnswer: (asleep) => {
      asleepAt.value = asleep && auth.cloud() ? (asleepAt.peek() ?? timers.now()) : null;
    },
    again: () =>
      new Promise((resolve) => {
        if (starting()) timers.set(() => resolve(true), WAKING_AGAIN_MS);
        else resolve(false);
      }),
  });
  const starting = () => asleepAt.peek() !== null && timers.now() - (asleepAt.peek() as number) < WAKING_MS;
  const auth: ReturnType<typeof createAuth> = createAuth(client, {
    ...platform,
    now: timers.now,
  });
  const providers = createProviders(client, timers);

  const link = createLink({
    // With a cookie none is needed; after a failure the same question tells an end from a bad network.
    ticket: async (again) => {
      if (auth.credential()?.bearer !== null) return client.ticket();
      if (again) await client.verify(true);
      return null;
    },
    open: platform.openSocket,
    timers,
    asleep: starting,
    random: platform.random,
    onPhase: (phase) => {
      linkPhase.value = phase;
    },
    onHeard: () => {
      const now = (heardAt.value = timers.now());
      if (now - heardKept < HEARD_EVERY_MS) return;
      heardKept = now;
      storage.set(HEARD_KEY, String(now));
    },
    onHello: (hello) => {
      if (hello.now !== null) clockOffset.value = hello.now - timers.now();
      expiringAt.value = asleepAt.value = null;
      void refreshStatus();
      if (!auth.apart() && hello.build !== null) {
        platform.greeted(hello.build, (apply) => {
          newBuild.value = apply;
        });
      }
    },
    onExpiring: (at) => {
      expiringAt.value = at;
      if (auth.cloud()) void auth.refresh();
    },
    onSignedOut: (why) => auth.ended(why),
  });

  let manage: Manage | null = null;

  /** Loaded with the first page about providers, or the first session that runs. */
  async function openManage(): Promise<Manage> {
    const { createManage } = await import('./manage');
    return (manage ??= createManage({ client, link, timers, providers, isLive: () => linkPhase.peek() === 'live' }));
  }

  link.subscribe('providers', {
    snapshot: () => providers.stale(),
    event: () => providers.stale(),
    missed: () => providers.stale(),
  });

  const answers = latest();

  async function refreshStatus(): Promise<void> {
    const counts = answers.ask();
    try {
      const found = await client.status();
      if (!counts()) return;
      status.value = found;
      statusError.value = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (counts()) statusError.value = error;
    }
  }

  effect(() => {
    const phase = auth.phase.value;
    if (phase === 'signed_in') {
      // Nothing that is read on the way may start it all again.
      untracked(() => {
        link.start();
        void providers.refresh();
        void refreshStatus();
      });
    } else if (phase === 'signed_out') {
      batch(() => {
        link.stop();
        manage?.clear();
        providers.clear();
        answers.told();
        status.value = null;
        expiringAt.value = null;
      });
    }
  });

  // A session started elsewhere is found through the providers' status, and shown here too.
  effect(() => {
    const rows = providers.statuses.value;
    if (Object.values(rows).some((row) => row.liveSessionId ?? row.installSessionId)) void openManage().then((opened) => opened.join(rows));
  });

  return {
    auth,
    client,
    timers,
    providers,
    openManage,
    /** For the pages that were loaded with it. */
    get manage(): Manage {
      if (manage === null) throw new Error('a page about providers is drawn before its state is there');
      return manage;
    },
    link,
    linkPhase,
    heardAt,
    clockOffset,
    expiringAt,
    asleepAt,
    status,
    statusError,
    refreshStatus,
    newBuild,
    build: platform.build,
    now: () => timers.now(),
    storage,
    theme,
    setTheme(next: Theme): void {
      theme.value = next;
      storage.set(THEME_KEY, next);
    },
    /** The one polite announcement, for screen readers. */
    said,
    say(text: string): void {
      // The same again is a change too, or it would not be read out.
      said.value = text === said.value ? `${text}\u00A0` : text;
    },
  };
}

function readTheme(kept: string | null): Theme {
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

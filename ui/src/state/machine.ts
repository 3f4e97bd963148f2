// How busy the machine is, looked at every few seconds while someone looks: the newest figures, and the
// last minutes of them to draw.

import { signal } from '@preact/signals-core';
import { ApiError, type Client } from '../api/client';
import { figures, type Figures } from '../api/machine';
import type { Timers } from '../api/socket';

/** Often enough to be called live, seldom enough to cost nothing. */
export const LOOK_MS = 4_000;
/** How busy the processors are, two looks tell: the second one comes soon. */
export const SECOND_MS = 1_000;
/** What is drawn at most: so much time, from right to left. */
export const WINDOW_MS = 5 * 60_000;
/** And at least, so that the first seconds do not look like hours. */
export const LEAST_MS = 60_000;

export interface Sample {
  /** By this page's clock. */
  at: number;
  /** Parts of the whole, 0 to 1. */
  cpu: number | null;
  memory: number | null;
}

/** How busy the processors were between two looks. */
function between(before: Figures | null, now: Figures): number | null {
  if (before?.ticks == null || before.busyTicks === null || now.ticks === null || now.busyTicks === null) return null;
  // A machine that was started anew counts from zero.
  const ticks = now.ticks - before.ticks;
  return ticks <= 0 ? null : Math.min(Math.max((now.busyTicks - before.busyTicks) / ticks, 0), 1);
}

export function sampleOf(before: Figures | null, now: Figures, at: number): Sample {
  const { memoryBytes, availableBytes } = now;
  return {
    at,
    cpu: between(before, now),
    memory: memoryBytes === null || availableBytes === null || memoryBytes <= 0 ? null : 1 - availableBytes / memoryBytes,
  };
}

/** The samples within the window, oldest first. */
export function kept(samples: readonly Sample[], next: Sample): Sample[] {
  return [...samples.filter(({ at }) => at > next.at - WINDOW_MS && at < next.at), next];
}

/**
 * An SVG path through the values, the newest at the right edge, the whole at the top. A gap in time or a value
 * that is not known starts the line anew.
 */
export function line(samples: readonly Sample[], of: 'cpu' | 'memory', width: number, height: number): string {
  const newest = samples.at(-1)?.at ?? 0;
  const span = Math.max(LEAST_MS, newest - (samples[0]?.at ?? newest));
  let path = '';
  let before: number | null = null;
  for (const sample of samples) {
    const value = sample[of];
    if (value === null) {
      before = null;
      continue;
    }
    const x = width * (1 - (newest - sample.at) / span);
    const y = height * (1 - Math.min(value, 1));
    const joined = before !== null && sample.at - before < 4 * LOOK_MS;
    path += `${joined ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    before = sample.at;
  }
  return path;
}

export interface MachineOptions {
  client: Pick<Client, 'get'>;
  timers: Timers;
  /** Whether it is worth asking now: the page is looked at, and the Room is there. */
  isWatched(): boolean;
}

export type Machine = ReturnType<typeof createMachine>;

export function createMachine({ client, timers, isWatched }: MachineOptions) {
  const newest = signal<Figures | null>(null);
  const samples = signal<Sample[]>([]);
  const error = signal<ApiError | null>(null);

  async function look(): Promise<void> {
    try {
      const found = await figures(client);
      const before = newest.value;
      newest.value = found;
      samples.value = kept(samples.value, sampleOf(before, found, timers.now()));
      error.value = null;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
  }

  return {
    newest,
    samples,
    error,
    look,

    /** Looks from now on, until the answer is called. */
    watch(): () => void {
      let timer: unknown = null;
      let over = false;
      const next = async () => {
        if (isWatched()) await look();
        if (!over) timer = timers.set(next, samples.value.length === 1 ? SECOND_MS : LOOK_MS);
      };
      void next();
      return () => {
        over = true;
        timers.clear(timer);
      };
    },
  };
}

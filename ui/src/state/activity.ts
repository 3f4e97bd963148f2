// What happened on this Room, newest first: read by pages, kept up to date by its channel.

import { computed, signal } from '@preact/signals-core';
import { activityCalls, readEvent, readPage, type Event, type Kind, type Page } from '../api/activity';
import { ApiError, type Client } from '../api/client';
import type { Link } from '../api/socket';

/** As many as a page keeps; older ones are asked for again. */
export const MAX_EVENTS = 1000;

export interface Log {
  /** Newest first. */
  events: Event[];
  more: boolean;
}

/** Takes events in, in any order and as often as they come: an outcome stands where its intent stood. */
export function merged(log: Log, fresh: Event[]): Log {
  const bySeq = new Map(log.events.map((event) => [event.seq, event]));
  for (const event of fresh) bySeq.set(event.seq, event);
  for (const { intent } of [...bySeq.values()]) if (intent !== null) bySeq.delete(intent);
  const events = [...bySeq.values()].sort((one, other) => other.seq - one.seq);
  return { events: events.slice(0, MAX_EVENTS), more: log.more || events.length > MAX_EVENTS };
}

/** The most the Room gives at once; a search takes its steps as long as they may be. */
const STEP = 200;

/** What went wrong or was turned away. What someone cancelled did not, and of what runs nobody knows yet. */
export function isError({ action, outcome, detail }: Event): boolean {
  if (outcome === 'intent' || outcome === 'unknown' || detail['status'] === 'canceled') return false;
  return outcome !== 'ok' || action === 'access.refused' || ['degraded', 'stale', 'none'].includes(detail['status'] ?? '');
}

export interface ActivityOptions {
  client: Client;
  link: Pick<Link, 'subscribe'>;
}

export type Activity = ReturnType<typeof createActivity>;

export function createActivity({ client, link }: ActivityOptions) {
  const calls = activityCalls(client);
  const log = signal<Log | null>(null);
  const kind = signal<Kind | null>(null);
  /** Only errors are wanted. The Room cannot be asked for those alone, so they are picked out of what is here. */
  const errorsOnly = signal(false);
  const shown = computed(() => (errorsOnly.value ? (log.value?.events ?? []).filter(isError) : (log.value?.events ?? [])));
  const full = computed(() => (log.value?.events.length ?? 0) >= MAX_EVENTS);
  const error = signal<ApiError | null>(null);
  const busy = signal<'loading' | 'older' | null>(null);
  /** Rises with each choice of a kind, so that an answer to an old one is dropped. */
  let generation = 0;
  /** What the channel told before the first page was there. */
  let early: Event[] = [];

  const fits = (event: Event) => kind.value === null || event.action.startsWith(`${kind.value}.`);

  function put(page: Page): void {
    const known = log.value;
    const events = page.events.filter(fits);
    const newest = known?.events[0]?.seq ?? null;
    const oldest = events[0]?.seq ?? null;
    // What lies between was never seen: then only the new page is known.
    const gap = newest !== null && oldest !== null && oldest > newest + 1 && page.more;
    log.value = known === null || gap ? merged({ events: early, more: page.more }, events) : merged(known, events);
    early = [];
  }

  async function ask(how: 'loading' | 'older', before: number | null, limit: number | null = null): Promise<void> {
    const mine = generation;
    busy.value = how;
    try {
      const page = await calls.page(kind.value, before, limit);
      if (mine !== generation) return;
      if (before === null) put(page);
      else log.value = { ...merged(log.value ?? { events: [], more: false }, page.events), more: page.more };
      error.value = null;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (mine === generation) error.value = reason;
    } finally {
      if (mine === generation) busy.value = null;
    }
  }

  /** Goes back until one more error is found, all that a page keeps is here, or there is no more. */
  async function search(found: number): Promise<void> {
    const mine = generation;
    for (;;) {
      const last = log.value?.events.at(-1);
      const wanted = errorsOnly.value && shown.value.length <= found;
      if (!wanted || last === undefined || log.value?.more !== true || full.value || busy.value !== null) return;
      await ask('older', last.seq, STEP);
      if (mine !== generation || error.value !== null) return;
    }
  }

  async function load(): Promise<void> {
    const mine = generation;
    await ask('loading', null);
    if (mine === generation && error.value === null) await search(0);
  }

  return {
    log,
    /** Of the log, what is wanted. */
    shown,
    /** A page keeps no more than this. */
    full,
    kind,
    errorsOnly,
    error,
    busy,
    load,

    /** Keeps the list up to date until the answer is called. */
    open(): () => void {
      void load();
      return link.subscribe('activity', {
        snapshot(data) {
          const page = readPage(data);
          if (log.value === null) early.push(...page.events.filter(fits));
          else put(page);
        },
        event(_, data) {
          const event = readEvent(data);
          if (event === null || !fits(event)) return;
          if (log.value === null) early.push(event);
          else log.value = merged(log.value, [event]);
        },
        missed: () => void load(),
      });
    },

    older(): Promise<void> | undefined {
      const last = log.value?.events.at(-1);
      if (last === undefined || busy.value !== null) return undefined;
      return errorsOnly.value ? search(shown.value.length) : ask('older', last.seq);
    },

    onlyErrors(wanted: boolean): Promise<void> {
      errorsOnly.value = wanted;
      return search(0);
    },

    choose(next: Kind | null): void {
      if (next === kind.value) return;
      generation += 1;
      kind.value = next;
      log.value = null;
      early = [];
      error.value = null;
      void load();
    },

    all: calls.all,
  };
}

// What happened on this Room, newest first: read by pages, kept up to date by its channel.

import { signal } from '@preact/signals-core';
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

export interface ActivityOptions {
  client: Client;
  link: Pick<Link, 'subscribe'>;
}

export type Activity = ReturnType<typeof createActivity>;

export function createActivity({ client, link }: ActivityOptions) {
  const calls = activityCalls(client);
  const log = signal<Log | null>(null);
  const kind = signal<Kind | null>(null);
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

  async function ask(how: 'loading' | 'older', before: number | null): Promise<void> {
    const mine = generation;
    busy.value = how;
    try {
      const page = await calls.page(kind.value, before);
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

  return {
    log,
    kind,
    error,
    busy,
    load: () => ask('loading', null),

    /** Keeps the list up to date until the answer is called. */
    open(): () => void {
      void ask('loading', null);
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
        missed: () => void ask('loading', null),
      });
    },

    older(): Promise<void> | undefined {
      const last = log.value?.events.at(-1);
      return last === undefined || busy.value !== null ? undefined : ask('older', last.seq);
    },

    choose(next: Kind | null): void {
      if (next === kind.value) return;
      generation += 1;
      kind.value = next;
      log.value = null;
      early = [];
      error.value = null;
      void ask('loading', null);
    },

    all: calls.all,
  };
}

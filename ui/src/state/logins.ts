// The sessions of one kind, sign-ins or installs, that this page follows: one a provider, live over the
// socket, by asking while the socket is away.

import { signal, type Signal } from '@preact/signals-core';
import { ApiError, type Client } from '../api/client';
import type { Link, Timers } from '../api/socket';
import { loginCalls, type Beginning, type Kind } from '../api/login';
import { readLinesEvent, readSession, type SessionView } from '../api/wire-login';
import { begin, follows, withLines, withStatus, withView, type Login } from './session';

/** How often a sign-in is asked for while there is no live link. */
const POLL_MS = 3_000;

export interface LoginSlot {
  login: Signal<Login | null>;
  /** The request that starts, ends or renews a sign-in is under way. */
  busy: Signal<'starting' | 'cancelling' | null>;
  /** Why the last of those requests failed. */
  error: Signal<ApiError | null>;
  /** Whether the last sign-in was looked for, or why that could not be done. */
  loaded: Signal<boolean | ApiError>;
  /** The person wants to sign in anew: a sign-in that has ended is not shown. */
  afresh: Signal<boolean>;
  /** The person wants to see the other ways to sign in. */
  others: Signal<boolean>;
}

export interface LoginsOptions {
  kind: Kind;
  client: Pick<Client, 'get' | 'post' | 'send'>;
  link: Pick<Link, 'subscribe'>;
  timers: Timers;
  isLive(): boolean;
  /** A sign-in began or ended: what is known of the providers is old. */
  onTurn(): void;
}

export type Logins = ReturnType<typeof createLogins>;

export function createLogins({ kind, client: wire, link, timers, isLive, onTurn }: LoginsOptions) {
  const client = loginCalls(wire);
  const slots = new Map<string, LoginSlot>();
  /** The e-mail address of the last start, for the next with the same method. */
  const emails = new Map<string, string>();
  const following = new Map<string, { sessionId: string; leave: () => void; poll: unknown }>();

  function slot(provider: string): LoginSlot {
    let found = slots.get(provider);
    if (found === undefined) {
      found = {
        login: signal(null),
        busy: signal(null),
        error: signal(null),
        loaded: signal<boolean | ApiError>(false),
        afresh: signal(false),
        others: signal(false),
      };
      slots.set(provider, found);
    }
    return found;
  }

  function put(provider: string, next: Login): void {
    const { login } = slot(provider);
    const before = login.value;
    if (next === before) return;
    login.value = next;
    const turned = before === null || before.view.sessionId !== next.view.sessionId || before.view.active !== next.view.active;
    if (next.view.active) {
      slot(provider).afresh.value = false;
      follow(provider, next.view.sessionId);
    } else leave(provider);
    if (turned) onTurn();
  }

  function change(provider: string, sessionId: string, step: (login: Login) => Login): void {
    const current = slot(provider).login.value;
    if (current?.view.sessionId === sessionId) put(provider, step(current));
  }

  function leave(provider: string): void {
    const current = following.get(provider);
    following.delete(provider);
    if (current === undefined) return;
    timers.clear(current.poll);
    current.leave();
  }

  function follow(provider: string, sessionId: string): void {
    if (following.get(provider)?.sessionId === sessionId) return;
    leave(provider);
    const entry = { sessionId, leave: () => {}, poll: null as unknown };
    following.set(provider, entry);
    entry.leave = link.subscribe(`provider-${kind}:${sessionId}`, {
      snapshot(data) {
        const view = readSession(data);
        if (view !== null) change(provider, sessionId, (login) => withView(login, view));
      },
      event(name, data) {
        if (name.endsWith(':line')) {
          const lines = readLinesEvent(data);
          if (lines !== null) change(provider, sessionId, (login) => withLines(login, lines));
        } else if (name.endsWith(':status')) {
          const view = readSession(data);
          if (view !== null) change(provider, sessionId, (login) => withStatus(login, view));
        }
      },
      missed: () => void reload(provider, sessionId),
    });
    const ask = () => {
      entry.poll = timers.set(async () => {
        if (!isLive()) await reload(provider, sessionId);
        if (following.get(provider) === entry) ask();
      }, POLL_MS);
    };
    ask();
  }

  async function reload(provider: string, sessionId: string): Promise<void> {
    try {
      const view = await client.session(sessionId);
      if (view !== null) change(provider, sessionId, (login) => withView(login, view));
    } catch (error) {
      // The link shows that the Room does not answer; the sign-in is as it was last known.
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** `ours`: the answer to what was done here, after which nothing older counts. */
  function take(provider: string, view: SessionView, joined: boolean, ours = false): void {
    const current = slot(provider).login.value;
    if (current?.view.sessionId === view.sessionId) put(provider, withView(current, view));
    else if (current === null || ours || follows(current.view, view)) put(provider, begin(view, joined));
  }

  async function tried(provider: string, action: () => Promise<void>): Promise<boolean> {
    const { error, busy } = slot(provider);
    error.value = null;
    try {
      await action();
      return true;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      return false;
    } finally {
      busy.value = null;
    }
  }

  return {
    slot,

    /** Finds the last sign-in of a provider, wherever it was started. */
    async load(provider: string): Promise<void> {
      const { loaded } = slot(provider);
      try {
        const view = await client.lastSession(provider, kind);
        if (view !== null) take(provider, view, true);
        loaded.value = true;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        loaded.value = error;
      }
    },

    /** Someone, perhaps another device, has a live sign-in: join it. */
    async join(provider: string, sessionId: string): Promise<void> {
      const { login, busy } = slot(provider);
      if (busy.value !== null || login.value?.view.sessionId === sessionId) return;
      try {
        const view = await client.session(sessionId);
        if (view !== null) take(provider, view, true);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
      }
    },

    /** Starts a session or joins the one that runs; `renew` ends that one first. */
    async start(provider: string, { renew = false, ...how }: Beginning & { renew?: boolean } = {}): Promise<boolean> {
      const { busy, login, loaded } = slot(provider);
      if (busy.value !== null) return false;
      busy.value = 'starting';
      const email = `${provider} ${how.method}`;
      if (how.email !== undefined) emails.set(email, how.email);
      else how.email = emails.get(email);
      return tried(provider, async () => {
        const old = login.value?.view;
        if (renew && old?.active === true) await client.cancel(old.sessionId);
        const { session, reused } = await client.begin(provider, kind, how);
        take(provider, session, reused, true);
        loaded.value = true;
      });
    },

    async cancel(provider: string): Promise<void> {
      const { busy, login } = slot(provider);
      const current = login.value?.view;
      if (busy.value !== null || current === undefined || !current.active) return;
      busy.value = 'cancelling';
      await tried(provider, async () => {
        const view = await client.cancel(current.sessionId);
        if (view === null) await reload(provider, current.sessionId);
        else take(provider, view, false);
      });
    },

    /** Sends a paste, or `raw` keys, to the running program. The error is the reason it was refused. */
    async input(provider: string, text: string, raw = false): Promise<ApiError | null> {
      const sessionId = slot(provider).login.value?.view.sessionId;
      if (sessionId === undefined) return null;
      try {
        await client.input(sessionId, text, raw);
        await reload(provider, sessionId);
        return null;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        await reload(provider, sessionId);
        return error;
      }
    },

    clear(): void {
      for (const provider of [...following.keys()]) leave(provider);
      for (const { login, busy, error, loaded, afresh, others } of slots.values()) {
        login.value = null;
        busy.value = null;
        error.value = null;
        loaded.value = false;
        afresh.value = false;
        others.value = false;
      }
    },
  };
}

// The live link: one socket to the Room that heals by itself.
//
// A browser does not say when a network has silently died or a laptop has slept, so the link asks:
// after 15 s of silence it pings and gives the answer 5 s, and when the page becomes visible again
// it asks at once and gives 1.5 s. It never reloads the page. Sockets, timers and the clock are
// handed in.

import { ApiError } from './client';
import { readMessage, type ServerMessage } from './wire';

export interface SocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(): void;
}

export interface SocketEvents {
  message(data: unknown): void;
  /** Follows every error too. */
  closed(code: number): void;
}

export interface Timers {
  set(action: () => void, delayMs: number): unknown;
  clear(timer: unknown): void;
  now(): number;
}

/**
 * `offline`: the Room has not answered three times in a row, or the browser has no network. `asleep`: a
 * hosted machine that nobody looked at has stopped, or is starting now.
 */
export type LinkPhase = 'idle' | 'connecting' | 'live' | 'reconnecting' | 'asleep' | 'offline' | 'signed_out';

export interface ChannelHandler {
  /** The current view: replaces what is known. */
  snapshot(data: unknown): void;
  event(name: string, data: unknown): void;
  /** Something between was lost; what is shown should be asked for again. */
  missed?(): void;
  denied?(): void;
}

export interface LinkOptions {
  /** What lets the socket in, null where the browser's cookie does. `again`: the last try failed. */
  ticket(again: boolean): Promise<string | null>;
  open(protocols: string[], events: SocketEvents): SocketLike;
  /** A proxy answers in the Room's place, and not for long yet. */
  asleep(): boolean;
  timers: Timers;
  /** 0 to 1, for the jitter. */
  random(): number;
  onPhase(phase: LinkPhase): void;
  onHeard(): void;
  onHello(hello: Extract<ServerMessage, { type: 'hello' }>): void;
  onExpiring(at: number | null): void;
  /** The Room does not take this sign-in any more; the link has stopped. */
  onSignedOut(why: 'ended' | 'revoked'): void;
}

const OPEN = 1;
const SILENCE_MS = 15_000;
const ANSWER_MS = 5_000;
const WAKE_ANSWER_MS = 1_500;
/** From the ticket request to the server's hello. */
const HELLO_MS = 10_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_LAST_MS = 15_000;
/** A machine that starts is asked steadily, within what the window allows. */
const BACKOFF_ASLEEP_MS = 2_000;
/** A second end so soon after the first is not doubted. */
const DOUBT_MS = 30_000;
const WINDOW_MS = 10_000;
const TRIES_PER_WINDOW = 8;
const FAILURES_UNTIL_OFFLINE = 3;

/** Least wait before the next try, by the server's close code. */
const LEAST_WAIT_MS: Record<number, number> = { 4400: 15_000, 4429: 5_000 };

export type Link = ReturnType<typeof createLink>;

export function createLink(options: LinkOptions) {
  const { timers } = options;
  const channels = new Map<string, { handler: ChannelHandler; seq: number | null }>();
  let phase: LinkPhase = 'idle';
  let socket: SocketLike | null = null;
  /** Rises with every attempt and every end, so that a late callback of an old one does nothing. */
  let generation = 0;
  let opening = false;
  let online = true;
  let visible = true;
  let wasLive = false;
  let failures = 0;
  let tries: number[] = [];
  let boot: string | null = null;
  let pings = 0;
  let doubtedAt = Number.NEGATIVE_INFINITY;
  let retryTimer: unknown = null;
  let silenceTimer: unknown = null;
  let answerTimer: unknown = null;
  let answerDue = 0;
  let helloTimer: unknown = null;

  function greetedYet(): boolean {
    return socket?.readyState === OPEN && !opening;
  }

  function setPhase(next: LinkPhase): void {
    if (next === phase) return;
    phase = next;
    options.onPhase(next);
  }

  function waitingPhase(): LinkPhase {
    if (online && options.asleep()) return 'asleep';
    // Once said, "offline" stays until the Room has answered: a word that flickers says nothing.
    if (!online || phase === 'offline' || failures >= FAILURES_UNTIL_OFFLINE) return 'offline';
    return wasLive ? 'reconnecting' : 'connecting';
  }

  function drop(): void {
    generation += 1;
    opening = false;
    for (const timer of [retryTimer, silenceTimer, answerTimer, helloTimer]) timers.clear(timer);
    retryTimer = silenceTimer = answerTimer = helloTimer = null;
    if (socket === null) return;
    const old = socket;
    socket = null;
    try {
      old.close();
    } catch {
      // It was never open; there is nothing to close.
    }
  }

  function attempt(): void {
    drop();
    const now = timers.now();
    tries = tries.filter((at) => now - at < WINDOW_MS);
    const oldest = tries[0];
    if (oldest !== undefined && tries.length >= TRIES_PER_WINDOW) {
      setPhase(waitingPhase());
      retryTimer = timers.set(attempt, oldest + WINDOW_MS - now);
      return;
    }
    tries.push(now);
    opening = true;
    setPhase(waitingPhase());
    const mine = generation;
    helloTimer = timers.set(() => failed(0), HELLO_MS);
    options.ticket(failures > 0).then(
      (ticket) => {
        if (mine === generation) connect(ticket);
      },
      (error: unknown) => {
        if (mine !== generation) return;
        if (error instanceof ApiError && error.unauthorized) signedOut('ended');
        else failed((error instanceof ApiError && error.retryAfterMs) || 0);
      },
    );
  }

  function connect(ticket: string | null): void {
    const mine = generation;
    try {
      socket = options.open(ticket === null ? ['room.v1'] : ['room.v1', `room.ticket.${ticket}`], {
        message: (data) => {
          if (mine === generation) heard(data);
        },
        closed: (code) => {
          if (mine === generation) closed(code);
        },
      });
    } catch {
      failed(0);
    }
  }

  function closed(code: number): void {
    if (code === 4401) doubted();
    else if (code === 4403) signedOut('revoked');
    else if (code === 4000 && !visible) {
      // So that a hosted machine may sleep; whoever looks at the page again wakes it.
      drop();
      setPhase('asleep');
    } else failed(LEAST_WAIT_MS[code] ?? 0);
  }

  /** The sign-in this socket stood on is over; another tab may have renewed it for the whole browser. */
  function doubted(): void {
    const now = timers.now();
    const again = now - doubtedAt < DOUBT_MS;
    doubtedAt = now;
    if (again) return signedOut('ended');
    failures = Math.max(failures, 1);
    return attempt();
  }

  function signedOut(why: 'ended' | 'revoked'): void {
    drop();
    setPhase('signed_out');
    options.onSignedOut(why);
  }

  function failed(leastWaitMs: number): void {
    drop();
    failures += 1;
    setPhase(waitingPhase());
    const most = options.asleep() ? BACKOFF_ASLEEP_MS : BACKOFF_LAST_MS;
    const full = Math.min(most, BACKOFF_FIRST_MS * 2 ** (failures - 1));
    const jittered = full / 2 + (options.random() * full) / 2;
    retryTimer = timers.set(attempt, Math.max(leastWaitMs, jittered));
  }

  function send(message: unknown): void {
    if (socket?.readyState === OPEN) socket.send(JSON.stringify(message));
  }

  function ask(deadlineMs: number): void {
    const due = timers.now() + deadlineMs;
    if (answerTimer !== null && answerDue <= due) return;
    timers.clear(answerTimer);
    answerDue = due;
    answerTimer = timers.set(() => {
      // Dead without having said so. A new socket works at once, so this is not a failure to wait for.
      failures = 0;
      attempt();
    }, deadlineMs);
    pings += 1;
    send({ type: 'ping', id: String(pings) });
  }

  function heard(data: unknown): void {
    timers.clear(answerTimer);
    timers.clear(silenceTimer);
    answerTimer = null;
    silenceTimer = timers.set(() => ask(ANSWER_MS), SILENCE_MS);
    options.onHeard();
    const message = readMessage(data);
    if (message === null) return;
    switch (message.type) {
      case 'hello':
        return greeted(message);
      case 'subscribed':
        for (const name of message.denied) channels.get(name)?.handler.denied?.();
        return undefined;
      case 'gap': {
        const channel = channels.get(message.channel);
        if (channel === undefined) return undefined;
        channel.seq = null;
        return channel.handler.missed?.();
      }
      case 'auth_expiring':
        return options.onExpiring(message.at);
      case 'event':
        return delivered(message);
      default:
        return undefined;
    }
  }

  function greeted(hello: Extract<ServerMessage, { type: 'hello' }>): void {
    timers.clear(helloTimer);
    helloTimer = null;
    opening = false;
    failures = 0;
    wasLive = true;
    if (hello.boot !== boot) {
      for (const channel of channels.values()) channel.seq = null;
      boot = hello.boot;
    }
    setPhase('live');
    options.onHello(hello);
    if (!visible) send({ type: 'visible', value: false });
    if (channels.size > 0) join([...channels.keys()]);
  }

  function join(names: string[]): void {
    const after: Record<string, number> = {};
    for (const name of names) {
      const seq = channels.get(name)?.seq ?? null;
      if (seq !== null) after[name] = seq;
    }
    const resume = Object.keys(after).length > 0 ? { after, boot } : {};
    send({ type: 'subscribe', channels: names, ...resume });
  }

  function delivered(message: Extract<ServerMessage, { type: 'event' }>): void {
    const channel = channels.get(message.channel);
    if (channel === undefined) return;
    const last = channel.seq;
    if (message.name === 'snapshot') {
      if (last !== null && message.seq < last) return;
      channel.seq = message.seq;
      channel.handler.snapshot(message.data);
      return;
    }
    if (last !== null && message.seq <= last) return;
    channel.seq = message.seq;
    channel.handler.event(message.name, message.data);
    if (last !== null && message.seq > last + 1) channel.handler.missed?.();
  }

  return {
    start(): void {
      if (phase === 'idle' || phase === 'signed_out') {
        failures = 0;
        wasLive = false;
        boot = null;
        attempt();
      }
    },

    stop(): void {
      drop();
      setPhase('idle');
    },

    /** The page became visible, was shown again, got the focus, or the network returned. */
    wake(): void {
      if (phase === 'idle' || phase === 'signed_out' || opening) return;
      if (socket?.readyState === OPEN) {
        ask(WAKE_ANSWER_MS);
        return;
      }
      failures = 0;
      attempt();
    },

    /** A page that nobody looks at need not keep a hosted machine awake. */
    setVisible(value: boolean): void {
      if (value === visible) return;
      visible = value;
      if (greetedYet()) send({ type: 'visible', value });
    },

    setOnline(value: boolean): void {
      online = value;
      if (phase === 'idle' || phase === 'signed_out') return;
      if (!value) setPhase('offline');
      else if (greetedYet()) setPhase('live');
      if (value) this.wake();
    },

    /** Joins a channel with its one handler; the answer leaves it. */
    subscribe(name: string, handler: ChannelHandler): () => void {
      const channel = { handler, seq: null };
      channels.set(name, channel);
      if (greetedYet()) join([name]);
      return () => {
        if (channels.get(name) !== channel) return;
        channels.delete(name);
        if (greetedYet()) send({ type: 'unsubscribe', channels: [name] });
      };
    },
  };
}

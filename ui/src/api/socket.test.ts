import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiError } from './client';
import { createLink, type ChannelHandler, type LinkPhase, type SocketEvents, type SocketLike } from './socket';

class FakeSocket implements SocketLike {
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  closed = false;
  constructor(
    readonly protocols: string[],
    readonly events: SocketEvents,
  ) {}
  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }
  close(): void {
    this.closed = true;
    this.readyState = 3;
  }
  receive(message: unknown): void {
    this.events.message(JSON.stringify(message));
  }
  end(code: number): void {
    this.readyState = 3;
    this.events.closed(code);
  }
  greet(boot = 'b1'): void {
    this.readyState = 1;
    this.receive({ type: 'hello', build: 'x', boot, mode: 'local', now: '2026-11-20T10:00:00.000Z' });
  }
  of(type: string): Record<string, unknown>[] {
    return this.sent.filter((message) => message['type'] === type);
  }
}

function setUp(ticket: (again: boolean) => Promise<string> = async () => 't') {
  const sockets: FakeSocket[] = [];
  const phases: LinkPhase[] = [];
  const tickets = vi.fn(ticket);
  const signedOut = vi.fn();
  const asleep = { value: false };
  const link = createLink({
    ticket: tickets,
    open: (protocols, events) => {
      const socket = new FakeSocket(protocols, events);
      sockets.push(socket);
      return socket;
    },
    timers: {
      set: (action, ms) => setTimeout(action, ms),
      clear: (timer) => clearTimeout(timer as number),
      now: () => Date.now(),
    },
    asleep: () => asleep.value,
    random: () => 1,
    onPhase: (phase) => phases.push(phase),
    onHeard: () => {},
    onHello: () => {},
    onExpiring: () => {},
    onSignedOut: signedOut,
  });
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const last = () => {
    const socket = sockets.at(-1);
    if (socket === undefined) throw new Error('no socket was opened');
    return socket;
  };
  const live = async () => {
    link.start();
    await settle();
    last().greet();
  };
  return { link, sockets, phases, tickets, signedOut, settle, last, live, asleep };
}

function recorder(): ChannelHandler & { log: string[] } {
  const log: string[] = [];
  return {
    log,
    snapshot: (data) => log.push(`snapshot ${String(data)}`),
    event: (name, data) => log.push(`${name} ${String(data)}`),
    missed: () => log.push('missed'),
    denied: () => log.push('denied'),
  };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('the ticket travels as second subprotocol and hello makes it live', async () => {
  const { live, last, phases } = setUp();
  await live();
  expect(last().protocols).toEqual(['room.v1', 'room.ticket.t']);
  expect(phases).toEqual(['connecting', 'live']);
});

test('a socket that says nothing is asked after 15 s and replaced 5 s later', async () => {
  const { live, sockets, last, phases } = setUp();
  await live();
  await vi.advanceTimersByTimeAsync(14_999);
  expect(last().of('ping')).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(last().of('ping')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(sockets).toHaveLength(2);
  expect(sockets[0]?.closed).toBe(true);
  expect(phases.at(-1)).toBe('reconnecting');
});

test('any message is an answer', async () => {
  const { live, sockets, last } = setUp();
  await live();
  await vi.advanceTimersByTimeAsync(15_000);
  last().receive({ type: 'pong', id: '1' });
  await vi.advanceTimersByTimeAsync(14_999);
  expect(last().of('ping')).toHaveLength(1);
  expect(sockets).toHaveLength(1);
});

test('waking probes with a deadline of 1.5 s, once for a burst of events', async () => {
  const { live, link, sockets, last } = setUp();
  await live();
  link.wake();
  link.wake();
  expect(last().of('ping')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(sockets).toHaveLength(2);
});

test('waking shortens the deadline of a ping under way', async () => {
  const { live, link, sockets } = setUp();
  await live();
  await vi.advanceTimersByTimeAsync(15_000);
  link.wake();
  await vi.advanceTimersByTimeAsync(1_500);
  expect(sockets).toHaveLength(2);
});

test('waking during the first connect does not open a second socket', async () => {
  const { link, sockets, settle, tickets } = setUp();
  link.start();
  link.wake();
  await settle();
  link.wake();
  await settle();
  expect(sockets).toHaveLength(1);
  expect(tickets).toHaveBeenCalledTimes(1);
});

test('waking while waiting for the next try opens at once', async () => {
  const { live, link, last, sockets, settle } = setUp();
  await live();
  for (let i = 0; i < 4; i += 1) {
    last().end(1006);
    await vi.advanceTimersByTimeAsync(8_000);
  }
  last().end(1006);
  const before = sockets.length;
  link.wake();
  await settle();
  expect(sockets).toHaveLength(before + 1);
});

test('at most eight tries in ten seconds, however often it is woken', async () => {
  const { link, tickets } = setUp(async () => {
    throw new ApiError('unreachable', 0, { code: null, title: null, detail: null });
  });
  link.start();
  for (let i = 0; i < 99; i += 1) {
    await vi.advanceTimersByTimeAsync(100);
    link.wake();
  }
  expect(tickets.mock.calls.length).toBeLessThanOrEqual(8);
  expect(tickets.mock.calls.length).toBeGreaterThan(4);
});

test('the wait doubles up to 15 s', async () => {
  const { link, tickets } = setUp(async () => {
    throw new Error('down');
  });
  link.start();
  const gaps: number[] = [];
  let seen = 0;
  let at = Date.now();
  await vi.advanceTimersByTimeAsync(0);
  seen = tickets.mock.calls.length;
  for (let i = 0; i < 700; i += 1) {
    await vi.advanceTimersByTimeAsync(100);
    if (tickets.mock.calls.length > seen) {
      seen = tickets.mock.calls.length;
      gaps.push(Date.now() - at);
      at = Date.now();
    }
  }
  expect(gaps.slice(0, 7)).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000]);
});

test('three failures in a row are called offline until the Room answers', async () => {
  const { live, last, phases } = setUp();
  await live();
  last().end(1006);
  expect(phases.at(-1)).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(500);
  last().end(1006);
  await vi.advanceTimersByTimeAsync(1_000);
  last().end(1006);
  expect(phases.at(-1)).toBe('offline');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(phases.at(-1)).toBe('offline');
  last().greet();
  expect(phases.at(-1)).toBe('live');
});

test('a server that accepts and never greets is given up after 10 s', async () => {
  const { link, settle, last, sockets } = setUp();
  link.start();
  await settle();
  last().readyState = 1;
  await vi.advanceTimersByTimeAsync(10_500);
  expect(sockets).toHaveLength(2);
});

test('close code 4403 stops and says that access was ended', async () => {
  const { live, last, sockets, signedOut, phases } = setUp();
  await live();
  last().end(4403);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(signedOut.mock.calls).toEqual([['revoked']]);
  expect(phases.at(-1)).toBe('signed_out');
  expect(sockets).toHaveLength(1);
});

test('close code 4401 asks once whether that is so: a sign-in that is over stops', async () => {
  let over = false;
  const { live, last, sockets, signedOut, tickets } = setUp(async () => {
    if (over) throw new ApiError('problem', 401, { code: 'sign_in_required', title: null, detail: null });
    return 't';
  });
  await live();
  over = true;
  last().end(4401);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(signedOut.mock.calls).toEqual([['ended']]);
  expect(tickets.mock.calls).toEqual([[false], [true]]);
  expect(sockets).toHaveLength(1);
});

test('close code 4401 where another tab has renewed goes on, and does not go round in circles', async () => {
  const { live, last, sockets, signedOut, settle, phases } = setUp();
  await live();
  last().end(4401);
  await settle();
  last().greet();
  expect([sockets.length, phases.at(-1), signedOut.mock.calls.length]).toEqual([2, 'live', 0]);
  last().end(4401);
  await vi.advanceTimersByTimeAsync(120_000);
  expect([sockets.length, signedOut.mock.calls]).toEqual([2, [['ended']]]);
});

test('a ticket refused with 401 stops the tries', async () => {
  const { link, tickets, signedOut } = setUp(async () => {
    throw new ApiError('problem', 401, { code: 'unauthorized', title: null, detail: null });
  });
  link.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tickets).toHaveBeenCalledTimes(1);
  expect(signedOut).toHaveBeenCalledTimes(1);
});

test('a limiter is obeyed', async () => {
  const { link, tickets } = setUp(async () => {
    throw new ApiError('problem', 429, { code: 'limited', title: null, detail: null }, 7_000);
  });
  link.start();
  await vi.advanceTimersByTimeAsync(6_900);
  expect(tickets).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(tickets).toHaveBeenCalledTimes(2);
});

test('after a break it resumes where it was, and an old event comes once', async () => {
  const { live, link, last, settle } = setUp();
  const handler = recorder();
  link.subscribe('providers', handler);
  await live();
  expect(last().of('subscribe')).toEqual([{ type: 'subscribe', channels: ['providers'] }]);
  last().receive({ type: 'snapshot', channel: 'providers', seq: 3, data: 'a' });
  last().receive({ type: 'providers:updated', channel: 'providers', seq: 4, data: 'b' });
  last().end(1006);
  await vi.advanceTimersByTimeAsync(500);
  await settle();
  last().greet();
  expect(last().of('subscribe')).toEqual([{ type: 'subscribe', channels: ['providers'], after: { providers: 4 }, boot: 'b1' }]);
  last().receive({ type: 'providers:updated', channel: 'providers', seq: 4, data: 'b' });
  last().receive({ type: 'snapshot', channel: 'providers', seq: 2, data: 'old' });
  last().receive({ type: 'providers:updated', channel: 'providers', seq: 5, data: 'c' });
  expect(handler.log).toEqual(['snapshot a', 'providers:updated b', 'providers:updated c']);
});

test('positions of another boot count as none', async () => {
  const { live, link, last } = setUp();
  const handler = recorder();
  link.subscribe('providers', handler);
  await live();
  last().receive({ type: 'snapshot', channel: 'providers', seq: 90, data: 'a' });
  last().end(1012);
  await vi.advanceTimersByTimeAsync(500);
  last().greet('b2');
  expect(last().of('subscribe')).toEqual([{ type: 'subscribe', channels: ['providers'] }]);
  last().receive({ type: 'snapshot', channel: 'providers', seq: 1, data: 'z' });
  expect(handler.log).toEqual(['snapshot a', 'snapshot z']);
});

test('a gap is told and the snapshot after it is taken', async () => {
  const { live, link, last } = setUp();
  const handler = recorder();
  link.subscribe('c', handler);
  await live();
  last().receive({ type: 'snapshot', channel: 'c', seq: 9, data: 'a' });
  last().receive({ type: 'gap', channel: 'c', from: 10, to: 20 });
  last().receive({ type: 'snapshot', channel: 'c', seq: 20, data: 'b' });
  last().receive({ type: 'e', channel: 'c', seq: 21, data: 1 });
  expect(handler.log).toEqual(['snapshot a', 'missed', 'snapshot b', 'e 1']);
});

test('a hole that was not announced is told too', async () => {
  const { live, link, last } = setUp();
  const handler = recorder();
  link.subscribe('c', handler);
  await live();
  last().receive({ type: 'snapshot', channel: 'c', seq: 1, data: 'a' });
  last().receive({ type: 'e', channel: 'c', seq: 4, data: 1 });
  expect(handler.log).toEqual(['snapshot a', 'e 1', 'missed']);
});

test('denied channels and channels left are told to the right side', async () => {
  const { live, link, last } = setUp();
  const handler = recorder();
  await live();
  const leave = link.subscribe('provider-auth:1', handler);
  last().receive({ type: 'subscribed', channels: [], denied: ['provider-auth:1'] });
  leave();
  last().receive({ type: 'e', channel: 'provider-auth:1', seq: 1, data: 1 });
  expect(handler.log).toEqual(['denied']);
  expect(last().of('unsubscribe')).toEqual([{ type: 'unsubscribe', channels: ['provider-auth:1'] }]);
});

test('what is not JSON of ours is ignored', async () => {
  const { live, last, phases } = setUp();
  await live();
  last().events.message('not json');
  last().events.message(new Uint8Array(3));
  last().receive([1, 2]);
  last().receive({ type: 'event-of-tomorrow' });
  expect(phases.at(-1)).toBe('live');
});

test('the browser going offline is said at once, and healed on return', async () => {
  const { live, link, last, phases } = setUp();
  await live();
  link.setOnline(false);
  expect(phases.at(-1)).toBe('offline');
  link.setOnline(true);
  expect(phases.at(-1)).toBe('live');
  expect(last().of('ping')).toHaveLength(1);
});

test('stopped is stopped', async () => {
  const { live, link, sockets } = setUp();
  await live();
  link.stop();
  link.wake();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
});

test('a Room whose proxy answers is asleep: asked every two seconds, and said as such', async () => {
  const { link, tickets, phases, asleep, last } = setUp(async () => {
    if (asleep.value) throw new ApiError('problem', 503, { code: null, title: null, detail: null });
    return 't';
  });
  asleep.value = true;
  link.start();
  await vi.advanceTimersByTimeAsync(28_000);
  expect(phases).toEqual(['asleep']);
  expect(tickets.mock.calls.length).toBeGreaterThanOrEqual(14);
  asleep.value = false;
  await vi.advanceTimersByTimeAsync(2_000);
  last().greet();
  expect(phases.at(-1)).toBe('live');
});

test('a Room that stays away longer than a start takes is offline', async () => {
  const { link, phases, asleep } = setUp(async () => {
    throw new ApiError('problem', 502, { code: null, title: null, detail: null });
  });
  asleep.value = true;
  link.start();
  await vi.advanceTimersByTimeAsync(29_000);
  asleep.value = false;
  await vi.advanceTimersByTimeAsync(4_000);
  expect(phases.at(-1)).toBe('offline');
});

test('a page that nobody looks at lets its Room sleep, and wakes it when it is looked at', async () => {
  const { live, link, last, sockets, phases, settle } = setUp();
  await live();
  link.setVisible(false);
  expect(last().of('visible')).toEqual([{ type: 'visible', value: false }]);
  last().end(4000);
  expect(phases.at(-1)).toBe('asleep');
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(sockets).toHaveLength(1);
  link.setVisible(true);
  link.wake();
  await settle();
  expect(sockets).toHaveLength(2);
  last().greet();
  expect(phases.at(-1)).toBe('live');
});

test('an idle close of a page that is looked at is a break like any other', async () => {
  const { live, last, sockets, phases } = setUp();
  await live();
  last().end(4000);
  expect(phases.at(-1)).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(500);
  expect(sockets).toHaveLength(2);
});

test('the waits are spread: no two pages come back at the same moment', async () => {
  const waits = new Set<number>();
  for (const random of [0, 0.25, 0.5, 1]) {
    const delays: number[] = [];
    const link = createLink({
      ticket: async () => {
        throw new Error('down');
      },
      open: () => {
        throw new Error('never');
      },
      asleep: () => false,
      timers: { set: (_, ms) => delays.push(ms), clear: () => {}, now: () => 0 },
      random: () => random,
      onPhase: () => {},
      onHeard: () => {},
      onHello: () => {},
      onExpiring: () => {},
      onSignedOut: () => {},
    });
    link.start();
    await vi.advanceTimersByTimeAsync(0);
    const wait = delays.at(-1) as number;
    expect(wait).toBeGreaterThanOrEqual(250);
    expect(wait).toBeLessThanOrEqual(500);
    waits.add(wait);
  }
  expect(waits.size).toBe(4);
});

test('a socket that a reset ends is replaced within half a second, whatever state it was in', async () => {
  const { link, settle, last, sockets } = setUp();
  link.start();
  await settle();
  last().end(1006);
  await vi.advanceTimersByTimeAsync(500);
  expect(sockets).toHaveLength(2);
  last().greet();
  last().end(1006);
  await vi.advanceTimersByTimeAsync(500);
  expect(sockets).toHaveLength(3);
});

test('sleeping through every deadline opens one socket on waking', async () => {
  const { live, link, sockets, last, settle, phases } = setUp();
  await live();
  // A laptop that sleeps runs no timers; they are all due at once when it wakes.
  vi.setSystemTime(Date.now() + 3_600_000);
  link.setVisible(true);
  link.wake();
  link.wake();
  link.setOnline(true);
  await vi.advanceTimersByTimeAsync(1_500);
  await settle();
  expect(sockets).toHaveLength(2);
  last().greet();
  expect(phases.at(-1)).toBe('live');
});

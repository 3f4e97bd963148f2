// Who is signed in on which device, kept up to date, and letting one more device in.

import { signal } from '@preact/signals-core';
import { accessCalls, readDevices, type Device, type PairingCode } from '../api/access';
import { ApiError, type Client } from '../api/client';
import type { Link, Timers } from '../api/socket';
import type { Verified } from '../api/wire';
import { latest } from './latest';

export interface Person {
  key: string;
  name: string | null;
  subject: string | null;
  role: string | null;
  /** It is whoever looks at the page. */
  self: boolean;
  devices: Device[];
}

export interface Pairing extends PairingCode {
  /** The device that came in with it. */
  added: Device | null;
}

/** While a code is on the screen the new device should show at once, to those without the channel too. */
const POLL_PAIRING_MS = 2_000;
const POLL_MS = 30_000;

const RANKS = ['viewer', 'member', 'admin', 'owner'];
const rank = (role: string | null) => RANKS.indexOf(role ?? '');

/** Nobody ends a device of someone above themselves. */
export function mayEnd(me: Verified | null, person: Pick<Person, 'role' | 'self'>): boolean {
  if (me === null) return false;
  return person.self || (me.permissions.includes('access.manage') && rank(person.role) <= rank(me.role));
}

/** By person: oneself first, then from the owner down; each with the device used last on top. */
export function people(devices: Device[], me: Pick<Verified, 'issuer' | 'subject'> | null): Person[] {
  const found = new Map<string, Person>();
  const newest = [...devices].sort((one, other) => (other.lastUsedAt ?? 0) - (one.lastUsedAt ?? 0));
  for (const device of newest) {
    const key = `${device.issuer} ${device.subject}`;
    const { name, subject, role } = device;
    const person = found.get(key) ?? { key, name, subject, role, self: isMine(device, me), devices: [] };
    person.name ??= name;
    person.devices.push(device);
    found.set(key, person);
  }
  for (const person of found.values()) person.devices.sort((one, other) => Number(other.current) - Number(one.current));
  return [...found.values()].sort(
    (one, other) =>
      Number(other.self) - Number(one.self) ||
      rank(other.role) - rank(one.role) ||
      (one.name ?? one.subject ?? '').localeCompare(other.name ?? other.subject ?? ''),
  );
}

function isMine(device: Device, me: Pick<Verified, 'issuer' | 'subject'> | null): boolean {
  return me !== null && device.issuer === me.issuer && device.subject === me.subject;
}

export interface AccessOptions {
  client: Client;
  link: Pick<Link, 'subscribe'>;
  timers: Timers;
  me(): Verified | null;
  isLive(): boolean;
  /** Whether the page is looked at; nobody is polled for behind a hidden one. */
  visible(): boolean;
}

export type Access = ReturnType<typeof createAccess>;

export function createAccess({ client, link, timers, me, isLive, visible }: AccessOptions) {
  const calls = accessCalls(client);
  const devices = signal<Device[] | null>(null);
  const error = signal<ApiError | null>(null);
  const pairing = signal<Pairing | null>(null);
  const pairError = signal<ApiError | null>(null);
  const starting = signal(false);
  /** Ids of devices that are being ended. */
  const ending = signal<ReadonlySet<string>>(new Set());
  const answers = latest();
  let current: string | null = null;
  let known = new Set<string>();
  /** The channel has spoken; while the link holds, nothing has to be asked for. */
  let live = false;
  /** The pace of asking has changed. */
  let hurry = () => {};

  function put(next: Device[]): void {
    current = next.find((device) => device.current)?.id ?? current;
    devices.value = next.map((device) => ({ ...device, current: device.id === current }));
    const shown = pairing.value;
    if (shown === null || shown.added !== null) return;
    const added = next.find((device) => !known.has(device.id) && device.pairedFrom !== null && isMine(device, me()));
    if (added !== undefined) pairing.value = { ...shown, added };
  }

  async function load(): Promise<void> {
    const counts = answers.ask();
    try {
      const found = await calls.devices();
      // Only such an answer says which device is this one, however old it is.
      current = found.find((device) => device.current)?.id ?? current;
      if (counts()) error.value = null;
      else if (devices.value !== null) return put(devices.value);
      put(found);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (counts()) error.value = reason;
    }
  }

  return {
    devices,
    error,
    pairing,
    pairError,
    starting,
    ending,
    load,

    /** Keeps the list up to date until the answer is called. */
    open(): () => void {
      let open = true;
      let timer: unknown = null;
      // Asked for once in any case: only this answer says which device is this one.
      void load();
      const manages = me()?.permissions.includes('access.manage') === true;
      const leave = manages
        ? link.subscribe('access', {
            snapshot: take,
            event: (_, data) => take(data),
            missed: () => void load(),
            denied: () => {
              live = false;
            },
          })
        : () => {};
      function take(data: unknown): void {
        live = true;
        answers.told();
        put(readDevices(data));
      }
      const again = () => {
        timer = timers.set(
          async () => {
            if (!(live && isLive()) && visible()) await load();
            if (open) again();
          },
          pairing.value === null ? POLL_MS : POLL_PAIRING_MS,
        );
      };
      again();
      hurry = () => {
        timers.clear(timer);
        if (open) again();
      };
      return () => {
        open = false;
        live = false;
        timers.clear(timer);
        leave();
      };
    },

    /** A code for one more device of this person. */
    async pair(): Promise<void> {
      if (starting.value) return;
      starting.value = true;
      pairError.value = null;
      try {
        // Of a list that is not there yet every device would look new.
        if (devices.value === null) await load();
        known = new Set((devices.value ?? []).map((device) => device.id));
        pairing.value = { ...(await calls.pair()), added: null };
        hurry();
      } catch (reason) {
        if (!(reason instanceof ApiError)) throw reason;
        pairError.value = reason;
      } finally {
        starting.value = false;
      }
    },

    stopPairing(): void {
      pairing.value = null;
    },

    /** Ends these, one after the other; the error is of the first that could not be ended. */
    async end(ids: string[]): Promise<ApiError | null> {
      ending.value = new Set([...ending.value, ...ids]);
      let failed: ApiError | null = null;
      for (const id of ids) {
        try {
          await calls.end(id);
          answers.told();
          devices.value = devices.value?.filter((device) => device.id !== id) ?? null;
        } catch (reason) {
          if (!(reason instanceof ApiError)) throw reason;
          failed ??= reason;
        }
      }
      ending.value = new Set([...ending.value].filter((id) => !ids.includes(id)));
      await load();
      return failed;
    },
  };
}

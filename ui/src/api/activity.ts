// The activity log: the JSON of its events, and requests for them.

import type { Client } from './client';
import { fields, list, number, text, time } from './wire';

export interface Actor {
  issuer: string | null;
  subject: string | null;
  name: string | null;
  role: string | null;
  device: string | null;
  /** The network they came from, never a whole address. */
  address: string | null;
}

export type Outcome = 'intent' | 'ok' | 'refused' | 'failed' | 'unknown';

export interface Event {
  seq: number;
  at: number;
  action: string;
  outcome: Outcome;
  /** The intent this is the outcome of: it takes its place. */
  intent: number | null;
  /** Null for the Room itself. */
  actor: Actor | null;
  target: string | null;
  /** Short words by name: method, status, reason, subject, role, device, session. */
  detail: Record<string, string>;
  count: number | null;
}

export interface Page {
  events: Event[];
  /** There are older ones. */
  more: boolean;
}

export type Kind = 'access' | 'provider' | 'instance';

function readActor(value: unknown): Actor | null {
  if (typeof value !== 'object' || value === null) return null;
  const actor = fields(value);
  return {
    issuer: text(actor['issuer']),
    subject: text(actor['subject']),
    name: text(actor['name']),
    role: text(actor['role']),
    device: text(actor['device']),
    address: text(actor['address']),
  };
}

export function readEvent(value: unknown): Event | null {
  const row = fields(value);
  const seq = number(row['seq']);
  const action = text(row['action']);
  if (seq === null || action === null) return null;
  const detail: Record<string, string> = {};
  for (const [name, word] of Object.entries(fields(row['detail']))) if (typeof word === 'string') detail[name] = word;
  return {
    seq,
    at: time(row['at']) ?? 0,
    action,
    outcome: (text(row['outcome']) ?? 'unknown') as Outcome,
    intent: number(row['intent']),
    actor: readActor(row['actor']),
    target: text(row['target']),
    detail,
    count: number(fields(row['detail'])['count']),
  };
}

export function readPage(value: unknown): Page {
  const body = fields(value);
  return { events: list(body['events']).flatMap((entry) => readEvent(entry) ?? []), more: body['more'] === true };
}

export const EXPORT_PATH = '/api/activity.ndjson';

export function activityCalls({ get, send }: Pick<Client, 'get' | 'send'>) {
  return {
    /** The newest events, or the newest of those before one. */
    async page(kind: Kind | null, before: number | null, limit: number | null = null): Promise<Page> {
      const asked = [kind === null ? null : `kind=${kind}`, before === null ? null : `before=${before}`, limit === null ? null : `limit=${limit}`];
      const query = asked.filter((part) => part !== null).join('&');
      return readPage(await get(`/api/activity${query === '' ? '' : `?${query}`}`));
    },

    /** The whole log as text, for a page that has no cookie to follow a link with. */
    async all(): Promise<string> {
      return String(await send('GET', EXPORT_PATH, { raw: 'text' }));
    },
  };
}

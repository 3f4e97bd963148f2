// Wiping a hosted Room, and the proof that comes back.

import { ApiError, NO_PROBLEM, type Client } from './client';
import { fields, number, text, texts } from './wire';

/** What the Room counts afterwards. */
export const COUNTED = ['devices', 'sessions', 'keys', 'credentials', 'backups'] as const;
export type Counted = (typeof COUNTED)[number];

export interface WipedProvider {
  id: string;
  ok: boolean;
  removed: string[];
  /** Why it is still signed in. */
  detail: string | null;
}

export interface Wiped {
  /** Nothing is left: the Room says so, and so does every count. */
  ok: boolean;
  providers: WipedProvider[];
  /** How many of each are still there. */
  left: Record<Counted, number>;
}

/** Null for anything that is no proof: a count that is missing is not a count of none. */
export function readWiped(value: unknown): Wiped | null {
  const body = fields(value);
  const left: Partial<Record<Counted, number>> = {};
  for (const name of COUNTED) {
    const count = number(body[name]);
    if (count === null) return null;
    left[name] = count;
  }
  const providers = Object.entries(fields(body['providers'])).map(([id, entry]) => {
    const row = fields(entry);
    return { id, ok: row['ok'] === true, removed: texts(row['removed']), detail: text(row['detail']) };
  });
  const ok = body['ok'] === true && providers.every((row) => row.ok) && COUNTED.every((name) => left[name] === 0);
  return { ok, providers, left: left as Record<Counted, number> };
}

/** Where something stayed, the Room answers 409 with the same proof. */
export async function wipe({ send }: Pick<Client, 'send'>, instanceId: string): Promise<Wiped> {
  let answer: unknown;
  try {
    answer = await send('POST', '/api/instance/wipe', { body: { confirm: instanceId }, slow: true });
  } catch (error) {
    const proof = error instanceof ApiError && error.status === 409 ? readWiped(error.body) : null;
    if (proof === null) throw error;
    return { ...proof, ok: false };
  }
  const proof = readWiped(answer);
  if (proof === null) throw new ApiError('unexpected', 200, NO_PROBLEM);
  return proof;
}

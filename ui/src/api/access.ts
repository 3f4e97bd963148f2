// Requests about who is signed in, and the JSON they read.

import { ApiError, NO_PROBLEM, type Client } from './client';
import { fields, list, text, time } from './wire';

/** One sign-in of one device. Times are milliseconds since 1970, by the server's clock. */
export interface Device {
  id: string;
  issuer: string | null;
  subject: string | null;
  /** The person's name, else their e-mail. */
  name: string | null;
  role: string | null;
  device: string | null;
  /** The id of the device that let it in with a pairing code. */
  pairedFrom: string | null;
  createdAt: number | null;
  lastUsedAt: number | null;
  expiresAt: number | null;
  /** It is the one that asks. */
  current: boolean;
}

export interface PairingCode {
  code: string;
  url: string;
  expiresAt: number | null;
}

export function readDevices(value: unknown): Device[] {
  return list(fields(value)['sessions']).flatMap((entry) => {
    const row = fields(entry);
    const id = text(row['id']);
    if (id === null) return [];
    return [
      {
        id,
        issuer: text(row['issuer']),
        subject: text(row['subject']),
        name: text(row['name']),
        role: text(row['role']),
        device: text(row['device']),
        pairedFrom: text(row['pairedFrom']),
        createdAt: time(row['createdAt']),
        lastUsedAt: time(row['lastUsedAt']),
        expiresAt: time(row['expiresAt']),
        current: row['current'] === true,
      },
    ];
  });
}

export function accessCalls({ get, send }: Pick<Client, 'get' | 'send'>) {
  return {
    async devices(): Promise<Device[]> {
      return readDevices(await get('/api/access/sessions'));
    },

    /** Ends one device's sign-in; one that is gone already is ended. */
    async end(id: string): Promise<void> {
      try {
        await send('DELETE', `/api/access/sessions/${encodeURIComponent(id)}`);
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    },

    async pair(): Promise<PairingCode> {
      const body = fields(await send('POST', '/api/auth/pair'));
      const code = text(body['code']);
      const url = text(body['url']);
      if (code === null || url === null) throw new ApiError('unexpected', 200, NO_PROBLEM);
      return { code, url, expiresAt: time(body['expiresAt']) };
    },
  };
}

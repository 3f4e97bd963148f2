// Requests about a sign-in to a provider.

import { ApiError, NO_PROBLEM, type Client } from './client';
import { fields } from './wire';
import { readDisconnected, readSession, type Disconnected, type SessionView } from './wire-login';

const provider = (id: string) => `/api/providers/${encodeURIComponent(id)}`;
const session = (id: string) => `/api/providers/sessions/${encodeURIComponent(id)}`;

export type LoginCalls = ReturnType<typeof loginCalls>;

export function loginCalls({ get, post }: Pick<Client, 'get' | 'post'>) {
  return {
    /** `inPlace`: the person agrees that the earlier sign-in ends first, where there is no other way. */
    async connect(id: string, method: string | null, inPlace = false): Promise<{ session: SessionView; reused: boolean }> {
      const answer = await post(`${provider(id)}/connect`, {
        ...(method === null ? {} : { method }),
        ...(inPlace ? { inPlace } : {}),
      });
      const view = readSession(answer);
      if (view === null) throw new ApiError('unexpected', 200, NO_PROBLEM);
      return { session: view, reused: fields(answer)['reused'] === true };
    },

    /** The last sign-in of a provider, or null if it has none. */
    async lastSession(id: string): Promise<SessionView | null> {
      try {
        return readSession(await get(`${provider(id)}/session`));
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },

    async session(id: string): Promise<SessionView | null> {
      return readSession(await get(session(id)));
    },

    async input(id: string, pasted: string): Promise<void> {
      await post(`${session(id)}/input`, { text: pasted });
    },

    async cancel(id: string): Promise<SessionView | null> {
      return readSession(await post(`${session(id)}/cancel`));
    },

    async disconnect(id: string): Promise<Disconnected> {
      return readDisconnected(await post(`${provider(id)}/disconnect`));
    },

    async check(id: string): Promise<void> {
      await post(`${provider(id)}/verify`);
    },
  };
}

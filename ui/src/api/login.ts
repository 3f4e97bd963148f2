// Requests about a provider: signing in and out, its program, its key.

import { ApiError, NO_PROBLEM, type Client } from './client';
import { fields } from './wire';
import { readSession, type SessionView } from './wire-login';
import { readDisconnected, readKeyCheck, type Disconnected, type KeyCheck } from './wire-provider';

const provider = (id: string) => `/api/providers/${encodeURIComponent(id)}`;
const session = (id: string) => `/api/providers/sessions/${encodeURIComponent(id)}`;

/** A session of which kind; so it is called in the names of its channel. */
export type Kind = 'auth' | 'install';

export interface Beginning {
  method?: string | null;
  email?: string | undefined;
  /** The person agrees that the earlier sign-in ends first, where there is no other way. */
  inPlace?: boolean;
}

export type LoginCalls = ReturnType<typeof loginCalls>;

export function loginCalls({ get, post, send }: Pick<Client, 'get' | 'post' | 'send'>) {
  return {
    /** Starts a sign-in, or an install, or joins the one that runs. */
    async begin(id: string, kind: Kind, { method, email, inPlace }: Beginning): Promise<{ session: SessionView; reused: boolean }> {
      const answer = await post(`${provider(id)}/${kind === 'auth' ? 'connect' : 'install'}`, {
        ...(method == null ? {} : { method }),
        ...(email ? { email } : {}),
        ...(inPlace ? { inPlace } : {}),
      });
      const view = readSession(answer);
      if (view === null) throw new ApiError('unexpected', 200, NO_PROBLEM);
      return { session: view, reused: fields(answer)['reused'] === true };
    },

    /** The last sign-in, or install, of a provider; null if it has none. */
    async lastSession(id: string, kind: Kind): Promise<SessionView | null> {
      try {
        return readSession(await get(`${provider(id)}/${kind === 'auth' ? 'session' : 'install'}`));
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },

    async session(id: string): Promise<SessionView | null> {
      return readSession(await get(session(id)));
    },

    /** `raw`: to the program as it is, with Enter after it; else it is checked first. */
    async input(id: string, typed: string, raw: boolean): Promise<void> {
      await post(`${session(id)}/input`, raw ? { text: typed, raw } : { text: typed });
    },

    async cancel(id: string): Promise<SessionView | null> {
      return readSession(await post(`${session(id)}/cancel`));
    },

    async disconnect(id: string): Promise<Disconnected> {
      return readDisconnected(await post(`${provider(id)}/disconnect`));
    },

    /** Asks the program, and the vendor about a key. */
    async check(id: string): Promise<KeyCheck | null> {
      return readKeyCheck(await post(`${provider(id)}/verify`));
    },

    /** `replace`: the person agrees that the key takes the place of the sign-in. */
    async setKey(id: string, key: string, replace: boolean): Promise<void> {
      await send('PUT', `${provider(id)}/api-key`, { body: replace ? { key, replace } : { key } });
    },

    /** Whether there was one. */
    async removeKey(id: string): Promise<boolean> {
      return fields(await send('DELETE', `${provider(id)}/api-key`))['removed'] !== false;
    },
  };
}

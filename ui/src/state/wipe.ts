// Wiping a hosted Room, from the question to the proof. It ends this browser's own sign-in on the way,
// so it holds what it needs and asks nothing of the page around it.

import { signal } from '@preact/signals-core';
import { ApiError, type Client } from '../api/client';
import { wipe, type Wiped } from '../api/wipe';
import { plain } from './plain';

export type WipeStep =
  | { at: 'asking' }
  | { at: 'busy' }
  /** `proof.ok` says whether anything stayed. */
  | { at: 'ended'; proof: Wiped }
  /** `unknown`: it may have begun all the same. */
  | { at: 'failed'; error: ApiError; unknown: boolean };

export type Wipe = ReturnType<typeof createWipe>;

/** As a person types it: a phone makes its own quotes, capitals and spaces. */
function folded(text: string): string {
  return plain(text).normalize('NFKC').replace(/[‘’ʼ`´]/gu, "'").replace(/\s+/gu, ' ').trim().toLowerCase();
}

/** Whether what was typed is the Room's name or its id. An empty name confirms nothing. */
export function confirms(typed: string, name: string | null, instanceId: string): boolean {
  const said = folded(typed);
  return said !== '' && [name ?? '', instanceId].some((one) => folded(one) === said);
}

export function createWipe(client: Pick<Client, 'send'>, instanceId: string) {
  const step = signal<WipeStep>({ at: 'asking' });
  return {
    step,

    async run(): Promise<void> {
      if (step.value.at === 'busy' || step.value.at === 'ended') return;
      step.value = { at: 'busy' };
      try {
        step.value = { at: 'ended', proof: await wipe(client, instanceId) };
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // What the Room refuses it has not begun. After anything else nobody here can tell; a browser whose
        // connection broke asks again by itself, and then its sign-in may be among what is gone.
        const unknown = error.kind !== 'problem' || error.status >= 500 || error.unauthorized;
        step.value = { at: 'failed', error, unknown };
      }
    },
  };
}

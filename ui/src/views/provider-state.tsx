// How a provider stands, in one word.

import type { ProviderStatus } from '../api/wire';
import { t } from '../text';
import { Mark, type Tone } from './parts';

function stateOf(status: ProviderStatus | undefined): { tone: Tone; word: string; state: string } {
  if (status === undefined) return { tone: 'off', word: t.states.unknown, state: 'unknown' };
  if (status.liveSessionId !== null) return { tone: 'wait', word: t.states.live, state: 'live' };
  if (status.installed === false) return { tone: 'off', word: t.states.missing, state: 'missing' };
  if (status.connected === true) return { tone: 'good', word: t.states.connected, state: 'connected' };
  if (status.error !== null) return { tone: 'bad', word: t.states.error, state: 'error' };
  if (status.connected === false) return { tone: 'off', word: t.states.disconnected, state: 'disconnected' };
  return { tone: 'off', word: t.states.unknown, state: 'unknown' };
}

export function ProviderState({ status, testid }: { status: ProviderStatus | undefined; testid?: string }) {
  const { tone, word, state } = stateOf(status);
  return (
    <Mark tone={tone} value={state} {...(testid === undefined ? {} : { testid })}>
      {word}
    </Mark>
  );
}

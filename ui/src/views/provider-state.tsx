// How a provider stands, in one word.

import type { StatusHead } from '../api/wire';
import { t } from '../text';
import { Mark, type Tone } from './parts';

function stateOf(status: StatusHead | undefined): { tone: Tone; word: string; state: string } {
  if (status === undefined) return { tone: 'off', word: t.states.unknown, state: 'unknown' };
  if (status.liveSessionId !== null) return { tone: 'wait', word: t.states.live, state: 'live' };
  if (status.installSessionId !== null) return { tone: 'wait', word: t.states.installing, state: 'installing' };
  if (status.installed === false) return { tone: 'off', word: t.states.missing, state: 'missing' };
  if (status.connected !== true && status.keyed) return { tone: 'good', word: t.states.keyed, state: 'keyed' };
  if (status.connected === true) return { tone: 'good', word: t.states.connected, state: 'connected' };
  if (status.tooOld) return { tone: 'wait', word: t.states.tooOld, state: 'too_old' };
  if (status.error !== null) return { tone: 'bad', word: t.states.error, state: 'error' };
  if (status.connected === false) return { tone: 'off', word: t.states.disconnected, state: 'disconnected' };
  return { tone: 'off', word: t.states.unknown, state: 'unknown' };
}

export function ProviderState({ status, testid }: { status: StatusHead | undefined; testid?: string }) {
  const { tone, word, state } = stateOf(status);
  return (
    <Mark tone={tone} value={state} {...(testid === undefined ? {} : { testid })}>
      {word}
    </Mark>
  );
}

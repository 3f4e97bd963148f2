// A field whose half-typed text outlives the field.

import { effect } from '@preact/signals';
import { useState } from 'preact/hooks';
import { createDrafts } from '../state/drafts';
import { useRoom } from './context';
import { tab } from './router';

const drafts = createDrafts(tab);
addEventListener('pagehide', () => drafts.pack());
addEventListener('pageshow', () => drafts.unpack());
effect(() => {
  const { phase, reason } = useRoom().auth;
  // Who has left, or was sent away, comes back to nothing; whose sign-in has lapsed goes on.
  if (phase.value === 'signed_out' && (reason.value === 'signed_out' || reason.value === 'revoked')) drafts.clear();
});

/** As `useState` of a text; `field` names it among all fields. What one person typed no other sees. */
export function useDraft(field: string): [text: string, setText: (text: string) => void] {
  const who = useRoom().auth.verified.value;
  const key = `${who?.issuer} ${who?.subject} ${field}`;
  const [, draw] = useState({});
  return [
    drafts.get(key),
    (text) => {
      drafts.set(key, text);
      draw({});
    },
  ];
}

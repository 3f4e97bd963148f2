// A field whose half-typed text outlives the field.

import { effect, signal } from '@preact/signals';
import { createDrafts, type Holder } from '../state/drafts';
import { useRoom } from './context';
import { RETURN_KEY, tab } from './router';

const workers = navigator.serviceWorker as ServiceWorkerContainer | undefined;

/** The worker's memory: it lives on while the page is loaded anew. */
const holder: Holder = {
  there: () => (workers?.controller ?? null) !== null,
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
  hold: (ticket, kept, long) => workers?.controller?.postMessage({ hold: ticket, kept, long }),
  give: (ticket) =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener('message', ({ data }) => resolve(data));
      port1.start();
      workers?.controller?.postMessage({ give: ticket }, [port2]);
    }),
};

/** Rises with everything that a field may have to show anew. */
const change = signal(0);
const drafts = createDrafts(tab, holder, () => crypto.randomUUID(), () => (change.value += 1));
addEventListener('pagehide', () => drafts.pack(tab.get(RETURN_KEY) !== null));
addEventListener('pageshow', () => void drafts.unpack());
addEventListener('beforeunload', (event) => {
  if (drafts.losing()) event.preventDefault();
});
effect(() => {
  const { phase, reason } = useRoom().auth;
  // Who has left, or was sent away, comes back to nothing; whose sign-in has lapsed goes on.
  if (phase.value === 'signed_out' && (reason.value === 'signed_out' || reason.value === 'revoked')) drafts.clear();
});

/** As `useState` of a text; `field` names it among all fields. What one person typed no other sees. */
export function useDraft(field: string): [text: string, setText: (text: string) => void] {
  const who = useRoom().auth.verified.value;
  const key = `${who?.issuer} ${who?.subject} ${field}`;
  void change.value;
  return [
    drafts.get(key),
    (text) => {
      drafts.set(key, text);
      change.value += 1;
    },
  ];
}

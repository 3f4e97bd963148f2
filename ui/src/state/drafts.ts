// What is half typed, by the field it stands in. It lives as long as the page, so that nothing that the page
// shows meanwhile costs anyone a word. A one-time code may be among it, and such a thing is never written to a
// storage of the browser. So where the page itself ends, for a new version or a visit to the control plane, someone
// else holds it in memory until the next page asks; what waits in the tab's own storage is only the ticket for it.

import { fields } from '../api/wire';
import type { SafeStorage } from './storage';

export const TICKET_KEY = 'room.drafts';
/** A person fills in one form; the oldest are of forms that nobody came back to. */
const MOST = 8;
/** Longer than any code or address that is pasted. */
const LONGEST = 4096;

/** Outlives the page, and forgets before long. */
export interface Holder {
  there(): boolean;
  /** `long`: until someone is back who went to sign in elsewhere. */
  hold(ticket: string, kept: Record<string, string>, long: boolean): void;
  /** Gives it out once; anything else, or no answer at all, when it knows of none. */
  give(ticket: string): Promise<unknown>;
}

export type Drafts = ReturnType<typeof createDrafts>;

/** `filled` is called when something came back that was not there a moment ago. */
export function createDrafts(tab: SafeStorage, holder: Holder, ticket: () => string, filled: () => void) {
  const kept = new Map<string, string>();

  function set(field: string, text: string): void {
    kept.delete(field);
    if (text !== '' && text.length <= LONGEST) kept.set(field, text);
    const [oldest] = kept.keys();
    if (kept.size > MOST && oldest !== undefined) kept.delete(oldest);
  }

  /** The page is there, and knows better what it has itself. */
  async function unpack(): Promise<void> {
    const mine = tab.get(TICKET_KEY);
    tab.remove(TICKET_KEY);
    if (mine === null) return;
    const held = Object.entries(fields(await holder.give(mine)));
    for (const [field, text] of held) if (!kept.has(field)) set(field, String(text));
    if (held.length > 0) filled();
  }

  void unpack();
  return {
    get: (field: string) => kept.get(field) ?? '',
    set,
    unpack,

    /** The page may be left for good. */
    pack(long: boolean): void {
      if (kept.size === 0 || !holder.there()) return;
      const mine = ticket();
      holder.hold(mine, Object.fromEntries(kept), long);
      tab.set(TICKET_KEY, mine);
    },

    /** To leave now costs someone what they typed. */
    losing: () => kept.size > 0 && !holder.there(),

    clear: () => kept.clear(),
  };
}

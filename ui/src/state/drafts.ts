// What is half typed, by the field it stands in. It lives as long as the page, so that nothing that the page
// shows meanwhile costs anyone a word; and where a visit elsewhere ends the page, it waits in the tab's own
// storage, from the leaving to the coming back. Never for a key, nor for what a program asks.

import { fields } from '../api/wire';
import type { SafeStorage } from './storage';

export const DRAFTS_KEY = 'room.drafts';
/** A person fills in one form; the oldest are of forms that nobody came back to. */
const MOST = 8;
/** Longer than any code or address that is pasted. */
const LONGEST = 4096;

export type Drafts = ReturnType<typeof createDrafts>;

export function createDrafts(tab: SafeStorage) {
  const kept = new Map<string, string>();

  function set(field: string, text: string): void {
    kept.delete(field);
    if (text !== '' && text.length <= LONGEST) kept.set(field, text);
    const [oldest] = kept.keys();
    if (kept.size > MOST && oldest !== undefined) kept.delete(oldest);
  }

  /** The page is there: nothing stays in the storage. */
  function unpack(): void {
    const packed = tab.get(DRAFTS_KEY);
    tab.remove(DRAFTS_KEY);
    try {
      for (const [field, text] of Object.entries(fields(JSON.parse(packed ?? '{}')))) if (!kept.has(field)) set(field, String(text));
    } catch {
      // Not ours, and gone now.
    }
  }

  unpack();
  return {
    get: (field: string) => kept.get(field) ?? '',
    set,
    unpack,

    /** The page may be left for good. */
    pack(): void {
      if (kept.size > 0) tab.set(DRAFTS_KEY, JSON.stringify(Object.fromEntries(kept)));
    },

    clear: () => kept.clear(),
  };
}

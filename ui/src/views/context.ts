// The one Room of this page, for the views. A page never has two, so this is a variable and not a
// context that each view would look up.

import { signal } from '@preact/signals';
import type { Room } from '../state/room';

let current: Room | null = null;

export function provideRoom(room: Room): void {
  current = room;
}

/** What a browser gave to install the page with; null where it gave nothing, or it is used. */
export const installer = signal<Event | null>(null);

/** Someone asked for a code for their phone, from wherever they were. */
export const pairWanted = signal(false);

export function useRoom(): Room {
  if (current === null) throw new Error('a view is drawn before its Room is there');
  return current;
}

// Which language is spoken, and the one way to a catalogue's words.
//
// English comes with each page; German is three files, loaded before anything is drawn where it is wanted.
// A catalogue is one object for as long as the page lives: a change of language fills it anew.

import { signal } from '@preact/signals';

export const LANGUAGES = ['en', 'de'] as const;
export type Language = (typeof LANGUAGES)[number];

export const LANGUAGE_KEY = 'room.language';

export const language = signal<Language>('en');

type Catalogues = Record<string, object>;

const open = new Map<string, [live: object, en: object]>();
let others: Catalogues = {};

/** The words of a page, in the language of now: `en` with what the other language says instead. */
export function words<T extends object>(name: string, en: T): T {
  const live = { ...en, ...others[name] };
  open.set(name, [live, en]);
  return live;
}

/** Turns to a language; one that cannot be loaded leaves it as it is. */
export async function speak(next: Language): Promise<void> {
  try {
    others = next === 'en' ? {} : Object.assign({}, ...(await Promise.all([import('./de'), import('./de/pages'), import('./de/signins')])).map((part) => part.de));
  } catch {
    return;
  }
  for (const [name, [live, en]] of open) {
    // What only the other language has goes with it.
    for (const word in live) delete (live as Catalogues)[word];
    Object.assign(live, en, others[name]);
  }
  document.documentElement.lang = language.value = next;
}

/** What was chosen, else the first of the browser's languages that is spoken here. */
export function wanted(chosen: string | null, languages: readonly string[]): Language {
  const asked = [chosen ?? '', ...languages].map((tag) => tag.slice(0, 2));
  return (asked.find((tag) => LANGUAGES.includes(tag as Language)) as Language | undefined) ?? 'en';
}

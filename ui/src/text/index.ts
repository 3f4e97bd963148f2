// The catalogue in use, and times in the words of its language.
//
// No word of the dashboard stands outside `text/`. The words are in one file a screen, loaded with it:
// those of every page are `t`, those of a screen `w`. One language so far; a second is a second folder
// beside `en`, of the same shapes, and a choice in these files.

import { core as en } from './en/core';

export const t: typeof en = en;

// A reader of English in Dublin has Irish dates; in another language English words want English dates.
const locale = navigator.language.startsWith(t.lang) ? navigator.language : t.lang;
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
const day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
const ago = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });

export function clockTime(ms: number): string {
  return clock.format(ms);
}

/** The time alone for today, with its day else. */
export function dayTime(ms: number, nowMs: number): string {
  return new Date(ms).toDateString() === new Date(nowMs).toDateString() ? clock.format(ms) : day.format(ms);
}

/** "now", "3 minutes ago", "yesterday". */
export function since(ms: number, nowMs: number): string {
  const seconds = Math.min(0, (ms - nowMs) / 1000);
  if (seconds > -45) return ago.format(0, 'second');
  if (seconds > -3600) return ago.format(Math.round(seconds / 60), 'minute');
  if (seconds > -86_400) return ago.format(Math.round(seconds / 3600), 'hour');
  return ago.format(Math.round(seconds / 86_400), 'day');
}

/** "12 s", "3 min". */
export function span(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  const [value, unit] = seconds < 100 ? [seconds, 'second'] : [Math.round(seconds / 60), 'minute'];
  return new Intl.NumberFormat(t.lang, { style: 'unit', unit: unit as string, unitDisplay: 'short' }).format(value as number);
}

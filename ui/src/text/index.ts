// The words of every page, and times and numbers as their language writes them.
//
// No word of the dashboard stands outside `text/`. The words are in one file a screen, loaded with it:
// those of every page are `t`, those of a screen `w`. `en` and `de` have the same files.

import { core } from './en/core';
import { language, words } from './words';

export const t = words('core', core);

/** What went wrong, by the code of the Room's answer: only in other languages than its own. */
export const problems: Record<string, string> = words('problems', {});

// A reader of English in Dublin has Irish dates; in another language English words want English dates.
function locale(): string {
  return navigator.language.startsWith(language.value) ? navigator.language : language.value;
}

export function formatTime(ms: number, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(locale(), options).format(ms);
}

export function formatNumber(value: number, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(locale(), options).format(value);
}

export function clockTime(ms: number): string {
  return formatTime(ms, { timeStyle: 'short' });
}

/** The time alone for today, with its day else. */
export function dayTime(ms: number, nowMs: number): string {
  const today = new Date(ms).toDateString() === new Date(nowMs).toDateString();
  return today ? clockTime(ms) : formatTime(ms, { dateStyle: 'medium', timeStyle: 'short' });
}

/** "now", "3 minutes ago", "yesterday". */
export function since(ms: number, nowMs: number): string {
  const ago = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  const seconds = Math.min(0, (ms - nowMs) / 1000);
  if (seconds > -45) return ago.format(0, 'second');
  if (seconds > -3600) return ago.format(Math.round(seconds / 60), 'minute');
  if (seconds > -86_400) return ago.format(Math.round(seconds / 3600), 'hour');
  return ago.format(Math.round(seconds / 86_400), 'day');
}

/** "12 s", "3 min". */
export function span(ms: number, unitDisplay: 'short' | 'narrow' = 'short'): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  const [value, unit] = seconds < 100 ? [seconds, 'second'] : [Math.round(seconds / 60), 'minute'];
  return formatNumber(value, { style: 'unit', unit, unitDisplay });
}

// Time left, from the server's absolute deadline: right after a sleep, and on a device whose clock
// is wrong, because the difference of the clocks is part of the sum.

/** Whole seconds left, to the nearest, never negative; null if there is no deadline. */
export function secondsLeft(deadline: number | null, nowMs: number, clockOffsetMs: number): number | null {
  if (deadline === null) return null;
  return Math.max(0, Math.round((deadline - (nowMs + clockOffsetMs)) / 1000));
}

/** `14:32`, or `1:02:03` past an hour. */
export function clockFace(seconds: number): string {
  const part = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${part(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${part(minutes % 60)}:${part(seconds % 60)}`;
}

export const SHORT_SECONDS = 120;

/** What is said aloud when the time left goes from `before` to `after`: minutes 5, 1 and 0, once each. */
export function mark(before: number | null, after: number | null): 5 | 1 | 0 | null {
  if (before === null || after === null) return null;
  for (const minutes of [0, 1, 5] as const) {
    if (before > minutes * 60 && after <= minutes * 60) return minutes;
  }
  return null;
}

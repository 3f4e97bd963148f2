// How a sign-in stands for the person in front of it, and what to offer after each way it can fail, in
// order: the first is the main button. A code we do not know gets those that always help.

import type { ProviderStatus } from '../api/wire-provider';
import type { SessionView } from '../api/wire-login';
import { secondsLeft } from './countdown';
import type { Login } from './session';

/** How long an end stays on the screen for someone who comes back. */
export const END_READABLE_MS = 10 * 60_000;

export type Phase = 'active' | 'completed' | 'canceled' | 'failed';

/** What the screen shows. A sign-in whose time is up counts as failed before the server says so. */
export function phaseOf(login: Login, nowMs: number, clockOffsetMs: number): Phase {
  const { view } = login;
  if (view.status === 'completed') return 'completed';
  if (view.status === 'canceled') return 'canceled';
  if (view.active) {
    // Past approval the deadline is no longer the person's: let the server finish.
    const waits = view.step !== 'storing' && view.step !== 'verifying' && view.step !== 'cancelling';
    return waits && secondsLeft(view.deadline, nowMs, clockOffsetMs) === 0 ? 'failed' : 'active';
  }
  return 'failed';
}

export function failureCode(view: SessionView): string {
  if (view.failure !== null) return view.failure.code;
  if (view.status === 'timeout' || view.active) return 'expired';
  return 'unrecognised';
}

/** Whether a sign-in is still shown to someone who comes back: while it runs, and for a while after. */
export function stillReadable(
  view: SessionView,
  status: ProviderStatus | undefined,
  nowMs: number,
  clockOffsetMs: number,
): boolean {
  const endedAt = view.endedAt ?? view.updatedAt;
  if (view.active || endedAt === null) return true;
  // "Connected" is not said of a provider that has been disconnected since.
  const later = Math.max(status?.checkedAt ?? 0, status?.disconnectedAt ?? 0) > endedAt;
  if (view.status === 'completed' && status?.connected === false && later) return false;
  return nowMs + clockOffsetMs - endedAt < END_READABLE_MS;
}

export type NextAction =
  | 'fresh' // the same sign-in anew, called "Get a new code" or "Get a new link"
  | 'again' // the same sign-in anew, called "Start again"
  | 'install' // the program, by the Room or by hand
  | 'open_setting'
  | 'other_way' // another method, or an API key
  | 'copy_for_admin'
  | 'copy_details';

const ACTIONS: Record<string, NextAction[]> = {
  not_installed: ['install', 'again'],
  too_old: ['install', 'again'],
  no_answer: ['again', 'copy_details'],
  network: ['again', 'copy_details'],
  device_codes_off: ['open_setting', 'fresh', 'other_way'],
  expired: ['fresh'],
  timeout: ['fresh'],
  refused: ['fresh', 'other_way', 'copy_details'],
  rate_limited: ['again', 'copy_details'],
  program_died: ['again', 'copy_details'],
  launch_failed: ['again', 'install', 'copy_details'],
  not_signed_in: ['again', 'other_way', 'copy_details'],
  canceled: ['again', 'other_way'],
  server_restarted: ['again'],
  cannot_store: ['again', 'copy_details'],
  policy: ['copy_for_admin', 'other_way', 'again'],
  unrecognised: ['copy_details', 'again', 'other_way'],
};

export function nextActions(code: string): NextAction[] {
  return ACTIONS[code] ?? ['copy_details', 'again', 'other_way'];
}

/** Whether the last lines say more than the words above them, so that they are shown unasked. */
export function showsOutput(code: string): boolean {
  return !['not_installed', 'too_old', 'expired', 'timeout', 'canceled', 'server_restarted', 'device_codes_off'].includes(code);
}

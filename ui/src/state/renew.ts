// When a hosted sign-in is renewed: offered in good time, done unasked only where nobody is disturbed.

export interface RenewalInput {
  /** By the server's clock, as `expiresAt`. */
  now: number;
  expiresAt: number | null;
  /** The bearer of a page elsewhere lives minutes, a device's session a day. */
  short: boolean;
  visible: boolean;
  /** Since someone last touched this page. */
  idleMs: number;
  /** A sign-in to a provider is going on, or a field is being filled. */
  typing: boolean;
  live: boolean;
  /** Since this tab last left for a fresh token unasked. */
  triedMs: number | null;
}

export type Renewal = 'none' | 'offer' | 'go';

const MINUTE = 60_000;
const IDLE_MS = 5 * MINUTE;
/** A visit that changed nothing is not repeated at once. */
const TRIED_MS = 10 * MINUTE;

export function renewal(input: RenewalInput): Renewal {
  if (input.expiresAt === null) return 'none';
  const left = input.expiresAt - input.now;
  const [offer, last] = input.short ? [2 * MINUTE, MINUTE] : [120 * MINUTE, 15 * MINUTE];
  if (left <= 0 || left > offer) return 'none';
  const undisturbed = !input.visible || input.idleMs >= IDLE_MS;
  const again = input.triedMs !== null && input.triedMs < TRIED_MS;
  return left <= last && undisturbed && !input.typing && input.live && !again ? 'go' : 'offer';
}

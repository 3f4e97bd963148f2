import { expect, test } from 'vitest';
import { renewal, type RenewalInput } from './renew';

const MINUTE = 60_000;
const NEAR: RenewalInput = {
  now: 0,
  expiresAt: 10 * MINUTE,
  short: false,
  visible: false,
  idleMs: 0,
  typing: false,
  live: true,
  triedMs: null,
};

test.each<[Partial<RenewalInput>, string]>([
  [{}, 'go'],
  [{ visible: true }, 'offer'],
  [{ visible: true, idleMs: 5 * MINUTE }, 'go'],
  [{ typing: true }, 'offer'],
  [{ live: false }, 'offer'],
  [{ triedMs: MINUTE }, 'offer'],
  [{ triedMs: 11 * MINUTE }, 'go'],
  [{ expiresAt: 16 * MINUTE }, 'offer'],
  [{ expiresAt: 121 * MINUTE }, 'none'],
  [{ expiresAt: 0 }, 'none'],
  [{ expiresAt: null }, 'none'],
  [{ short: true }, 'none'],
  [{ short: true, expiresAt: 90_000 }, 'offer'],
  [{ short: true, expiresAt: 50_000 }, 'go'],
])('a sign-in with %j: %s', (more, expected) => {
  expect(renewal({ ...NEAR, ...more })).toBe(expected);
});

// Arriving at a hosted Room: with a token of a control plane, with a pairing code, through Cloudflare.

import { ApiError } from '../api/client';
import { fields, readVerified, text, type Verified } from '../api/wire';
import { samePerson, type Arrival, type Inside, type SignedOutReason } from './auth';
import { deviceName } from './device';
import { plain } from './plain';

/** What a token says of itself. Nothing of it is proven: it only tells whether to ask, and which words fit. */
export interface Claims {
  issuer: string | null;
  subject: string | null;
  name: string | null;
  instanceId: string | null;
  expiresAt: number | null;
}

export function claims(token: string): Claims {
  let body: Record<string, unknown> = {};
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    body = fields(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    // The Room says what is wrong with it.
  }
  const expires = body['exp'];
  return {
    issuer: text(body['iss']),
    subject: text(body['sub']),
    name: text(body['name']) ?? text(body['email']),
    instanceId: text(body['instanceId']),
    expiresAt: typeof expires === 'number' ? expires * 1000 : null,
  };
}

/** Crockford's 32: no I, L, O and U. */
const TYPED = /^[0-9A-HJKMNP-TV-Z]{10}$/u;
/** 128 bits or more. */
const LINKED = /^[A-Za-z0-9_-]{22,64}$/u;

/** What is sent for a code that was typed, or for a link that was pasted; null if it can be neither. */
export function pairingCode(entered: string): string | null {
  const bare = plain(entered).replace(/\s/gu, '');
  const link = /(?:^|[#&?])pair=([^&#]+)/u.exec(bare)?.[1] ?? bare;
  if (LINKED.test(link)) return link;
  const typed = bare.toUpperCase().replaceAll('-', '').replaceAll('O', '0').replace(/[IL]/gu, '1');
  return TYPED.test(typed) ? typed : null;
}

const REFUSED: Record<Arrival['kind'], SignedOutReason> = {
  code: 'no_code',
  token: 'token_refused',
  pair: 'pair_refused',
};

/** First whether someone is signed in here, then the trade; in between a question, if it is someone else. */
export async function arrive(inside: Inside, arrival: Arrival): Promise<void> {
  const said = arrival.kind === 'token' ? claims(arrival.secret) : null;
  let current: Verified | null = null;
  if (!inside.apart()) {
    try {
      current = await inside.client.verify();
    } catch (error) {
      if (!(error instanceof ApiError && error.unauthorized)) return inside.explain(error, 'ended');
    }
  }
  if (current === null || samePerson(current, said)) return take(inside, arrival, current);
  return inside.ask({ arrival, current, next: said?.name ?? said?.subject ?? null });
}

/** Takes what was brought. `current` is the same person, signed in already: then a refusal changes nothing. */
export async function take(inside: Inside, arrival: Arrival, current: Verified | null): Promise<void> {
  try {
    if (arrival.kind === 'pair') inside.accept(await redeem(inside, arrival.secret));
    else if (inside.apart()) await carry(inside, arrival.secret);
    else inside.accept(await trade(inside, arrival.secret));
  } catch (error) {
    // A link opened twice, or restored by the browser.
    if (current !== null && error instanceof ApiError && error.unauthorized) return inside.accept(current);
    inside.carry(null);
    inside.explain(arrival.kind === 'token' ? sharpened(inside, error, arrival.secret) : error, REFUSED[arrival.kind]);
  }
}

async function trade({ client, device }: Inside, token: string): Promise<Verified> {
  const as = { id: 'arriving', bearer: token };
  return readVerified(await client.send('POST', '/api/auth/session', { as, body: { deviceName: deviceName(...device()) } }));
}

/** From another origin there is no cookie to be had: the token itself is carried, in memory. */
async function carry(inside: Inside, token: string): Promise<void> {
  inside.carry(token);
  inside.accept(readVerified(await inside.client.send('GET', '/api/auth/verify', { as: { id: 'arriving', bearer: token } })));
}

async function redeem({ client, device }: Inside, code: string): Promise<Verified> {
  return readVerified(await client.send('POST', '/api/auth/pair/redeem', { as: null, body: { code, deviceName: deviceName(...device()) } }));
}

/** Every token that proves nothing is refused alike; two cases the token itself tells. */
function sharpened(inside: Inside, error: unknown, token: string): unknown {
  if (!(error instanceof ApiError) || !error.unauthorized || error.code.startsWith('token_')) return error;
  const { instanceId } = claims(token);
  const ours = inside.instanceId();
  if (ours === null || instanceId === null || instanceId === ours) return error;
  return new ApiError('problem', 401, { ...error.problem, code: 'wrong_instance' });
}

/** One tap: the assertion that Cloudflare adds to every request signs in. */
export async function cloudflare(inside: Inside): Promise<void> {
  const body = { deviceName: deviceName(...inside.device()) };
  try {
    inside.accept(readVerified(await inside.client.send('POST', '/api/auth/session', { as: null, body })));
  } catch (error) {
    inside.explain(error, 'cloudflare_refused');
  }
}

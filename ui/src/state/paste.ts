// The code that a person pastes: what of it is sent, and whether it looks odd.

import { parseUrl } from './address';
import { plain } from './plain';

export type PasteDoubt = 'address' | 'short_digits' | 'no_hash' | 'no_address' | 'not_local' | 'no_code' | null;

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])$/u;

/** What is sent for a paste: no white space; `code#state` when it was the whole callback address. */
export function pasted(text: string, kind: string): string {
  const bare = plain(text).replace(/\s/gu, '');
  // Some browsers copy an address without its beginning.
  if (kind === 'pasted_callback' && /^(?:localhost|127\.0\.0\.1)[:/]/u.test(bare)) return `http://${bare}`;
  if (kind !== 'pasted_code' || !/^https?:\/\//iu.test(bare)) return bare;
  const url = parseUrl(bare);
  const code = url?.searchParams.get('code');
  const state = url?.searchParams.get('state') ?? url?.hash.slice(1);
  return code && state ? `${code}#${state}` : bare;
}

/** Why a paste looks odd. It may be sent all the same: the program knows its codes better than we do. */
export function doubt(text: string, kind: string): PasteDoubt {
  const code = pasted(text, kind);
  if (code === '') return null;
  if (kind === 'pasted_callback') return callbackDoubt(code);
  if (kind !== 'pasted_code') return null;
  if (/^https?:\/\//iu.test(code)) return 'address';
  if (/^\d{4,10}$/u.test(code)) return 'short_digits';
  return /^[^#]+#[^#]+$/u.test(code) ? null : 'no_hash';
}

function callbackDoubt(address: string): PasteDoubt {
  const url = /^https?:\/\//iu.test(address) ? parseUrl(address) : null;
  if (url === null) return 'no_address';
  if (!LOOPBACK.test(url.hostname)) return 'not_local';
  return url.searchParams.get('code') ?? url.searchParams.get('error') ? null : 'no_code';
}

/** Where the last page of a sign-in will be looked for: the start of its address, from the link itself. */
export function callbackStart(link: string | null): string {
  const url = parseUrl(parseUrl(link ?? '')?.searchParams.get('redirect_uri') ?? '');
  return url !== null && LOOPBACK.test(url.hostname) ? url.origin : 'http://127.0.0.1';
}

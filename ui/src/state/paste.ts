// The code that a person pastes: what of it is sent, and whether it looks odd.

import { parseUrl } from './address';
import { plain } from './plain';

export type PasteDoubt = 'address' | 'short_digits' | 'no_hash' | null;

/** What is sent for a paste: no white space; `code#state` when it was the whole callback address. */
export function pasted(text: string, kind: string): string {
  const bare = plain(text).replace(/\s/gu, '');
  if (kind !== 'pasted_code' || !/^https?:\/\//iu.test(bare)) return bare;
  const url = parseUrl(bare);
  const code = url?.searchParams.get('code');
  const state = url?.searchParams.get('state') ?? url?.hash.slice(1);
  return code && state ? `${code}#${state}` : bare;
}

/** Why a paste looks odd. It may be sent all the same: the program knows its codes better than we do. */
export function doubt(text: string, kind: string): PasteDoubt {
  const code = pasted(text, kind);
  if (code === '' || kind !== 'pasted_code') return null;
  if (/^https?:\/\//iu.test(code)) return 'address';
  if (/^\d{4,10}$/u.test(code)) return 'short_digits';
  return /^[^#]+#[^#]+$/u.test(code) ? null : 'no_hash';
}

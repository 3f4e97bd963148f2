// Text for a report, less what is nobody's business.

import { plain } from './plain';

const SECRETS: [RegExp, string][] = [
  [/\b(?:sk|rk|pk)-[A-Za-z0-9_*-]{6,}/gu, '[key]'],
  [/\beyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){1,2}/gu, '[token]'],
  [/\bBearer\s+\S+/giu, 'Bearer [token]'],
  [/(https?:\/\/[^\s?#]+)[?#]\S+/gu, '$1?[removed]'],
  [/\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b/gu, '[e-mail]'],
  [/\S{8,}#\S{8,}/gu, '[code]'],
];

/** `text` without keys, tokens, codes, e-mail addresses and what follows the `?` of an address. */
export function redact(text: string, codes: readonly (string | null)[] = []): string {
  let clean = plain(text);
  for (const code of codes) if (code) clean = clean.replaceAll(code, '[code]');
  for (const [pattern, instead] of SECRETS) clean = clean.replace(pattern, instead);
  return clean;
}

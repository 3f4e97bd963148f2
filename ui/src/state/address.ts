// Addresses and links that came from elsewhere: which may be opened, and what a sign-in link holds.

import { plain } from './plain';

/**
 * The address if it may be opened from here: https, one of the provider's hosts, nothing hidden
 * before the host. Else null, and it is shown as text.
 */
export function trustedUrl(address: string | null, hosts: readonly string[]): URL | null {
  if (address === null || plain(address) !== address) return null;
  const url = parseUrl(address);
  if (url === null || url.protocol !== 'https:' || url.username !== '' || url.password !== '') return null;
  return hosts.includes(url.host) ? url : null;
}

/** An https address to be opened from words of the server's own, or null. */
export function httpsUrl(address: string | null): URL | null {
  const url = address === null ? null : parseUrl(address);
  return url?.protocol === 'https:' ? url : null;
}

export function parseUrl(address: string): URL | null {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/** The code of a sign-in link, or of a code alone; null if there is none. */
export function linkCode(text: string): string | null {
  const bare = plain(text).replace(/\s/gu, '');
  const found = /(?:^|[#&?])code=([^&#]+)/u.exec(bare)?.[1] ?? (/^https?:/iu.test(bare) ? null : bare);
  if (found === null || found === '') return null;
  try {
    return decodeURIComponent(found);
  } catch {
    return found;
  }
}

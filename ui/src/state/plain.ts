// Text that came from elsewhere: what may be shown and copied, and what may be sent.

/**
 * Control characters (line break and tab apart), bidirectional controls, zero-width characters, and
 * the invisible "tags": with them, what one sees is not what one copies.
 */
const DECEIVING =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class -- these are what it removes
  /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB]|[\u{E0000}-\u{E0FFF}]/gu;

export function plain(text: string): string {
  return text.replace(DECEIVING, '');
}

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

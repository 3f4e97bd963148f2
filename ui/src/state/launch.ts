// The way to a fresh token: a visit to the control plane, which comes back with one.

import { parseUrl } from './address';

/** Where a page may be sent or may ask: https, or this very machine. */
export function roomUrl(address: string | null): URL | null {
  const url = address === null ? null : parseUrl(address);
  if (url === null || url.username !== '' || url.password !== '') return null;
  const here = /^(?:localhost|127\.0\.0\.1|\[::1\])$/u.test(url.hostname);
  return url.protocol === 'https:' || (url.protocol === 'http:' && here) ? url : null;
}

/** `back`: the path to come back to. Null without a control plane. */
export function launchUrl(controlPlane: string | null, instanceId: string | null, back: string): string | null {
  const url = roomUrl(controlPlane);
  if (url === null) return null;
  const query = [
    instanceId === null ? null : `instance=${encodeURIComponent(instanceId)}`,
    `return=${encodeURIComponent(back)}`,
  ];
  return `${url.origin}${url.pathname.replace(/\/$/u, '')}/launch?${query.filter((part) => part !== null).join('&')}`;
}

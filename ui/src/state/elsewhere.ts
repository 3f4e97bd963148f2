// A page on another origin than its Room: a file beside it says where the Room is.

import { fields, text, type Bootstrap } from '../api/wire';
import { roomUrl } from './launch';

export interface Elsewhere {
  /** The folder of the page, with its slash. */
  root: string;
  apiUrl: string;
  config: Partial<Bootstrap>;
}

const PAGES = /\/(?:providers(?:\/[^/]+\/connect)?|access|activity|settings)\/?$/u;

/** The folder that the page's own addresses are in. */
export function rootOf(path: string): string {
  const root = path.replace(PAGES, '');
  return root.endsWith('/') ? root : `${root}/`;
}

export async function find(path: string, get: (path: string) => Promise<unknown>): Promise<Elsewhere | null> {
  const root = rootOf(path);
  let body: Record<string, unknown>;
  try {
    body = fields(await get(`${root}config.json`));
  } catch {
    return null;
  }
  const url = roomUrl(text(body['apiUrl']));
  if (url === null) return null;
  const config: Partial<Bootstrap> = {};
  const controlPlaneUrl = text(body['controlPlaneUrl']);
  const instanceId = text(body['instanceId']);
  if (controlPlaneUrl !== null) config.controlPlaneUrl = controlPlaneUrl;
  if (instanceId !== null) config.instanceId = instanceId;
  return { root, apiUrl: url.origin, config };
}

// Which page the address names, and moving between pages without loading one.

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';

export type Route =
  | { page: 'overview' }
  | { page: 'providers' }
  | { page: 'login'; provider: string }
  | { page: 'access' }
  | { page: 'settings' }
  | { page: 'unknown' };

export function parse(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const [first, second, third] = parts;
  if (first === undefined) return { page: 'overview' };
  if (first === 'providers' && parts.length === 3 && second !== undefined && third === 'connect') {
    try {
      return { page: 'login', provider: decodeURIComponent(second) };
    } catch {
      return { page: 'unknown' };
    }
  }
  if (parts.length === 1 && (first === 'providers' || first === 'access' || first === 'settings')) return { page: first };
  return { page: 'unknown' };
}

export const path = signal('/');

/** The page has moved since it was loaded: from then on a heading takes the focus. */
export let moved = false;

export function startRouter(): void {
  path.value = location.pathname;
  addEventListener('popstate', () => {
    if (location.pathname === path.value) return;
    moved = true;
    path.value = location.pathname;
  });
}

export function go(to: string): void {
  if (to === path.value) return;
  history.pushState(null, '', to);
  moved = true;
  path.value = to;
  scrollTo(0, 0);
}

export function loginPath(provider: string): string {
  return `/providers/${encodeURIComponent(provider)}/connect`;
}

interface LinkProps {
  to: string;
  class?: string;
  'aria-current'?: 'page' | undefined;
  'data-testid'?: string;
  children: ComponentChildren;
}

/** A link within the dashboard; with a modifier key it is the browser's. */
export function Link({ to, children, ...rest }: LinkProps) {
  return (
    <a
      {...rest}
      href={to}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

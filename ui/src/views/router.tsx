// Which page the address names, and moving between pages without loading one.

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { safeStorage } from '../state/storage';

export type Route =
  | { page: 'overview' }
  | { page: 'providers' }
  | { page: 'login'; provider: string }
  | { page: 'access' }
  | { page: 'activity' }
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
  if (parts.length === 1 && ['providers', 'access', 'activity', 'settings'].includes(first)) {
    return { page: first as 'providers' | 'access' | 'activity' | 'settings' };
  }
  return { page: 'unknown' };
}

export const path = signal('/');

/** What is kept for this tab alone. */
export const tab = safeStorage(() => sessionStorage);

/** Where a page that leaves for a fresh token was. */
export const RETURN_KEY = 'room.return';

export function remember(): void {
  tab.set(RETURN_KEY, location.pathname + location.search);
}

/** The folder of the dashboard: `/`, unless the page is on another origin than its Room. */
let root = '/';

export function setRoot(folder: string): void {
  root = folder;
  path.value = within();
}

function within(): string {
  return location.pathname.startsWith(root) ? location.pathname.slice(root.length - 1) : '/';
}

export function startRouter(): void {
  path.value = within();
  addEventListener('popstate', () => {
    path.value = within();
  });
}

export function go(to: string): void {
  if (to === path.value) return;
  history.pushState(null, '', root + to.slice(1));
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
  onGo?: () => void;
  children: ComponentChildren;
}

/** A link within the dashboard; with a modifier key it is the browser's. */
export function Link({ to, children, onGo, ...rest }: LinkProps) {
  return (
    <a
      {...rest}
      href={root + to.slice(1)}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return;
        event.preventDefault();
        onGo?.();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

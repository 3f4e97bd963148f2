// Pages that are loaded when they are first wanted, and all of them once the browser is idle, so that
// they are there when the Room is not.

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../text';
import { Mark, Skeleton } from './parts';

const loaders = new Map<unknown, () => Promise<unknown>>();

/** `instead` stands there meanwhile, and if it cannot be loaded: null for what is no page. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>, instead?: null): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  const once = async () => {
    const [view] = await Promise.all([load(), import('./late')]);
    return (loaded ??= view);
  };
  loaders.set(Lazy, once);
  return Lazy;

  function Lazy(props: P) {
    const [state, setState] = useState<'waiting' | 'here' | 'failed'>(loaded === null ? 'waiting' : 'here');
    useEffect(() => {
      if (state === 'waiting') {
        once().then(
          () => setState('here'),
          () => setState('failed'),
        );
      }
    }, [state]);
    if (loaded !== null) {
      const View = loaded;
      return <View {...props} />;
    }
    if (instead === null) return null;
    if (state === 'waiting') return <Skeleton />;
    return (
      <div class="note bad" data-testid="not-loaded">
        <Mark tone="bad">{t.errors.notLoaded}</Mark>
        {/* A browser remembers that a script was not there; only a new page asks again. */}
        <button type="button" class="button" onClick={() => location.reload()}>
          {t.errors.reload}
        </button>
      </div>
    );
  }
}

export async function preload(view: unknown): Promise<void> {
  await loaders.get(view)?.().catch(() => null);
}

/** Fetches what is not here yet, and what that brings. A failure is told when the page is wanted. */
export async function loadAll(): Promise<void> {
  for (const load of loaders.values()) await load().catch(() => null);
}

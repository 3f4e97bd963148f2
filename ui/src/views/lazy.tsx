// Pages that are loaded when they are first wanted, and all of them once the browser is idle, so that
// they are there when the Room is not.

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../text';
import { Mark, Skeleton } from './parts';

const loaders: (() => Promise<unknown>)[] = [];

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  const once = async () => (loaded ??= await load());
  loaders.push(once);
  return function Lazy(props: P) {
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
  };
}

/** Fetches what is not here yet. A failure is told when the page is wanted. */
export async function loadAll(): Promise<void> {
  await Promise.allSettled(loaders.map((load) => load()));
}

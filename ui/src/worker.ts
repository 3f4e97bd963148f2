// The page's side of the worker: registers it, finds the next build behind it, and lets it in on a tap.
// Loaded when the Room has greeted.

interface Policy {
  createScriptURL(url: string): string;
}
declare const trustedTypes: { createPolicy(name: string, rules: Policy): Policy } | undefined;

const ADDRESS = /^\/sw\.js\?v=[\w-]{1,40}$/u;

// Where a browser enforces it, the one policy that the server allows; and it allows one address.
const rules: Policy = {
  createScriptURL(url) {
    if (ADDRESS.test(url)) return url;
    throw new TypeError('no worker of ours');
  },
};
const policy = typeof trustedTypes === 'undefined' ? rules : trustedTypes.createPolicy('room-sw', rules);

/** Held while this page lives, and let go by the browser: for so long its build's files are kept. */
let held = false;

function hold(build: string): void {
  if (held) return;
  held = true;
  void navigator.locks.request(`room-${build}`, { mode: 'shared' }, () => new Promise(() => {})).catch(() => null);
}

/** A browser may have other workers to see to first; an offer is promised within five seconds. */
const LATE_MS = 3_000;

let reloading = false;

function reload(): void {
  if (!reloading) location.reload();
  reloading = true;
}

/**
 * Called with each greeting. `own` is the build of this page, `served` the server's; `offer` is told once the
 * other one is here, with what a tap then does.
 */
export async function greeted(own: string, served: string, offer: (apply: () => void) => void): Promise<void> {
  const workers = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  const differs = own !== served;
  // The page itself is asked of the server in any case, so a reload brings the new one without the worker too.
  const late = differs ? setTimeout(() => offer(reload), LATE_MS) : undefined;
  const ready = (apply: () => void) => {
    clearTimeout(late);
    offer(apply);
  };
  let registration: ServiceWorkerRegistration;
  try {
    if (workers === undefined) throw new Error('no workers here');
    hold(own);
    // The address has the build in it: of one that never changed a browser might not ask again.
    const options = { updateViaCache: 'none' } as const;
    registration = await workers.register(policy.createScriptURL(`/sw.js?v=${served}`), options);
  } catch {
    // A private window, or storage that is full: the page works without.
    if (differs) ready(reload);
    return;
  }
  if (!differs) {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
    registration.active?.postMessage('sweep');
    // A page that came without waiting for its worker has nothing to lose by letting it in.
    const enter = () => {
      const { waiting } = registration;
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
      if (waiting?.scriptURL.endsWith(served) === true) for (const one of [registration.active, waiting]) one?.postMessage('skip');
    };
    enter();
    registration.installing?.addEventListener('statechange', enter);
    return;
  }
  const apply = () => {
    const { waiting } = registration;
    if (waiting === null) return reload();
    workers.addEventListener('controllerchange', reload, { once: true });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
    for (const one of [registration.active, waiting]) one?.postMessage('skip');
    return undefined;
  };
  const next = registration.installing;
  if (next === null) return ready(apply);
  // Also one that could not be installed: the page itself is asked of the server in any case.
  next.addEventListener('statechange', () => {
    if (next.state === 'installed' || next.state === 'redundant') ready(apply);
  });
}

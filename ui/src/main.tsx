// Start of the page: takes what signs in out of the address before anything is asked for, hands the
// platform to the state, and draws.

import { effect } from '@preact/signals';
import { render } from 'preact';
import { createRoom } from './state/room';
import { safeStorage } from './state/storage';
import { MARK_KEY, TOKEN_KEY, type Arrival } from './state/auth';
import { LANGUAGE_KEY, speak, wanted } from './text/words';
import { App } from './views/app';
import { installer, provideRoom } from './views/context';
import { loadAll, preload } from './views/lazy';
import { OfflineNote } from './views/shell';
import { RETURN_KEY, setRoot, startRouter, tab } from './views/router';

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])$/u;

/** What `/#code=…` and its like bring, removed from the address and from the history. */
function takeArrival(): Arrival | null {
  const [, kind, secret] = /^#(code|token|pair)=([^&]*)/u.exec(location.hash) ?? [];
  if (kind === undefined || secret === undefined) return null;
  // Whoever went to the control plane for a fresh token comes back to where they were.
  const here = location.pathname + location.search;
  const back = kind === 'token' && here === '/' ? tab.get(RETURN_KEY) : null;
  tab.remove(RETURN_KEY);
  history.replaceState(null, '', back ?? here);
  return { kind: kind as Arrival['kind'], secret: decoded(secret) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const arrival = takeArrival();

/** Where the Room is, if not where this page came from. */
let api = '';

const build = document.querySelector<HTMLMetaElement>('meta[name=room-build]')?.content ?? 'dev';

const room = createRoom({
  hosted: location.protocol === 'https:',
  device: () => [navigator.userAgent, navigator.maxTouchPoints],
  fetch: async (path, { timeoutMs, ...init }) =>
    fetch(path.startsWith('/api/') ? api + path : path, {
      ...init,
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    }),
  async elsewhere() {
    const { find } = await import('./state/elsewhere');
    const found = await find(location.pathname, async (path) => (await fetch(path)).json());
    if (found === null) return null;
    api = found.apiUrl;
    setRoot(found.root);
    return found.config;
  },
  openSocket: (protocols, events) => {
    const socket = new WebSocket(`${(api || location.origin).replace('http', 'ws')}/ws`, protocols);
    socket.addEventListener('message', (event) => events.message(event.data));
    socket.addEventListener('close', (event) => events.closed(event.code));
    return socket;
  },
  timers: {
    set: (action, delayMs) => setTimeout(action, delayMs),
    clear: (timer) => clearTimeout(timer as number | undefined),
    now: () => Date.now(),
  },
  random: Math.random,
  storage: safeStorage(() => localStorage),
  build,
  async greeted(served, offer) {
    if (build === 'dev') return;
    const worker = await import('./worker');
    await worker.greeted(build, served, offer);
  },
});

// A sign-in is kept for this origin only, and another tab's counts here too.
addEventListener('storage', (event) => {
  if (event.key === TOKEN_KEY || event.key === MARK_KEY) void room.auth.adopt(event.newValue);
});
// Asked when the person wants it, and not when the browser does.
addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault();
  installer.value = event;
});
addEventListener('hashchange', () => {
  const next = takeArrival();
  if (next !== null) void room.auth.begin(next);
});

function woken(): void {
  const visible = document.visibilityState === 'visible';
  room.link.setVisible(visible);
  if (!visible) return;
  room.link.wake();
  if (room.auth.phase.peek() === 'signed_out' && room.auth.reason.peek() === 'unreachable') void room.auth.retry();
}
document.addEventListener('visibilitychange', woken);
addEventListener('pageshow', woken);
addEventListener('focus', woken);
addEventListener('online', () => room.link.setOnline(true));
addEventListener('offline', () => {
  // A Room on this very machine is there without a network.
  if (!LOOPBACK.test(location.hostname)) room.link.setOnline(false);
});

effect(() => {
  const theme = room.theme.value;
  const root = document.documentElement;
  if (theme === 'system') delete root.dataset['theme'];
  else root.dataset['theme'] = theme;
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]')) {
    const dark = theme === 'system' ? meta.media.includes('dark') : theme === 'dark';
    meta.content = dark ? '#0f1217' : '#f5f6f8';
  }
});

// Once the Room answers, the page is worth having whole: also for when the Room is away, so the words
// for that come first.
const whole = effect(() => {
  if (room.linkPhase.value !== 'live') return;
  void preload(OfflineNote);
  setTimeout(() => void loadAll(), 2_000);
  queueMicrotask(() => whole());
});

startRouter();
void room.auth.begin(arrival);

provideRoom(room);
const root = document.getElementById('app');
void speak(wanted(room.storage.get(LANGUAGE_KEY), navigator.languages)).then(() => {
  if (root !== null) render(<App />, root);
});

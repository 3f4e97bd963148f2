// Start of the page: takes the one-time code out of the address before anything is asked for, hands
// the platform to the state, and draws.

import { effect } from '@preact/signals';
import { render } from 'preact';
import { createRoom } from './state/room';
import { linkCode } from './state/plain';
import { safeStorage } from './state/storage';
import { TOKEN_KEY } from './state/auth';
import { App } from './views/app';
import { provideRoom } from './views/context';
import { loadAll } from './views/lazy';
import { startRouter } from './views/router';

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])$/u;

/** The code of `/#code=…`, removed from the address and from the history. */
function takeCode(): string | null {
  if (!location.hash.startsWith('#code=')) return null;
  const code = linkCode(location.hash);
  history.replaceState(null, '', location.pathname + location.search);
  return code;
}

const code = takeCode();

const room = createRoom({
  fetch: async (path, { timeoutMs, ...init }) =>
    fetch(path, {
      ...init,
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    }),
  openSocket: (protocols, events) => {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`, protocols);
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
  build: document.querySelector<HTMLMetaElement>('meta[name=room-build]')?.content ?? 'dev',
});

// A sign-in is kept for this origin only, and another tab's counts here too.
addEventListener('storage', (event) => {
  if (event.key === TOKEN_KEY) void room.auth.adopt(event.newValue);
});
addEventListener('hashchange', () => {
  const next = takeCode();
  if (next !== null) void room.auth.begin(next);
});

function woken(): void {
  if (document.visibilityState !== 'visible') return;
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

// A page open this long is worth having whole, also for when the Room is away.
setTimeout(() => void loadAll(), 5_000);

startRouter();
void room.auth.begin(code);

provideRoom(room);
const root = document.getElementById('app');
if (root !== null) render(<App />, root);

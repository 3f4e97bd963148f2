// The worker of this origin: keeps one build of the page, so that it opens while the Room is away and
// its later parts load after the Room has moved on. It never sees, keeps or answers a request to the API.
//
// Its body names its build and that build's files (`scripts/finish.mjs` writes them in), so every build
// has a body of its own, and a browser that asks for it finds the next one.

const worker = self as unknown as ServiceWorkerGlobalScope;

const BUILD = '__ROOM_BUILD__';
/** The page, its icon and manifest, and all scripts and styles, also those that are loaded later. */
const FILES = '__ROOM_FILES__'.split(' ');
const NAME = `room-${BUILD}`;
/** The page of this build: what `index.html` is, under a name of its own. */
const SHELL = '/offline.html';

/** Left to the browser, whatever comes of it. */
const NOT_OURS = /^\/(?:api|ws|auth|mcp|healthz|readyz)(?:\/|$)|^\/(?:sw\.js|build\.json|config\.json)$/u;
/** A Room that has not answered for this long is drawn from what is kept; the page itself goes on asking. */
const PATIENCE_MS = 900;

worker.addEventListener('install', (event) => {
  event.waitUntil(keepAll());
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(takeOver());
});

worker.addEventListener('message', (event) => {
  // Said by a page whose person asked for the new version, to the worker that waits and to the one that goes:
  // browsers let it end what it is at. What it holds for someone it hands on.
  if (event.data === 'skip') {
    void worker.skipWaiting();
    for (const [hold, { words, forget }] of mind) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
      worker.registration.waiting?.postMessage({ hold, kept: words });
      forget();
    }
  }
  // Said by a page of this build, now that it is there.
  if (event.data === 'sweep') event.waitUntil(sweep());
  const { hold, give, long, kept: words } = Object(event.data) as { hold?: string; give?: string; long?: boolean; kept?: unknown };
  if (hold !== undefined) {
    const over = keepInMind(hold, words);
    // Left alone, browsers end a worker within half a minute: more than a reload takes. While this waits it lives,
    // and no other can take its place.
    if (long === true) event.waitUntil(over);
  }
  if (give !== undefined) event.ports[0]?.postMessage(recall(give));
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== worker.location.origin || NOT_OURS.test(url.pathname)) return;
  if (request.mode === 'navigate') event.respondWith(page(event, url));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(hashed(request));
  else if (/^\/(?:icons\/|manifest\.webmanifest$)/u.test(url.pathname)) event.respondWith(refreshed(event));
});

/**
 * What is half typed in a page that ends, for the page that comes after it: nowhere but in this worker's memory,
 * given out once, and for no longer than a visit to the control plane takes.
 */
const mind = new Map<string, { words: unknown; forget: () => void }>();
/** Browsers end a worker that waits for five minutes. */
const MIND_MS = 4 * 60_000;
const MIND_MOST = 8;

function keepInMind(ticket: string, words: unknown): Promise<void> {
  return new Promise((resolve) => {
    const forget = () => {
      mind.delete(ticket);
      resolve();
    };
    mind.set(ticket, { words, forget });
    setTimeout(forget, MIND_MS);
    const [oldest] = mind.values();
    if (mind.size > MIND_MOST) oldest?.forget();
  });
}

function recall(ticket: string): unknown {
  const found = mind.get(ticket);
  found?.forget();
  return found?.words ?? null;
}

async function keepAll(): Promise<void> {
  const cache = await caches.open(NAME);
  // A hashed file is what it is, wherever it comes from; of the others only the server's is good.
  await cache.addAll(FILES.map((path) => new Request(path, { cache: path.startsWith('/assets/') ? 'default' : 'reload' })));
}

async function takeOver(): Promise<void> {
  await sweep();
  await worker.registration.navigationPreload?.enable();
  await worker.clients.claim();
}

/** Each open page holds a lock of its build's name: the builds of those are kept, for what they load later. */
async function sweep(): Promise<void> {
  const { held = [] } = await navigator.locks.query();
  const open = new Set([NAME, ...held.map((lock) => lock.name)]);
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith('room-') && !open.has(name)).map((name) => caches.delete(name)));
}

async function kept(request: RequestInfo): Promise<Response | undefined> {
  return (await caches.open(NAME)).match(request, { ignoreVary: true });
}

async function page(event: FetchEvent, url: URL): Promise<Response> {
  const network = (async () => ((await event.preloadResponse) as Response | undefined) ?? fetch(event.request))();
  event.waitUntil(network.catch(() => null));
  // What an address with a question in it means, only the server knows.
  const patient = url.search !== '' || (await kept(SHELL)) === undefined;
  const first = await Promise.race([
    network.catch(() => null),
    ...(patient ? [] : [new Promise<null>((resolve) => void setTimeout(resolve, PATIENCE_MS, null))]),
  ]);
  if (first !== null && first.status < 500) return first;
  return (await kept(SHELL)) ?? network;
}

/** Named by what is in it, so that any build's copy will do. */
async function hashed(request: Request): Promise<Response> {
  return (await kept(request)) ?? (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

async function refreshed(event: FetchEvent): Promise<Response> {
  const old = await kept(event.request);
  const fresh = fetch(event.request).then(async (response) => {
    if (response.ok) await (await caches.open(NAME)).put(event.request, response.clone());
    return response;
  });
  event.waitUntil(fresh.catch(() => null));
  return old ?? fresh;
}

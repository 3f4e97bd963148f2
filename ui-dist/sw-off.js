// Served as `sw.js` where the Room is told to keep nothing in browsers: takes away what earlier workers
// kept, and itself. Open pages go on; the next time they are loaded from the Room alone.

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      const names = await caches.keys();
      await Promise.all(names.filter((name) => name.startsWith('room-')).map((name) => caches.delete(name)));
      await self.registration.unregister();
    })(),
  );
});

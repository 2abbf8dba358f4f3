/**
 * Keeps the page and its programs, so that the page works without a network. (The model keeps its own files.) It also isolates the page
 * from other origins, which threads need, on servers that cannot set headers.
 */
const cacheName = 'dalle-mini-page';

const isKept = /\.(js|mjs|css|wasm|svg|webmanifest)$/;

/** File names in `assets` contain a checksum of the content. */
const isFixed = /\/assets\/[^/]+$/;

self.addEventListener('install', (event) => {
  event.waitUntil(keepPage().then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin) return;
  if (request.mode !== 'navigate' && !isKept.test(pathname)) return;
  event.respondWith(respond(request, pathname).then(isolated));
});

/** Keeps the page, and the files that it names. They were loaded before this program ran. */
async function keepPage() {
  const cache = await caches.open(cacheName);
  const page = await fetch('./', { cache: 'no-cache' });
  const text = await page.clone().text();
  const files = [...text.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map(([, file]) => file);
  await Promise.all([cache.put('./', page), cache.addAll(files)]);
}

/** Fixed files come from the cache, others from the network unless there is none. */
async function respond(request, pathname) {
  const cache = await caches.open(cacheName);
  const key = request.mode === 'navigate' ? './' : request.url;
  const kept = await cache.match(key);
  if (kept && isFixed.test(pathname)) return kept;
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(key, response.clone());
    return response;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

/** Adds the headers that isolate a page from other origins. */
function isolated(response) {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set('cross-origin-opener-policy', 'same-origin');
  headers.set('cross-origin-embedder-policy', 'require-corp');
  const { status, statusText, body } = response;
  return new Response(body, { status, statusText, headers });
}

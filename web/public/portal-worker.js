// Keeps the portal's page itself on the phone, so that a page that is loaded again without a network
// still shows tickets. It holds the page and its scripts alone: no answer of the API passes through it.
const KEPT = 'portal-page-1';
const PAGE = '/portal';
/** Whoever stands at a gate with one bar of signal is not kept waiting for it. */
const PATIENCE_MS = 4_000;

self.addEventListener('activate', (event) => event.waitUntil(forgetOthers()));
self.addEventListener('message', (event) => {
  if (Array.isArray(event.data?.keep)) event.waitUntil(keepAll(event.data.keep));
});
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate') event.respondWith(page(request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request));
});

/** The newest page where there is a network, else the one that was there last. */
async function page(request) {
  const kept = await caches.match(PAGE);
  const signal = kept === undefined ? undefined : AbortSignal.timeout(PATIENCE_MS);
  try {
    const fresh = await fetch(request, { signal });
    if (fresh.ok) await (await caches.open(KEPT)).put(PAGE, fresh.clone());
    return fresh;
  } catch (cause) {
    if (kept === undefined) throw cause;
    return kept;
  }
}

/** Names under assets/ carry a hash of what is in them: what is kept is never old. */
async function asset(request) {
  const kept = await caches.match(request);
  if (kept !== undefined) return kept;
  const fresh = await fetch(request);
  if (fresh.ok) await (await caches.open(KEPT)).put(request, fresh.clone());
  return fresh;
}

/** What the page was made of, told by the page itself; what it is made of no more goes. */
async function keepAll(paths) {
  const cache = await caches.open(KEPT);
  const wanted = new Set([PAGE, ...paths]);
  for (const request of await cache.keys()) {
    if (!wanted.has(new URL(request.url).pathname)) await cache.delete(request);
  }
  for (const path of wanted) {
    if ((await cache.match(path)) === undefined) await cache.add(path);
  }
}

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)));
}

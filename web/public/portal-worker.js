// Keeps the portal's page itself on the phone, so that a page that is loaded again without a network
// still shows tickets. It holds the page and its scripts alone: no answer of the API passes through it.
const KEPT = 'portal-page-1';
const PAGE = '/portal';
/** Whoever stands at a gate with one bar of signal is not kept waiting for it. */
const PATIENCE_MS = 4_000;

/** One keeping after another: two tabs do not delete what the other just fetched. */
let keeping = Promise.resolve();

self.addEventListener('activate', (event) => event.waitUntil(forgetOthers()));
self.addEventListener('message', (event) => {
  if (event.data !== 'keep') return;
  // Without a network what was kept before stays as it is.
  keeping = keeping.then(keepAll).catch(() => undefined);
  event.waitUntil(keeping);
});
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate' && url.pathname === PAGE) event.respondWith(page(request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request));
});

/** The newest page where the service answers soon, else the one that was kept with its scripts. */
async function page(request) {
  const kept = await find(PAGE);
  if (kept === undefined) return fetch(request);
  const patience = new AbortController();
  const over = setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    const fresh = await fetch(request, { signal: patience.signal });
    return fresh.status >= 500 ? kept : fresh;
  } catch {
    return kept;
  } finally {
    clearTimeout(over);
  }
}

/** Names under assets/ carry a hash of what is in them: what is kept is never old. */
async function asset(request) {
  return (await find(request)) ?? fetch(request);
}

/** A browser whose store fails goes on with the network. */
function find(request) {
  return caches.match(request).catch(() => undefined);
}

/**
 * Keeps the page as it is now. Its parts come first and the page itself when they are all there, so that
 * what is kept is whole at any moment; what it is made of no more goes last. A page names all of its
 * parts: none is loaded later.
 */
async function keepAll() {
  const cache = await caches.open(KEPT);
  const fresh = await fetch(PAGE);
  if (!fresh.ok) return;
  const parts = new Set((await fresh.clone().text()).match(/\/assets\/[^"]+/g));
  for (const path of parts) {
    if ((await cache.match(path)) === undefined) await cache.add(path);
  }
  await cache.put(PAGE, fresh);
  for (const request of await cache.keys()) {
    const path = new URL(request.url).pathname;
    if (path !== PAGE && !parts.has(path)) await cache.delete(request);
  }
}

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)));
}

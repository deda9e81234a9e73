// The offline shell. `SHELL` {version, files, pages} is put before this by the site.
//
// The network always comes first: nobody is held in an old version. What is kept here answers
// only where the network does not. Results, answers of the API and all other addresses are never
// kept and never touched.

const NAME = `amgs-shell-${SHELL.version}`;
const PATIENCE_MS = 5000;
const FILES = new Set(SHELL.files);
const PAGES = new Set(SHELL.pages);

self.addEventListener("install", (event) => {
  event.waitUntil(install());
});

async function install() {
  const cache = await caches.open(NAME);
  await cache.addAll(SHELL.files.map((path) => new Request(path, { cache: "reload" })));
  // As a stranger sees them: no name and no secret of a person stays in the cache.
  await cache.addAll(SHELL.pages.map((path) => new Request(path, { cache: "reload", credentials: "omit" })));
  await self.skipWaiting();
}

self.addEventListener("activate", (event) => {
  event.waitUntil(clean());
});

async function clean() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith("amgs-shell-") && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  const page = request.mode === "navigate" && PAGES.has(url.pathname);
  if (page || FILES.has(url.pathname)) event.respondWith(answer(request, url.pathname));
});

async function answer(request, path) {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), PATIENCE_MS);
  try {
    const given = await fetch(request, { signal: over.signal });
    if (given.status < 500) return given;
    return (await kept(path)) ?? given;
  } catch (problem) {
    const found = await kept(path);
    if (found) return found;
    throw problem;
  } finally {
    clearTimeout(timer);
  }
}

async function kept(path) {
  const cache = await caches.open(NAME);
  return cache.match(path, { ignoreVary: true });
}

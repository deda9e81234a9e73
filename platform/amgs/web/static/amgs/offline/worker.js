// The offline shell. `SHELL` {version, files, pages, device} is put before this by the site.
//
// The network always comes first: nobody is held in an old version. What is kept here answers
// only where the network does not. Results, answers of the API and all other addresses are never
// kept and never touched. The page that scores on the device keeps itself, with all it needs, on a
// shelf of its own (device/offline.js); here it is only handed out.

const NAME = `amgs-shell-${SHELL.version}`;
const PATIENCE_MS = 5000;
const SILENT_MS = 30000;
const FILES = new Set(SHELL.files);
const PAGES = new Set(SHELL.pages);
const DEVICE = SHELL.device;
const DEVICE_FILES = new Set(DEVICE.files);
const DEVICE_SHELVES = "amgs-device-";
// Until when a network that did not answer once is not waited for again.
let silentUntil = 0;

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
  const path = url.pathname;
  const page = request.mode === "navigate" && (PAGES.has(path) || path === DEVICE.page);
  if (page || FILES.has(path) || DEVICE_FILES.has(path)) event.respondWith(answer(event, path));
});

async function answer(event, path) {
  // The address of a library names its version, so what is kept is what the network would give.
  const first = path.startsWith(DEVICE.libraries) || Date.now() < silentUntil;
  const before = first && (await kept(event, path));
  if (before) return before;
  const over = new AbortController();
  const timer = setTimeout(() => {
    silentUntil = Date.now() + SILENT_MS;
    over.abort();
  }, PATIENCE_MS);
  try {
    const given = await fetch(event.request, { signal: over.signal });
    if (given.status < 500) return given;
    return (await kept(event, path)) ?? given;
  } catch (problem) {
    const found = await kept(event, path);
    if (found) return found;
    throw problem;
  } finally {
    clearTimeout(timer);
  }
}

// The page that scores on the device gets what was kept together with it, all else the shell.
async function kept(event, path) {
  const shelf = await deviceShelf();
  const shell = await caches.open(NAME);
  const order = (await isDevice(event, path)) ? [shelf, shell] : [shell, shelf];
  for (const cache of order) {
    const found = await cache?.match(path, { ignoreVary: true });
    if (found) return found;
  }
  return undefined;
}

async function isDevice(event, path) {
  if (path === DEVICE.page) return true;
  const client = event.clientId && (await self.clients.get(event.clientId));
  return Boolean(client) && [DEVICE.page, DEVICE.worker].includes(new URL(client.url).pathname);
}

// The newest shelf that holds the page, which is put there last.
async function deviceShelf() {
  for (const name of (await caches.keys()).reverse()) {
    if (!name.startsWith(DEVICE_SHELVES)) continue;
    const cache = await caches.open(name);
    if (await cache.match(DEVICE.page, { ignoreVary: true })) return cache;
  }
  return null;
}

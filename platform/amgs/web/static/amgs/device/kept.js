// Files that stay on the device once fetched (Cache API), so that scoring works without a network.
//
// Every version of the model has a shelf of its own, named by the bundle's digest. A shelf is whole
// once all that the page needs lies on it (offline.js); a whole one stays until another one is.

const SHELVES = "amgs-device-";
const WHOLE = "whole";
const PATIENCE_MS = 5000;

// `base` is the absolute address of a version's files, with a slash at its end.
const nameOf = (base) => `${SHELVES}${new URL(base).pathname.split("/").at(-2)}`;

export async function shelfOf(base) {
  // Only a secure context has one; elsewhere every visit fetches again.
  return globalThis.caches ? caches.open(nameOf(base)) : null;
}

async function shelves() {
  return globalThis.caches
    ? (await caches.keys()).filter((name) => name.startsWith("amgs-device"))
    : [];
}

// One after the other for the same address, so that page and worker do not fetch it twice.
const inTurn = (address, work) =>
  globalThis.navigator.locks ? navigator.locks.request(address, work) : work();

export async function fetched(address, options = {}) {
  const response = await fetch(address, options);
  if (!response.ok) throw new Error(`${address} was answered by ${response.status}.`);
  return response;
}

// A file whose address names its content: fetched once, then from the device.
export function keptFile(base, address) {
  return inTurn(address, async () => {
    const shelf = await shelfOf(base);
    const here = await shelf?.match(address, { ignoreVary: true });
    if (here) return here;
    // A library may lie on the shelf of another version.
    const response =
      (await globalThis.caches?.match(address, { ignoreVary: true })) ?? (await fetched(address));
    await shelf?.put(address, response.clone());
    return response;
  });
}

export const keptBytes = async (base, address) => (await keptFile(base, address)).arrayBuffer();

// A file that may change: the newest, or without a network the one of last time.
export async function newestJson(base, address) {
  const shelf = await shelfOf(base);
  const found = await shelf?.match(address);
  let problem = null;
  // Where it was kept nobody waits for a network that takes and gives nothing.
  const options = found ? { signal: AbortSignal.timeout(PATIENCE_MS) } : {};
  const response = await fetch(address, options).catch((cause) => void (problem = cause));
  if (found && !(response?.status < 500)) return found.json();
  if (problem) throw problem;
  if (!response.ok) throw new Error(`${address} was answered by ${response.status}.`);
  await shelf?.put(address, response.clone());
  return response.json();
}

// What makes a shelf whole is written last: the key of program and model that lie on it.
const mark = (base) => `${base}${WHOLE}`;

export async function keyOfWhole(base) {
  const found = await (await shelfOf(base))?.match(mark(base));
  return found ? found.text() : null;
}

export async function markWhole(base, key) {
  await (await shelfOf(base)).put(mark(base), new Response(key));
}

async function isWhole(name) {
  const kept = await (await caches.open(name)).keys();
  return kept.some(({ url }) => url.endsWith(`/${WHOLE}`));
}

// What was kept of other versions goes; a whole shelf only where this one is whole.
export async function forgetOthers(base) {
  const own = nameOf(base);
  const whole = (await shelves()).includes(own) && (await isWhole(own));
  for (const name of await shelves()) {
    if (name !== own && (whole || !(await isWhole(name)))) await caches.delete(name);
  }
}

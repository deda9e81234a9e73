// Files that stay on the device once fetched (Cache API), so that scoring works without a network.

const KEPT = "amgs-device";

async function shelf() {
  // Only a secure context has one; elsewhere every visit fetches again.
  return globalThis.caches ? caches.open(KEPT) : null;
}

function refused(response, address) {
  return new Error(`${address} was answered by ${response.status}.`);
}

// A file whose address names its content: fetched once, then from the device.
export async function keptBytes(address) {
  const cache = await shelf();
  const found = await cache?.match(address);
  if (found) return found.arrayBuffer();
  const response = await fetch(address);
  if (!response.ok) throw refused(response, address);
  await cache?.put(address, response.clone());
  return response.arrayBuffer();
}

// A file that may change: the newest, or without a network the one of last time.
export async function newestJson(address) {
  const cache = await shelf();
  let response;
  try {
    response = await fetch(address);
  } catch (problem) {
    const found = await cache?.match(address);
    if (!found) throw problem;
    return found.json();
  }
  if (!response.ok) throw refused(response, address);
  await cache?.put(address, response.clone());
  return response.json();
}

// What was kept of other versions goes; `base` is the folder of the version in use.
export async function forgetOthers(base, others) {
  const cache = await shelf();
  for (const request of (await cache?.keys()) ?? []) {
    const known = [base, ...others].some((start) => request.url.startsWith(start));
    if (!known) await cache.delete(request);
  }
}

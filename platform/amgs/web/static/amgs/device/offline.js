// Keep all that scoring needs on the device, so that the page opens and works without a network,
// and say plainly whether it does.

import { keepShell } from "../offline/app.js";
import { fetched, forgetOthers, keptFile, keyOfWhole, markWhole, newestJson, shelfOf } from "./kept.js";

const absolute = (address) => new URL(address, location.href).href;

export const canKeep = () => "serviceWorker" in navigator && "caches" in globalThis;

// `told` is what the site says is needed (amgs/web/offline.py, device_kept).
async function isComplete(base, told) {
  if ((await keyOfWhole(base)) !== told.key) return false;
  const kept = new Set((await (await shelfOf(base)).keys()).map(({ url }) => url));
  return [told.page, told.facts, ...told.files.map(([address]) => address)].every((address) =>
    kept.has(absolute(address)),
  );
}

// Fetch what is missing; the page itself comes last, for it opens without a network from then on.
async function keepAll(base, told, onShare) {
  const total = told.files.reduce((sum, [, size]) => sum + size, 0);
  const shelf = await shelfOf(base);
  const fresh = [];
  let done = 0;
  for (const [address, size] of told.files) {
    const fixed = told.fixed.some((start) => absolute(address).startsWith(absolute(start)));
    if (fixed) await keptFile(base, absolute(address));
    else fresh.push([absolute(address), await fetched(address, { cache: "no-cache" })]);
    done += size;
    onShare(done / total);
  }
  await newestJson(base, absolute(told.facts));
  // As a stranger sees it: no name and no secret of a person stays on the shelf.
  const page = await fetched(told.page, { cache: "no-cache", credentials: "omit" });
  const html = await page.clone().text();
  // Another release or model came between; the next visit keeps that one.
  if (!html.includes(told.key)) throw new Error("The site changed meanwhile; load the page again.");
  for (const [address, response] of fresh) await shelf.put(address, response);
  await shelf.put(absolute(told.page), page);
  await markWhole(base, told.key);
  const needed = new Set([told.page, told.facts, ...told.files.map(([address]) => address)].map(absolute));
  for (const request of await shelf.keys()) {
    if (!needed.has(request.url) && !request.url.startsWith(base)) await shelf.delete(request);
  }
  await forgetOthers(base);
}

// Says a state of: "no" (this browser cannot), "ask" (the reader saves data), "keeping", "ready",
// "away" (ready, and in use without a network), "failed"; with a share or a reason where there is one.
export async function keepOffline(base, told, say, { asked = false } = {}) {
  if (!canKeep() || !(await keepShell())) return say("no");
  try {
    if (await isComplete(base, told)) {
      await navigator.serviceWorker.ready;
      await forgetOthers(base);
      return say(navigator.onLine ? "ready" : "away");
    }
    if (!navigator.onLine) return say("failed", "there is no network");
    if (navigator.connection?.saveData && !asked) return say("ask");
    say("keeping", 0);
    await keepAll(base, told, (share) => say("keeping", share));
    await navigator.serviceWorker.ready;
    return say("ready");
  } catch (problem) {
    const full = problem?.name === "QuotaExceededError";
    return say("failed", full ? "there is no room on this device" : String(problem?.message ?? problem));
  }
}

// The line that says whether the page works without a network, and what to do where it does not.

import { offerInstall } from "../offline/app.js";
import { keepOffline } from "./offline.js";

const SENTENCES = {
  no: () => "This browser cannot keep this page for use without a network; an address with https and no private window are needed. With a network it works.",
  ask: () => "This browser asks sites to save data, so nothing was kept yet. With 18 MB kept, this page works without a network.",
  keeping: () => "Getting ready to work without a network …",
  ready: () => "Ready: this page works without a network now.",
  away: () => "There is no network. This page works from what is kept on this device.",
  failed: (why) => `Not ready to work without a network: ${why.replace(/\.$/, "")}.`,
};

export function tellOffline(base) {
  const place = document.getElementById("device-offline");
  const told = JSON.parse(document.getElementById("device-kept").textContent);
  const [line, bar, button] = ["told", "bar", "keep"].map((part) =>
    document.getElementById(`device-offline-${part}`),
  );
  const say = (state, more) => {
    bar.hidden = state !== "keeping";
    if (state === "keeping") bar.value = more;
    // A live region is read out at every change: only what is new is put there.
    if (state === place.dataset.state) return;
    place.dataset.state = state;
    line.textContent = SENTENCES[state](more);
    button.hidden = !["ask", "failed"].includes(state);
  };
  const keep = (options) => keepOffline(new URL(base, location.href).href, told, say, options);
  button.addEventListener("click", () => keep({ asked: true }));
  for (const event of ["online", "offline"]) {
    addEventListener(event, () => {
      if (["ready", "away"].includes(place.dataset.state)) say(navigator.onLine ? "ready" : "away");
      else if (navigator.onLine && place.dataset.state === "failed") keep();
    });
  }
  offerInstall(document.getElementById("install"));
  keep();
}

// Keep the offline shell, and offer to install the site as an app where the browser lets us.

let asked = null;

// Resolves to whether the browser keeps it.
export async function keepShell() {
  if (!("serviceWorker" in navigator)) return false;
  const kept = await navigator.serviceWorker.register("/service-worker.js").catch(() => null);
  return kept !== null;
}

// `place` holds a button; browsers that install from their own menu only get its sentence.
export function offerInstall(place) {
  const button = place.querySelector("button");
  if (matchMedia("(display-mode: standalone)").matches || navigator.standalone) {
    place.hidden = true;
    return;
  }
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    asked = event;
    button.hidden = false;
  });
  addEventListener("appinstalled", () => {
    place.hidden = true;
  });
  button.addEventListener("click", async () => {
    await asked?.prompt();
    button.hidden = true;
  });
}

// Pausing, and waiting until a broken connection may be back.

// A gate that people close and open; what is on its way hears `pause`.
export class Gate extends EventTarget {
  paused = false;
  waits = false;
  #waiting = [];

  pause() {
    this.paused = true;
    this.dispatchEvent(new Event("pause"));
  }

  goOn() {
    this.paused = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  // Resolves at once unless paused.
  open() {
    return this.paused ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  // Say that a connection is waited for (true) or there again (false).
  wait(on) {
    if (this.waits === on) return;
    this.waits = on;
    this.dispatchEvent(new Event("wait"));
  }
}

const FIRST_MS = 300;
const MOST_MS = 8000;

// Wait twice as long after each failure, with some chance so that lanes do not go in step; a
// machine that knows it is offline waits until it is not.
export async function backOff(gate, failures) {
  gate.wait(true);
  if (!navigator.onLine) {
    await new Promise((resolve) => addEventListener("online", resolve, { once: true }));
  } else {
    const pause = Math.min(MOST_MS, FIRST_MS * 2 ** failures) * (0.5 + Math.random());
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  await gate.open();
}

// Answers that are on their way: kept in the browser until the site has them, sent in order, never
// twice (the site stores what comes under one assignment once).

import { ask, NotReached } from "../upload/api.js";

const NAME = "amgs-rating";
const STORE = "answers";
const FIRST_MS = 400;
const MOST_MS = 15000;
const SIGN_IN = new Set([401, 403]);

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// Resolves when a transaction is on the disk; a request succeeds before that.
function written(writing) {
  return new Promise((resolve, reject) => {
    writing.oncomplete = resolve;
    writing.onabort = () => reject(writing.error);
  });
}

async function open() {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
  return asked(opening);
}

// Emits `change` when what waits changes, `refused` with {id, sentence} when the site will not
// take an answer, and `signin` when somebody has to sign in again first.
export class Outbox extends EventTarget {
  #base = null; // null: this browser keeps nothing, answers live as long as the page
  #rows = new Map();
  #sending = null;
  #failures = 0;
  connected = true;

  constructor(rater) {
    super();
    this.rater = rater;
  }

  async load() {
    try {
      this.#base = await open();
      const rows = await asked(this.#base.transaction(STORE).objectStore(STORE).getAll());
      rows.sort((a, b) => a.at - b.at);
      for (const row of rows) if (row.rater === this.rater) this.#rows.set(row.id, row);
    } catch {
      this.#base = null;
    }
    addEventListener("online", () => this.#again());
    if (this.#rows.size > 0) this.#send();
    this.#tell();
  }

  get ids() {
    return [...this.#rows.keys()];
  }

  get size() {
    return this.#rows.size;
  }

  // Keep an answer; resolves when it is written down here, not when the site has it.
  async put(id, body) {
    const row = { id, body, rater: this.rater, at: Date.now() };
    if (this.#base) {
      const writing = this.#base.transaction(STORE, "readwrite", { durability: "strict" });
      writing.objectStore(STORE).put(row);
      // Sent only then: an answer that the site had, and a browser that died had not, would be
      // asked for again, and the second one be refused.
      await written(writing).catch(() => {});
    }
    this.#rows.set(id, row);
    this.#tell();
    this.#send();
  }

  // Take an answer back before it was sent; false where it is sent or being sent.
  async take(id) {
    if (!this.#rows.has(id) || this.#sending === id) return false;
    await this.#drop(id);
    return true;
  }

  // Resolves when nothing waits any more.
  empty() {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const look = () => {
        if (this.size > 0) return;
        this.removeEventListener("change", look);
        resolve();
      };
      this.addEventListener("change", look);
    });
  }

  async #drop(id) {
    this.#rows.delete(id);
    if (this.#base) {
      const writing = this.#base.transaction(STORE, "readwrite");
      await asked(writing.objectStore(STORE).delete(id)).catch(() => {});
    }
    this.#tell();
  }

  async #send() {
    if (this.#sending !== null) return;
    const first = this.#rows.values().next().value;
    if (!first) return;
    this.#sending = first.id;
    try {
      const told = await ask("POST", `rating/${first.id}`, first.body);
      this.#failures = 0;
      this.#reach(true);
      await this.#drop(first.id);
      this.dispatchEvent(new CustomEvent("stored", { detail: told }));
    } catch (problem) {
      if (problem instanceof NotReached) {
        this.#reach(false);
        this.#later();
        return;
      }
      if (SIGN_IN.has(problem.status)) {
        this.#sending = null;
        this.dispatchEvent(new CustomEvent("signin", { detail: problem.message }));
        return;
      }
      await this.#drop(first.id);
      const detail = { id: first.id, sentence: problem.message };
      this.dispatchEvent(new CustomEvent("refused", { detail }));
    }
    this.#sending = null;
    this.#send();
  }

  #later() {
    const pause = Math.min(MOST_MS, FIRST_MS * 2 ** this.#failures) * (0.5 + Math.random());
    this.#failures += 1;
    this.timer = setTimeout(() => this.#again(), pause);
  }

  #again() {
    clearTimeout(this.timer);
    this.#sending = null;
    this.#send();
  }

  #reach(on) {
    if (this.connected === on) return;
    this.connected = on;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

// Answers that are on their way: kept in the browser until the site has them, sent in order, never
// twice (the site stores what comes under one assignment once).

import { ask, NotReached } from "../upload/api.js";

const NAME = "amgs-rating";
const STORE = "answers";
const FIRST_MS = 400;
const MOST_MS = 15000;
const REMEMBERED_MS = 120000; // how long a stored answer is remembered; see `knows`
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
  #stored = new Set(); // ids of answers that the site has since a moment
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
      for (const row of rows) {
        if (row.stored) {
          if (Math.abs(Date.now() - row.stored) < REMEMBERED_MS) this.#stored.add(row.id);
          else this.#change((store) => store.delete(row.id));
        } else if (row.rater === this.rater) this.#rows.set(row.id, row);
      }
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

  // Whether an answer is on its way, or arrived a moment ago: a page that was asked for before that
  // still shows its frame as unanswered.
  knows(id) {
    return this.#rows.has(id) || this.#stored.has(id);
  }

  // Keep an answer; resolves when it is written down here, not when the site has it.
  async put(id, body) {
    const row = { id, body, rater: this.rater, at: Date.now() };
    // Sent only when it is on the disk: an answer that the site had, and a browser that died had
    // not, would be asked for again, and the second one be refused.
    await this.#change((store) => store.put(row));
    this.#stored.delete(id);
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

  // Resolves when an answer that is being sent has arrived or was refused: true; false where the
  // site cannot be reached, which may have the answer or not.
  settled(id) {
    const over = () => !this.#rows.has(id) || !this.connected;
    if (over()) return Promise.resolve(!this.#rows.has(id));
    return new Promise((resolve) => {
      const look = () => {
        if (!over()) return;
        this.removeEventListener("change", look);
        resolve(!this.#rows.has(id));
      };
      this.addEventListener("change", look);
    });
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

  // The site gave a stored answer back: its frame may be shown again.
  async forget(id) {
    this.#stored.delete(id);
    await this.#change((store) => store.delete(id));
  }

  async #drop(id) {
    this.#rows.delete(id);
    await this.#change((store) => store.delete(id));
    this.#tell();
  }

  async #remember(id) {
    this.#rows.delete(id);
    this.#stored.add(id);
    await this.#change((store) => store.put({ id, rater: this.rater, stored: Date.now() }));
    this.#tell();
  }

  // Resolves when the change is on the disk, or cannot be made.
  async #change(make) {
    if (!this.#base) return;
    try {
      const writing = this.#base.transaction(STORE, "readwrite", { durability: "strict" });
      make(writing.objectStore(STORE));
      await written(writing);
    } catch {
      // This browser keeps nothing: the answer lives as long as the page.
    }
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
      await this.#remember(first.id);
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

// Kept clips: written down in this browser before anything is sent, sent one after the other,
// deleted here only when the site has both the file and the question for its score.

import { ask, NotReached, Refusal } from "../upload/api.js";
import { sendFile, settle } from "../upload/upload.js";

const NAME = "amgs-record";
const STORE = "clips";
const FIRST_MS = 2000;
const MOST_MS = 60_000;
const EXTENSIONS = { "video/mp4": "mp4", "video/webm": "webm", "video/x-matroska": "mkv" };

export class NoRoom extends Error {}

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// Resolves when it is on the disk, not when it was taken.
function written(writing) {
  return new Promise((resolve, reject) => {
    writing.oncomplete = () => resolve();
    writing.onabort = () => reject(writing.error);
    writing.onerror = () => reject(writing.error);
  });
}

async function open() {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
  return asked(opening);
}

// A key that nobody guesses: the site answers the same question with the same key once.
function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function extension(type) {
  return EXTENSIONS[type.split(";")[0]] ?? "webm";
}

// How many more bytes this browser promises to keep; null where it does not tell.
export async function room() {
  const told = await navigator.storage?.estimate?.().catch(() => null);
  return told?.quota ? told.quota - (told.usage ?? 0) : null;
}

// Emits `change` whenever what waits, is sent or was refused changes. A row is {id, animal, time,
// at, type, size, state: waiting | sent | refused, share, sentence, token}; the clip lies beside it.
export class Clips extends EventTarget {
  #base = null;
  #rows = new Map();
  #busy = false;
  #failures = 0;
  #timer = 0;
  connected = true;

  // `freshen` makes the page ask in the name of whoever is signed in now.
  constructor(freshen) {
    super();
    this.freshen = freshen;
  }

  async load() {
    this.#base = await open();
    const rows = await asked(this.#base.transaction(STORE).objectStore(STORE).getAll());
    rows.sort((a, b) => a.at - b.at);
    for (const row of rows) this.#rows.set(row.id, row);
    addEventListener("online", () => this.again());
    addEventListener("offline", () => this.#reach(false));
    if (!navigator.onLine) this.connected = false;
    this.#tell();
    this.again();
  }

  get rows() {
    return [...this.#rows.values()];
  }

  // Keep a clip; raises `NoRoom` where this browser cannot, and then nothing was kept of it.
  async keep(blob, facts) {
    const row = { id: key(), ...facts, at: Date.now(), type: blob.type, size: blob.size, state: "waiting", share: 0, sentence: "", upload: "", token: "", blob };
    try {
      await this.#write(row);
    } catch (problem) {
      throw new NoRoom(problem?.name ?? "");
    }
    this.#rows.set(row.id, row);
    navigator.storage?.persist?.().catch(() => {});
    this.#tell();
    this.again();
  }

  // Take a clip out of the list: one that was sent, or one that the site will not take.
  async forget(id) {
    const writing = this.#base.transaction(STORE, "readwrite", { durability: "strict" });
    writing.objectStore(STORE).delete(id);
    await written(writing);
    this.#rows.delete(id);
    this.#tell();
  }

  // Try a refused clip once more.
  async retry(id) {
    await this.#change(this.#rows.get(id), { state: "waiting", sentence: "", upload: "" });
    this.again();
  }

  again() {
    clearTimeout(this.#timer);
    this.#work();
  }

  async #write(row) {
    const writing = this.#base.transaction(STORE, "readwrite", { durability: "strict" });
    writing.objectStore(STORE).put(row);
    await written(writing);
  }

  async #change(row, facts) {
    Object.assign(row, facts);
    await this.#write(row);
    this.#tell();
  }

  async #work() {
    if (this.#busy || !navigator.onLine) return;
    this.#busy = true;
    // Two open pages must not send the same clip twice.
    try {
      await (navigator.locks ? navigator.locks.request("amgs-record", () => this.#all()) : this.#all());
    } finally {
      this.#busy = false;
    }
  }

  async #all() {
    for (;;) {
      const next = this.rows.find((row) => row.state === "waiting");
      if (!next) return;
      try {
        await this.#send(next);
        this.#failures = 0;
      } catch (problem) {
        if (problem instanceof NotReached || !(problem instanceof Refusal)) {
          next.sentence = problem instanceof NotReached ? problem.message : "This was interrupted; it is tried again.";
          this.#reach(false);
          this.#later();
          return;
        }
        await this.#change(next, { state: "refused", sentence: problem.message });
      }
    }
  }

  async #send(row) {
    // Another page may have sent it meanwhile.
    const stored = await asked(this.#base.transaction(STORE).objectStore(STORE).get(row.id));
    if (!stored) {
      this.#rows.delete(row.id);
      return;
    }
    Object.assign(row, stored);
    if (row.state !== "waiting") return;
    await this.freshen();
    this.#reach(true);
    const name = `${row.animal}, ${row.time}`;
    const file = new File([row.blob], `${name.replaceAll(/[\\/:*?"<>|]/g, "-")}.${extension(row.type)}`, { type: row.type, lastModified: row.at });
    const told = (share) => {
      row.share = share;
      this.#tell();
    };
    const begun = (upload) => this.#change(row, { upload, sentence: "" });
    const upload = await sendFile(file, { purpose: "score", before: row.upload, told, begun });
    const done = await settle(file, upload, { told });
    const run = await ask("POST", "scores", { upload: done.id, name }, { "Idempotency-Key": row.id });
    await this.#change(row, { state: "sent", share: 1, sentence: "", token: run.token, blob: null });
  }

  #later() {
    const pause = Math.min(MOST_MS, FIRST_MS * 2 ** this.#failures) * (0.5 + Math.random());
    this.#failures += 1;
    this.#timer = setTimeout(() => this.again(), pause);
  }

  #reach(on) {
    this.connected = on;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

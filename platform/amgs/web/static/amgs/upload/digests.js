// The digests of a file's parts as a worker finds them: `part(n)` and `whole()` are promises.

import { Refusal } from "./api.js";

const UNREADABLE = new Set(["NotReadableError", "NotFoundError"]);

export function changed(file) {
  return new Refusal(`“${file.name}” changed or went away while it was being sent; choose it again.`);
}

export class Digests {
  constructor(file, partSize, md5) {
    const { worker, ...libraries } = document.getElementById("digests").dataset;
    this.parts = new Map();
    this.waiting = new Map();
    this.file = file;
    this.end = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.end.catch(() => {}); // told to whoever waits for a part
    this.worker = new Worker(worker);
    this.worker.onmessage = ({ data }) => this.#take(data);
    this.worker.onerror = () => this.#fail(new Refusal("This browser cannot compare files; use a current one."));
    const names = md5 ? ["sha256", "md5"] : ["sha256"];
    this.worker.postMessage({
      file,
      partSize,
      md5,
      libraries: names.map((name) => new URL(libraries[name], document.baseURI).href),
    });
  }

  #take(told) {
    if (told.problem) {
      this.#fail(UNREADABLE.has(told.problem) ? changed(this.file) : new Refusal(told.sentence));
    } else if (told.whole) {
      this.resolve(told.whole);
      this.stop();
    } else {
      this.parts.set(told.part, told);
      this.waiting.get(told.part)?.resolve(told);
    }
  }

  #fail(problem) {
    this.reject(problem);
    for (const one of this.waiting.values()) one.reject(problem);
    this.stop();
  }

  stop() {
    this.worker.terminate();
  }

  part(number) {
    if (this.parts.has(number)) return Promise.resolve(this.parts.get(number));
    if (!this.waiting.has(number)) {
      const one = {};
      one.promise = new Promise((resolve, reject) => Object.assign(one, { resolve, reject }));
      this.waiting.set(number, one);
      this.end.catch(one.reject);
    }
    return this.waiting.get(number).promise;
  }

  whole() {
    return this.end;
  }

  all() {
    return Object.fromEntries([...this.parts].map(([part, told]) => [part, told.sha256]));
  }
}

// The page's end of the worker: ask it for a task, hear of its progress, stop it.

export class Device {
  constructor(base) {
    this.base = new URL(base, location.href).href;
    this.waiting = new Map();
    this.next = 1;
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => {
      const problem = new Error(event.message || "The program for this device could not start.");
      for (const { reject } of this.waiting.values()) reject(problem);
      this.waiting.clear();
    };
  }

  ask(task, given = {}, { transfer = [], onTold = () => {} } = {}) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onTold });
      this.worker.postMessage({ id, task, base: this.base, ...given }, transfer);
    });
  }

  hear({ id, done, told, failed }) {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    if (told !== undefined) {
      waiting.onTold(told);
      return;
    }
    this.waiting.delete(id);
    if (failed !== undefined) waiting.reject(new Error(failed));
    else waiting.resolve(done);
  }

  close() {
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new DOMException("", "AbortError"));
    this.waiting.clear();
  }
}

// The upload protocol in the browser: open or resume, PUT what is missing, complete, and send
// again what the check found damaged. The site remembers what has arrived, so a file that is
// chosen again after a crash, days later or on another device goes on where it stopped.

import { ask, isSignedIn, NotReached, Refusal } from "./api.js";
import { changed, Digests } from "./digests.js";
import { backOff, Gate } from "./waiting.js";

export { ask, Refusal };

const LANES = 3;
const BATCH = 16;
const TRIES = 12;
const ROUNDS = 5;
const STILL_MS = 30_000; // a part that does not move for so long is begun again
const AGAIN = new Set([0, 400, 403, 408, 429, 500, 502, 503, 504]);

// XMLHttpRequest, not fetch: it alone tells how much of a part has left the machine.
function put(url, header, blob, gate, onSent) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    let watch;
    let left = false; // all bytes have left; only the answer is missing
    const moving = () => {
      clearTimeout(watch);
      watch = setTimeout(() => request.abort(), STILL_MS);
    };
    const stop = () => {
      if (!left) request.abort();
    };
    request.open("PUT", url);
    request.setRequestHeader(header.name, header.value);
    request.upload.onprogress = (event) => {
      moving();
      onSent(event.loaded);
    };
    request.upload.onload = () => {
      left = true;
    };
    request.onloadend = () => {
      clearTimeout(watch);
      gate.removeEventListener("pause", stop);
      resolve(request.status);
    };
    gate.addEventListener("pause", stop);
    moving();
    request.send(blob);
  });
}

async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

// Ask again until the site is back.
async function askAgain(gate, method, path, body) {
  for (let failures = 0; ; failures += 1) {
    try {
      const told = await ask(method, path, body);
      gate.wait(false);
      return told;
    } catch (problem) {
      if (!(problem instanceof NotReached) || failures >= TRIES) throw problem;
      await backOff(gate, failures);
    }
  }
}

class Sending {
  constructor(file, upload, gate, told) {
    Object.assign(this, { file, upload, gate, told, addresses: new Map(), sent: new Map() });
    this.base = `uploads/${upload.id}`;
  }

  count() {
    const bytes = [...this.sent.values()].reduce((sum, size) => sum + size, 0);
    this.told(bytes / this.file.size);
  }

  // Send what is missing; returns what completes the upload.
  async run() {
    const { parts } = await askAgain(this.gate, "GET", `${this.base}/parts`);
    for (const { part, size } of parts) this.sent.set(part, size);
    this.count();
    const all = Array.from({ length: this.upload.part_count }, (_, index) => index + 1);
    this.missing = all.filter((part) => !this.sent.has(part));
    const { digest } = await this.fetchAddresses(this.missing[0] ?? 1);
    this.digests = new Digests(this.file, this.upload.part_size, digest === "md5");
    try {
      await Promise.all(Array.from({ length: LANES }, () => this.lane()));
      const sha256 = await this.digests.whole();
      return { sha256, digests: this.digests.all() };
    } finally {
      this.digests.stop();
      this.missing = []; // the other lanes end, too
    }
  }

  async lane() {
    for (let part = this.missing.shift(); part; part = this.missing.shift()) await this.deliver(part);
  }

  async fetchAddresses(part) {
    const parts = [part, ...this.missing.filter((other) => other > part)].slice(0, BATCH);
    const answer = await askAgain(this.gate, "POST", `${this.base}/addresses`, { parts });
    for (const address of answer.addresses) this.addresses.set(address.part, address.url);
    return answer;
  }

  async deliver(part) {
    const start = (part - 1) * this.upload.part_size;
    const piece = this.file.slice(start, start + this.upload.part_size);
    const { header } = await this.digests.part(part);
    for (let failures = 0; ; failures += 1) {
      await this.gate.open();
      if (!this.addresses.has(part)) await this.fetchAddresses(part);
      const status = await put(this.addresses.get(part), header, piece, this.gate, (bytes) => {
        this.sent.set(part, bytes);
        this.count();
      });
      if (status >= 200 && status < 300) {
        this.gate.wait(false);
        this.sent.set(part, piece.size);
        this.count();
        return;
      }
      this.sent.delete(part);
      this.count();
      if (status === 403) this.addresses.clear(); // the signatures have run out
      if (this.gate.paused) failures = -1;
      else if (!(await readable(this.file))) throw changed(this.file);
      else if (failures >= TRIES || !AGAIN.has(status)) {
        throw new Refusal("The connection broke while the file was being sent; send it again to go on.");
      } else await backOff(this.gate, failures);
    }
  }
}

// Return the upload of this file that was begun before, or a new one.
async function begin(file, body, gate) {
  for (let failures = 0; ; failures += 1) {
    if (isSignedIn()) {
      const query = new URLSearchParams({ unfinished: "true", limit: "200", size: body.size, name: body.name, purpose: body.purpose, target: body.target });
      const { results } = await askAgain(gate, "GET", `uploads?${query}`);
      const before = results.find((row) => !body.lab || row.lab === body.lab);
      if (before) return before;
    }
    try {
      return await ask("POST", "uploads", body);
    } catch (problem) {
      // It may have been opened and the answer was lost: then it is found above.
      if (!(problem instanceof NotReached) || failures >= TRIES) throw problem;
      await backOff(gate, failures);
    }
  }
}

async function send(file, upload, gate, told) {
  const base = `uploads/${upload.id}`;
  for (let round = 1; upload.state === "open"; round += 1) {
    const body = await new Sending(file, upload, gate, told).run();
    try {
      upload = await askAgain(gate, "POST", `${base}/complete`, body);
    } catch (problem) {
      if (problem.field !== "parts" || round >= ROUNDS) throw problem;
      upload = await askAgain(gate, "GET", base);
    }
  }
  told(1);
  return upload;
}

// The upload that the caller remembers, unless the site has forgotten it.
async function again(id, gate) {
  try {
    const row = await askAgain(gate, "GET", `uploads/${id}`);
    return ["refused", "discarded"].includes(row.state) ? null : row;
  } catch (problem) {
    if (problem instanceof NotReached) throw problem;
    return null;
  }
}

// Send one file; `told(fraction)` is called as it goes. Returns the completed upload, which a job
// checks; `settle` waits for it. Who keeps the id that `begun(id)` is told can hand it in again as
// `before`: also without an account the file then goes on where it stopped.
export async function sendFile(file, { purpose, name = file.name, target = "", lab = "", gate = new Gate(), told = () => {}, before = "", begun = async () => {} }) {
  if (file.size > 0 && !(await readable(file))) throw changed(file);
  let upload = before ? await again(before, gate) : null;
  if (!upload) {
    upload = await begin(file, { name, size: file.size, purpose, target, lab }, gate);
    await begun(upload.id);
  }
  return send(file, upload, gate, told);
}

// Wait until the check of an upload is over; what it found damaged is sent again.
export async function settle(file, upload, { gate = new Gate(), told = () => {} }) {
  let row = upload;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let waited = 0; row.state === "checking"; waited += 1) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(250 * 1.3 ** waited, 5000)));
      row = await askAgain(gate, "GET", `uploads/${row.id}`);
    }
    if (row.state !== "open") break;
    row = await send(file, row, gate, told);
  }
  if (row.state !== "done") throw new Refusal(row.refusal || "The file was damaged on the way; send it again.");
  return row;
}

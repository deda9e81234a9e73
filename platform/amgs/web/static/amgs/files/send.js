// Send the chosen files, some at the same time, and let `after` add each to the version.

import { readable } from "../upload/chosen.js";
import { Refusal, sendFile, settle } from "../upload/upload.js";
import { Gate } from "../upload/waiting.js";

const FILES_AT_ONCE = 2;

// The buttons Send and Pause with what is told beside them. `changed()` follows each file.
export class Sender {
  constructor({ form, purpose, after, changed = () => {} }) {
    Object.assign(this, { form, purpose, after, changed, rows: [], gate: new Gate(), active: false });
    this.send = document.getElementById("send");
    this.pause = document.getElementById("pause");
    this.told = document.getElementById("told");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    this.pause.addEventListener("click", () => this.toggle());
    this.gate.addEventListener("wait", () => this.say());
  }

  add(row) {
    this.rows.push({ ...row, sent: false, share: 0 });
    this.say();
  }

  remove(item) {
    this.rows = this.rows.filter((row) => row.shown.item !== item);
    this.say();
  }

  toggle() {
    if (this.gate.paused) this.gate.goOn();
    else this.gate.pause();
    this.pause.textContent = this.gate.paused ? "Resume" : "Pause";
    this.say();
  }

  // Progress comes many times a second; nobody reads, or has read to them, more than one.
  saySoon() {
    this.soon ??= setTimeout(() => this.say(), 1000);
  }

  say() {
    clearTimeout(this.soon);
    this.soon = undefined;
    const waiting = this.rows.filter((row) => !row.sent);
    this.send.disabled = this.active || waiting.length === 0;
    this.send.hidden = this.active;
    this.pause.hidden = !this.active;
    if (!this.rows.length) return;
    const bytes = (rows, weigh) => rows.reduce((sum, row) => sum + weigh(row), 0);
    const sent = bytes(this.rows, (row) => (row.sent ? 1 : row.share) * row.file.size);
    const size = bytes(this.rows, (row) => row.file.size);
    const count = this.rows.length - waiting.length;
    const figures = `${count} of ${this.rows.length} sent, ${readable(sent)} of ${readable(size)}`;
    if (this.gate.paused) this.told.textContent = `Paused: ${figures}`;
    else if (this.active && this.gate.waits) this.told.textContent = `${figures}. The connection is gone; this goes on by itself.`;
    else this.told.textContent = this.active || count ? figures : `${this.rows.length} chosen, ${readable(size)}`;
  }

  async run() {
    if (this.active) return;
    this.active = true;
    this.say();
    const waiting = this.rows.filter((row) => !row.sent);
    const lane = async () => {
      for (let row = waiting.shift(); row; row = waiting.shift()) await this.one(row);
    };
    try {
      await Promise.all(Array.from({ length: FILES_AT_ONCE }, lane));
    } finally {
      this.active = false;
      this.say();
    }
    this.changed();
  }

  async one(row) {
    const told = (share) => {
      row.share = share;
      row.shown.progress(share);
      this.saySoon();
    };
    row.shown.busy(true);
    row.shown.tell("");
    try {
      const upload = await sendFile(row.file, {
        purpose: this.purpose,
        name: row.name,
        target: this.form.dataset.version,
        lab: this.form.dataset.lab,
        gate: this.gate,
        told,
      });
      await this.after(upload, row);
      row.sent = true;
      row.shown.tell("Sent; it is being checked.");
      this.check(row, upload, told);
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
      row.shown.busy(false);
      row.shown.tell(problem.message, true);
    }
    this.changed();
    this.say();
  }

  // Not waited for: the next file is sent while this one is checked.
  async check(row, upload, told) {
    try {
      await settle(row.file, upload, { gate: this.gate, told });
      row.shown.item.remove();
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
      row.shown.tell(problem.message, true);
    }
    this.changed();
  }
}

export function refresh(id, address) {
  if (document.getElementById(id)) globalThis.htmx.ajax("GET", address, { target: `#${id}`, swap: "outerHTML" });
}

// What a curator marked on pictures of one version; kept in this browser until it is decided.

export class Marks {
  constructor(version) {
    this.key = `amgs-marks-${version}`;
    this.rows = this.#read();
    this.told = [];
    addEventListener("storage", (event) => {
      if (event.key !== this.key) return; // marked in another tab
      this.rows = this.#read();
      this.#tell();
    });
  }

  #read() {
    try {
      const rows = JSON.parse(localStorage.getItem(this.key) ?? "[]");
      return Array.isArray(rows) ? rows : [];
    } catch {
      return []; // no storage, or not ours
    }
  }

  #keep() {
    try {
      if (this.rows.length) localStorage.setItem(this.key, JSON.stringify(this.rows));
      else localStorage.removeItem(this.key);
    } catch {
      // Without storage the marks live as long as the page.
    }
    this.#tell();
  }

  #tell() {
    for (const hear of this.told) hear();
  }

  onChange(hear) {
    this.told.push(hear);
  }

  all() {
    return this.rows;
  }

  find(recording, frame = "") {
    return this.rows.find((row) => row.recording === recording && row.frame === (frame ?? ""));
  }

  put(mark) {
    this.rows = this.rows.filter((row) => row.recording !== mark.recording || row.frame !== mark.frame);
    this.rows.push(mark);
    this.#keep();
  }

  remove(recording, frame = "") {
    this.rows = this.rows.filter((row) => row.recording !== recording || row.frame !== (frame ?? ""));
    this.#keep();
  }

  clear() {
    this.rows = [];
    this.#keep();
  }
}

// The answers to one frame, unit by unit: grades, reasons, undo.

export class Units {
  constructor(form) {
    this.form = form;
    this.every = [...form.querySelectorAll(".unit")];
    this.fields = this.every.filter((field) => !field.hidden); // those that are asked for
    this.references = [...form.querySelectorAll(".reference [data-of]")];
    this.ofFrame = [...form.querySelectorAll('input[name="frame-reason"]')];
    this.whole = form.querySelector("#whole");
    form.addEventListener("change", (event) => this.#changed(event.target));
    this.clear();
  }

  // Ask for these units alone.
  ask(keys) {
    for (const field of this.every) field.hidden = !keys.includes(field.dataset.unit);
    this.fields = this.every.filter((field) => !field.hidden);
  }

  clear() {
    this.form.reset();
    for (const field of this.every) field.classList.remove("unanswered");
    this.whole.open = false;
    this.undone = []; // fields in the order in which they were answered
    this.pending = null; // "unit" or "frame" while a number means a reason
    this.mark(0);
  }

  // Fill in what was answered before.
  fill(grades) {
    this.clear();
    for (const field of this.fields) {
      const answer = grades[field.dataset.unit];
      const graded = typeof answer === "number";
      const box = this.#radio(field, graded ? answer : "n");
      if (box) box.checked = true;
      if (graded) continue;
      const reason = field.querySelector(`.reasons-row input[value="${answer?.reason}"]`);
      if (reason) reason.checked = true;
    }
  }

  get answered() {
    return this.undone.length > 0;
  }

  answer(field) {
    const { value } = this.form.elements[field.dataset.unit];
    if (value === "") return undefined;
    if (value !== "n") return Number(value);
    const reason = this.form.elements[`${field.dataset.unit}-reason`].value;
    return reason ? { reason } : undefined;
  }

  mark(index) {
    this.here = Math.min(Math.max(index, 0), this.fields.length - 1);
    this.fields.forEach((field, number) => field.classList.toggle("here", number === this.here));
    for (const note of this.references) {
      note.hidden = note.dataset.of !== this.fields[this.here].dataset.unit;
    }
  }

  grade(value) {
    const field = this.fields[this.here];
    const box = this.#radio(field, value);
    if (!box) return;
    box.checked = true;
    this.#answered(field);
  }

  undo() {
    const field = this.undone.pop();
    this.pending = null;
    if (!field) return;
    for (const box of field.querySelectorAll("input")) box.checked = false;
    this.mark(this.fields.indexOf(field));
  }

  beginWhole() {
    this.whole.open = true;
    this.whole.scrollIntoView({ block: "nearest" });
    this.pending = "frame";
  }

  escape() {
    this.pending = null;
    this.whole.open = false;
  }

  // A number that means a reason.
  choose(number) {
    if (this.pending === "frame") {
      const box = this.ofFrame[number - 1];
      if (!box) return;
      box.checked = true;
      this.form.querySelector("#commit-whole").focus();
      return;
    }
    const field = this.fields[this.here];
    const box = field.querySelectorAll(".reasons-row input")[number - 1];
    if (!box) return;
    box.checked = true;
    this.#goOn();
  }

  // The grades of all units, or the units that are not answered yet, the first one marked.
  collect() {
    const reason = this.form.elements["frame-reason"].value;
    const grades = {};
    const missing = [];
    for (const field of this.fields) {
      const answer = this.whole.open && reason ? { reason } : this.answer(field);
      if (answer === undefined) missing.push(field);
      else grades[field.dataset.unit] = answer;
    }
    for (const field of missing) field.classList.add("unanswered");
    if (missing.length > 0) this.mark(this.fields.indexOf(missing[0]));
    return { body: { grades }, missing: missing.length };
  }

  #radio(field, value) {
    return field.querySelector(`input[name="${field.dataset.unit}"][value="${value}"]`);
  }

  #changed(box) {
    const field = box.closest(".unit");
    if (!field) return;
    this.mark(this.fields.indexOf(field));
    this.#answered(field);
  }

  #answered(field) {
    field.classList.remove("unanswered");
    this.undone.push(field);
    if (this.answer(field) === undefined) {
      this.pending = "unit";
      field.querySelector(".reasons-row").scrollIntoView({ block: "nearest" });
    } else this.#goOn();
  }

  #goOn() {
    const open = (field) => this.answer(field) === undefined;
    const next = this.fields.findIndex((field, index) => index > this.here && open(field));
    const any = this.fields.findIndex(open);
    this.pending = null;
    if (next >= 0) this.mark(next);
    else if (any >= 0) this.mark(any);
    else this.form.querySelector("#commit").focus({ preventScroll: true });
  }
}

// A task that takes one word: the state of the animal, or the view.
export class Choice {
  constructor(form) {
    this.form = form;
    this.boxes = [...form.querySelectorAll('input[name="answer"]')];
    this.pending = null;
    form.addEventListener("change", () => this.form.querySelector("#commit").focus());
  }

  clear() {
    this.form.reset();
  }

  fill(answer) {
    for (const box of this.boxes) box.checked = box.value === answer;
  }

  get answered() {
    return this.boxes.some((box) => box.checked);
  }

  grade(value) {
    const box = this.boxes[Number(value) - 1];
    if (!box) return;
    box.checked = true;
    this.form.querySelector("#commit").focus({ preventScroll: true });
  }

  ask() {}

  mark() {}

  undo() {
    this.clear();
  }

  beginWhole() {}

  escape() {}

  choose(number) {
    this.grade(number);
  }

  collect() {
    const box = this.boxes.find((one) => one.checked);
    return box ? { body: { answer: box.value }, missing: 0 } : { body: {}, missing: 1 };
  }
}

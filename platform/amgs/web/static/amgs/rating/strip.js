// One unit over several faces, then the next unit: the eye stays on one thing.

import { Ahead } from "./ahead.js";
import { Outbox } from "./outbox.js";

const FACES = 6;

const root = document.getElementById("strip");
const faces = document.getElementById("faces");
const title = document.getElementById("unit-title");
const told = document.getElementById("rating-told");
const waiting = document.getElementById("waiting");
const notes = [...document.querySelectorAll("[data-of]")];
const keys = notes.map((note) => note.dataset.of);
const reasons = JSON.parse(root.dataset.reasons); // [{key, title, level}]
const template = document.getElementById("face");

const outbox = new Outbox(root.dataset.rater);
let row = []; // {frame, grades, whole, box}
let unit = 0;
let here = 0;
let pending = null; // level of the reasons that a number means
let done = []; // [unit, face] in the order in which they were answered
let begun = performance.now();
const ahead = new Ahead("units", FACES, () => [...row.map((one) => one.frame.id), ...outbox.ids]);

function open(index) {
  const one = row[index];
  if (one === undefined || one.whole || one.grades[keys[unit]] !== undefined) return false;
  return one.frame.units.some((asked) => asked.key === keys[unit]);
}

function draw() {
  title.textContent = `${notes[unit].dataset.title} (${unit + 1} of ${keys.length})`;
  for (const note of notes) note.hidden = note !== notes[unit];
  row.forEach((one, index) => {
    one.box.classList.toggle("here", index === here);
    one.box.classList.toggle("whole", one.whole);
    const answer = one.grades[keys[unit]];
    const value = answer === undefined ? "" : typeof answer === "number" ? String(answer) : "n";
    for (const button of one.box.querySelectorAll("[data-value]")) {
      button.setAttribute("aria-pressed", String(button.dataset.value === value));
    }
    const asks = index === here && pending !== null;
    one.box.querySelector(".why").replaceChildren(...(asks ? offered() : said(answer)));
  });
  row[here]?.box.scrollIntoView({ block: "nearest" });
}

function said(answer) {
  if (answer === undefined || typeof answer === "number") return [];
  return [reasons.find((reason) => reason.key === answer.reason)?.title ?? ""];
}

function offered() {
  return reasons
    .filter((reason) => reason.level === pending)
    .map((reason, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet small";
      button.textContent = `${number + 1} ${reason.title}`;
      button.addEventListener("click", () => choose(number + 1));
      return button;
    });
}

function goOn() {
  const next = row.findIndex((_, index) => index > here && open(index));
  const any = row.findIndex((_, index) => open(index));
  if (next >= 0) here = next;
  else if (any >= 0) here = any;
  else if (unit + 1 < keys.length) {
    unit += 1;
    here = Math.max(0, row.findIndex((_, index) => open(index)));
    if (!open(here)) {
      goOn();
      return;
    }
  } else {
    commit();
    return;
  }
  draw();
}

function set(answer) {
  const one = row[here];
  if (!one || one.whole || !one.frame.units.some(({ key }) => key === keys[unit])) return;
  one.grades[keys[unit]] = answer;
  done.push([unit, here]);
  pending = null;
  goOn();
}

function choose(number) {
  const reason = reasons.filter((one) => one.level === pending)[number - 1];
  if (!reason) return;
  if (pending === "unit") {
    set({ reason: reason.key });
    return;
  }
  const one = row[here];
  one.whole = true;
  one.before = { ...one.grades };
  for (const { key } of one.frame.units) one.grades[key] = { reason: reason.key };
  done.push([unit, here]);
  pending = null;
  goOn();
}

function undo() {
  if (pending !== null) {
    pending = null;
    draw();
    return;
  }
  const last = done.pop();
  if (!last) return;
  [unit, here] = last;
  const one = row[here];
  if (one.whole) {
    one.whole = false;
    one.grades = one.before;
  } else delete one.grades[keys[unit]];
  draw();
}

async function commit() {
  const seconds = (performance.now() - begun) / 1000 / Math.max(row.length, 1);
  const kept = row.map((one) => {
    const width = one.box.querySelector("img").clientWidth;
    return outbox.put(one.frame.id, { grades: one.grades, seconds, viewing: { zoom: 1, width } });
  });
  row = [];
  await Promise.all(kept);
  told.textContent = "Committed. The next faces are shown.";
  await load();
}

async function load() {
  faces.setAttribute("aria-busy", "true");
  const found = [];
  while (found.length < FACES) {
    const frame = await ahead.next();
    if (!frame) break;
    found.push(frame);
    row = found.map((one) => ({ frame: one })); // so that none of them is handed out again
  }
  faces.removeAttribute("aria-busy");
  if (found.length === 0) {
    await outbox.empty();
    location.assign("/rate/");
    return;
  }
  row = found.map((frame) => ({ frame, grades: {}, whole: false, box: made(frame) }));
  faces.replaceChildren(...row.map((one) => one.box));
  unit = 0;
  here = 0;
  done = [];
  pending = null;
  begun = performance.now();
  draw();
}

function made(frame) {
  const box = template.content.firstElementChild.cloneNode(true);
  box.querySelector("img").src = frame.still;
  box.addEventListener("click", (event) => {
    const index = row.findIndex((one) => one.box === box);
    if (pending === null || index !== here) {
      here = index;
      pending = null;
    }
    const { value } = event.target.dataset;
    if (value === undefined) draw();
    else answer(value);
  });
  return box;
}

function answer(value) {
  if (value === "n" || value === "x") {
    pending = value === "n" ? "unit" : "frame";
    draw();
  } else set(Number(value));
}

const KEYS = {
  n: () => answer("n"),
  x: () => answer("x"),
  u: undo,
  Backspace: undo,
  Escape: () => {
    pending = null;
    draw();
  },
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
};

function step(by) {
  here = Math.min(Math.max(here + by, 0), row.length - 1);
  pending = null;
  draw();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || row.length === 0) return;
  if (/^[0-9]$/.test(event.key)) {
    event.preventDefault();
    if (pending !== null) choose(Number(event.key));
    else if (Number(event.key) < Number(notes[unit].dataset.grades)) answer(event.key);
  } else if (event.key in KEYS) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

function tellWaiting() {
  root.dataset.waiting = outbox.size;
  waiting.hidden = outbox.size === 0 || outbox.connected;
  waiting.textContent = `The site cannot be reached. ${outbox.size} faces are kept in this browser and sent when it can.`;
}

outbox.addEventListener("change", tellWaiting);
outbox.addEventListener("refused", ({ detail }) => {
  told.textContent = `${detail.sentence} The answers to one face were not stored.`;
});

await outbox.load();
await load();
root.dataset.ready = "true";

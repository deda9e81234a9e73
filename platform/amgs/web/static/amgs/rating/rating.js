// Rating by keyboard: the next frame is fetched ahead and painted before the answer is back.

import { ask, Refusal } from "../upload/upload.js";

const root = document.getElementById("rating");
const form = document.getElementById("grades");
const still = document.getElementById("still");
const remaining = document.getElementById("remaining");
const told = document.getElementById("rating-told");
const whole = document.getElementById("whole");
const asideForm = document.getElementById("aside-form");
const units = [...form.querySelectorAll(".unit")];
const references = [...root.querySelectorAll(".reference [data-of]")];
const reasonsOfFrame = [...form.elements["frame-reason"]];

let current = { id: root.dataset.assignment, still: root.dataset.still };
let ahead = null; // a promise of the next assignment with its still already decoded
let here = 0;
let pending = null; // "unit" or "frame" while a number means a reason
let begun = performance.now();
let undone = []; // units in the order in which they were answered
// Frames whose grades are on their way: the site still takes them for held, so it must not
// hand them out again.
const underway = new Set();

function radio(unit, value) {
  return unit.querySelector(`input[name="${unit.dataset.unit}"][value="${value}"]`);
}

function answerOf(unit) {
  const value = form.elements[unit.dataset.unit].value;
  if (value === "") return undefined;
  if (value !== "n") return Number(value);
  const reason = form.elements[`${unit.dataset.unit}-reason`].value;
  return reason ? { reason } : undefined;
}

function mark(index) {
  here = Math.min(Math.max(index, 0), units.length - 1);
  units.forEach((unit, number) => unit.classList.toggle("here", number === here));
  for (const note of references) note.hidden = note.dataset.of !== units[here].dataset.unit;
}

function goOn() {
  const next = units.findIndex((unit, index) => index > here && answerOf(unit) === undefined);
  const any = units.findIndex((unit) => answerOf(unit) === undefined);
  pending = null;
  if (next >= 0) mark(next);
  else if (any >= 0) mark(any);
  else document.getElementById("commit").focus({ preventScroll: true });
}

function grade(value) {
  const unit = units[here];
  const box = radio(unit, value);
  if (!box) return;
  box.checked = true;
  undone.push(unit);
  unit.classList.remove("unanswered");
  if (value === "n" && answerOf(unit) === undefined) {
    pending = "unit";
    unit.querySelector(".reasons-row").scrollIntoView({ block: "nearest" });
  } else goOn();
}

function clear(unit) {
  for (const box of unit.querySelectorAll("input")) box.checked = false;
}

function undo() {
  const unit = undone.pop();
  pending = null;
  if (!unit) return;
  clear(unit);
  mark(units.indexOf(unit));
}

function choose(number) {
  if (pending === "frame") {
    const box = reasonsOfFrame[number - 1];
    if (box) {
      box.checked = true;
      document.getElementById("commit-whole").focus();
    }
    return;
  }
  const unit = units[here];
  const box = unit.querySelectorAll(".reasons-row input")[number - 1];
  if (!box) return;
  box.checked = true;
  goOn();
}

async function fetchAhead() {
  const beside = [current.id, ...underway];
  const { assignment, remaining: left } = await ask("GET", `rating/next?beside=${beside.join(",")}`);
  if (!assignment) return { assignment: null, left };
  const image = new Image();
  image.src = assignment.still;
  await image.decode().catch(() => {});
  return { assignment, left, image };
}

function show(next) {
  current = next.assignment;
  still.src = current.still;
  remaining.textContent = next.left ? `${next.left} more after this one` : "this is the last one";
  form.reset();
  units.forEach((unit) => unit.classList.remove("unanswered"));
  whole.open = false;
  document.getElementById("aside").open = false;
  form.action = `/rate/${current.id}`;
  asideForm.action = `/rate/${current.id}/aside`;
  undone = [];
  pending = null;
  begun = performance.now();
  mark(0);
  document.activeElement?.blur();
  ahead = fetchAhead();
}

function collect() {
  const reason = form.elements["frame-reason"].value;
  const grades = {};
  const missing = [];
  for (const unit of units) {
    const answer = whole.open && reason ? { reason } : answerOf(unit);
    if (answer === undefined) missing.push(unit);
    else grades[unit.dataset.unit] = answer;
  }
  return { grades, missing };
}

function refuse(sentence) {
  const box = document.getElementById("refusal");
  box.replaceChildren();
  if (!sentence) return;
  const notice = document.createElement("div");
  notice.className = "notice bad";
  notice.textContent = sentence;
  box.append(notice);
}

// The grades are sent in the background; one that is refused is told, and nothing is lost unsaid.
async function send(id, grades, seconds) {
  underway.add(id);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await ask("POST", `rating/${id}`, { grades, seconds });
      break;
    } catch (problem) {
      const lost = problem instanceof Refusal && problem.message.startsWith("The site cannot be reached");
      if (!lost || attempt === 8) {
        refuse(`${problem.message} The grades of the frame before were not stored.`);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 500 * attempt));
    }
  }
  underway.delete(id);
}

async function commit() {
  const { grades, missing } = collect();
  if (missing.length) {
    missing.forEach((unit) => unit.classList.add("unanswered"));
    mark(units.indexOf(missing[0]));
    told.textContent = `${missing.length} units are not answered yet.`;
    return;
  }
  refuse("");
  const seconds = (performance.now() - begun) / 1000;
  const sent = send(current.id, grades, seconds);
  await advance(sent);
}

async function advance(sent) {
  const next = await ahead;
  if (next.assignment) {
    show(next);
    told.textContent = "Committed. The next frame is shown.";
    return;
  }
  await sent;
  // What was put aside or freed by others may be back: ask the page itself.
  location.assign("/rate/");
}

const KEYS = {
  n: () => grade("n"),
  u: undo,
  Backspace: undo,
  ArrowUp: () => mark(here - 1),
  ArrowDown: () => mark(here + 1),
  x: () => {
    whole.open = true;
    whole.scrollIntoView({ block: "nearest" });
    pending = "frame";
  },
  d: () => {
    document.getElementById("aside").open = true;
    document.getElementById("aside-why").focus();
  },
  Escape: () => {
    pending = null;
    whole.open = false;
  },
};

document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input:not([type=radio]), textarea, select");
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") {
    if (event.target.closest("a, summary, .rating-more")) return;
    event.preventDefault();
    commit();
  } else if (/^[0-9]$/.test(event.key)) {
    event.preventDefault();
    if (pending) choose(Number(event.key));
    else grade(event.key);
  } else if (event.key in KEYS) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  commit();
});

form.addEventListener("change", (event) => {
  const unit = event.target.closest(".unit");
  if (!unit) return;
  mark(units.indexOf(unit));
  unit.classList.remove("unanswered");
  undone.push(unit);
  if (answerOf(unit) === undefined) pending = "unit";
  else goOn();
});

globalThis.addEventListener("beforeunload", (event) => {
  if (underway.size > 0) event.preventDefault();
});

mark(0);
if (matchMedia("(max-width: 60rem)").matches) root.scrollIntoView();
ahead = fetchAhead();

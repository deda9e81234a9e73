// Rating by keyboard: the next frames are fetched ahead and painted before the answer is sent.

import { ask } from "../upload/api.js";
import { Ahead } from "./ahead.js";
import { Outbox } from "./outbox.js";
import { Picture } from "./picture.js";
import { Choice, Units } from "./units.js";

const DEEP = 4;
const AGAIN = 20; // how many answers are remembered for taking back

const root = document.getElementById("rating");
const form = document.getElementById("grades");
const still = document.getElementById("still");
const film = document.getElementById("film");
const remaining = document.getElementById("remaining");
const told = document.getElementById("rating-told");
const waiting = document.getElementById("waiting");
const aside = document.getElementById("aside");
const asideForm = document.getElementById("aside-form");
const flag = document.getElementById("flag");
const kind = root.dataset.kind;

const answers = kind === "units" ? new Units(form) : new Choice(form);
const picture = new Picture(still, document.getElementById("looking"));
const outbox = new Outbox(root.dataset.rater);
const ahead = new Ahead(
  kind,
  DEEP,
  () => [current.id, ...outbox.ids],
  (count) => {
    root.dataset.ahead = count;
  },
);

let current = {
  id: root.dataset.assignment,
  still: root.dataset.still,
  clip: root.dataset.clip,
  training: root.dataset.training === "true",
  units: JSON.parse(root.dataset.units).map((key) => ({ key })),
};
let begun = performance.now();
let moving = false; // between two frames nothing can be committed
let learning = null; // after an answer of the training set: what is agreed is on the screen
const before = []; // frames answered last: {frame, body}

function show(frame) {
  current = frame;
  still.src = frame.still;
  if (film) {
    film.src = frame.film ?? frame.clip;
    film.play().catch(() => {});
  }
  const left = ahead.left + ahead.ids.length;
  remaining.textContent = left ? `${left} more after this one` : "this is the last one";
  answers.ask(frame.units.map((unit) => unit.key));
  answers.clear();
  picture.reset();
  flag.value = "";
  aside.open = false;
  document.getElementById("agreed").replaceChildren();
  form.action = `/rate/${frame.id}`;
  asideForm.action = `/rate/${frame.id}/aside`;
  begun = performance.now();
  document.activeElement?.blur();
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

function tellWaiting() {
  const { size, connected } = outbox;
  root.dataset.waiting = size;
  waiting.hidden = size === 0 || connected;
  waiting.textContent = `The site cannot be reached. ${size === 1 ? "One frame is" : `${size} frames are`} kept in this browser and sent when it can.`;
}

async function commit() {
  if (moving) return;
  if (learning) {
    learning = null;
    await advance();
    return;
  }
  const { body, missing } = answers.collect();
  if (missing) {
    told.textContent = kind === "units" ? `${missing} units are not answered yet.` : "Nothing is chosen yet.";
    return;
  }
  refuse("");
  const seconds = (performance.now() - begun) / 1000;
  const whole = { ...body, seconds, viewing: picture.viewing, flag: flag.value };
  const frame = current;
  before.push({ frame, body: whole });
  before.splice(0, before.length - AGAIN);
  const stored = frame.training ? answered(frame.id) : null;
  // What is shown as committed is on the disk: a browser that dies now loses nothing.
  moving = true;
  await outbox.put(frame.id, whole);
  const answer = await stored;
  moving = false;
  if (stored) await learn(answer, body.grades);
  else await advance();
}

// What the site said of one frame, once it has it; null where it was refused.
function answered(id) {
  return new Promise((resolve) => {
    const look = (event) => {
      if (event.detail.id !== id) return;
      outbox.removeEventListener("stored", look);
      outbox.removeEventListener("refused", look);
      resolve(event.type === "stored" ? event.detail : null);
    };
    outbox.addEventListener("stored", look);
    outbox.addEventListener("refused", look);
  });
}

function word(answer) {
  return typeof answer === "number" ? String(answer) : "n";
}

// Show the agreed grades beside those given; Enter goes on.
async function learn(answer, grades) {
  if (!answer?.feedback) {
    await advance();
    return;
  }
  learning = answer.feedback;
  const box = document.getElementById("agreed");
  const lines = answers.fields.map((field) => {
    const key = field.dataset.unit;
    const line = document.createElement("p");
    const agreed = word(learning.agreed[key]);
    const given = word(grades[key]);
    line.className = agreed === given ? "same" : "other";
    line.textContent = `${field.querySelector("legend").textContent}: agreed ${agreed}, yours ${given}`;
    return line;
  });
  const note = document.createElement("p");
  note.className = "soft";
  note.textContent = learning.note;
  box.replaceChildren(...lines, note);
  const same = lines.filter((line) => line.className === "same").length;
  told.textContent = `${same} of ${lines.length} as agreed. Enter goes on.`;
  document.getElementById("commit").textContent = "Next frame";
}

async function advance() {
  moving = true;
  document.getElementById("commit").textContent = "Commit";
  const slow = setTimeout(() => root.classList.add("moving"), 250);
  let next;
  try {
    next = await ahead.next();
  } catch (problem) {
    refuse(problem.message);
    return;
  } finally {
    clearTimeout(slow);
    root.classList.remove("moving");
    moving = false;
  }
  if (next) {
    show(next);
    told.textContent = "Committed. The next frame is shown.";
    return;
  }
  await outbox.empty();
  // What was put aside or freed by others may be back: ask the page itself.
  location.assign(location.href);
}

// Undo a grade of this frame or, where there is none, take the last frame back.
async function undo() {
  if (answers.answered || learning) {
    answers.undo();
    return;
  }
  const last = before.at(-1);
  if (!last || moving) return;
  moving = true;
  try {
    if (!(await outbox.take(last.frame.id))) {
      told.textContent = "The last frame is being taken back.";
      // An answer on its way cannot be stopped: it arrives and is taken back there.
      if (!(await outbox.settled(last.frame.id))) {
        refuse("The site cannot be reached and may have the last frame already. Take it back when it can be reached.");
        return;
      }
      await ask("POST", `rating/${last.frame.id}/take-back`);
      await outbox.forget(last.frame.id);
    }
    before.pop();
    refuse("");
  } catch (problem) {
    refuse(problem.message);
    return;
  } finally {
    moving = false;
  }
  ahead.back(current);
  show(last.frame);
  answers.fill(last.body.grades ?? last.body.answer);
  flag.value = last.body.flag;
  told.textContent = "The last frame is taken back.";
}

function openAside(recognised) {
  aside.open = true;
  document.getElementById("recognised").checked = recognised;
  const why = document.getElementById("aside-why");
  if (recognised) asideForm.querySelector("button").focus();
  else why.focus();
}

const KEYS = {
  n: () => answers.grade("n"),
  u: undo,
  Backspace: undo,
  ArrowUp: () => answers.mark(answers.here - 1),
  ArrowDown: () => answers.mark(answers.here + 1),
  ArrowLeft: () => picture.move(0.15, 0),
  ArrowRight: () => picture.move(-0.15, 0),
  x: () => answers.beginWhole(),
  d: () => openAside(false),
  r: () => openAside(true),
  f: () => flag.focus(),
  "+": () => picture.zoom(1),
  "=": () => picture.zoom(1),
  "-": () => picture.zoom(-1),
  c: () => picture.turnContrast(),
  Escape: () => answers.escape(),
};

document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");
  if (writing && event.key === "Escape") event.target.blur();
  if ((writing && !(event.target === flag && event.key === "Enter")) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") {
    if (event.target.closest("a, summary, .rating-more")) return;
    event.preventDefault();
    commit();
  } else if (/^[0-9]$/.test(event.key)) {
    event.preventDefault();
    if (answers.pending) answers.choose(Number(event.key));
    else answers.grade(event.key);
  } else if (event.key in KEYS) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  commit();
});

for (const button of root.querySelectorAll("[data-look]")) {
  button.addEventListener("click", () => KEYS[button.dataset.look]());
}

outbox.addEventListener("change", tellWaiting);
outbox.addEventListener("refused", ({ detail }) => {
  const place = before.findIndex(({ frame }) => frame.id === detail.id);
  if (place >= 0) before.splice(place, 1);
  refuse(`${detail.sentence} The answers to that frame were not stored.`);
});
outbox.addEventListener("signin", ({ detail }) => refuse(`${detail} Sign in again in another window and reload this page: ${outbox.size} answered frames are kept here.`));

async function begin() {
  await outbox.load();
  // After a reload the site may show a frame whose answers were on their way when it was asked.
  // Passed over once: what the site shows again after that was taken back elsewhere.
  if (outbox.knows(current.id)) {
    if (!outbox.ids.includes(current.id)) await outbox.forget(current.id);
    await advance();
  } else ahead.fill();
  root.dataset.ready = "true";
}

answers.mark(0);
if (matchMedia("(max-width: 60rem)").matches) root.scrollIntoView();
begin();

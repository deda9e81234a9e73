// A review: pictures opened large, marks on recordings and frames, sent along with the decision.

import { Marks } from "./marks.js";

const place = document.getElementById("marks");
const marks = new Marks(place.dataset.version);
const large = document.getElementById("large");
const body = large.querySelector("[data-body]");
const cells = [...document.querySelectorAll(".cell[data-recording]")];
const REASONS = new Map();
let here = null; // the cell whose recording is open
let target = null; // the frame that is spoken of; null: the whole recording

if ("over" in place.dataset) marks.clear();

// The grid ------------------------------------------------------------------------------------

function position(cell) {
  const td = cell.closest("td");
  if (!td) return null;
  return { row: td.parentElement.rowIndex, column: td.cellIndex };
}

function neighbour(cell, key) {
  const index = cells.indexOf(cell);
  if (key === "ArrowLeft") return cells[index - 1];
  if (key === "ArrowRight") return cells[index + 1];
  const from = position(cell);
  if (!from) return null;
  const down = key === "ArrowDown";
  const column = cells.filter((each) => position(each)?.column === from.column);
  const rest = column.filter((each) => (down ? position(each).row > from.row : position(each).row < from.row));
  return down ? rest[0] : rest[rest.length - 1];
}

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.(".cell[data-recording]");
  if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith("Arrow")) {
    const next = neighbour(cell, event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
  } else if (event.key.toLowerCase() === "r") {
    event.preventDefault();
    open(cell, true);
  }
});

for (const cell of cells) {
  cell.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return; // a new tab
    event.preventDefault();
    open(cell);
  });
}

// One recording, large ------------------------------------------------------------------------

async function open(cell, straightToReason = false) {
  here = cell;
  target = null;
  if (!large.open) large.showModal();
  body.setAttribute("aria-busy", "true");
  const answer = await fetch(cell.href, { headers: { "HX-Request": "true" } });
  if (here !== cell) return; // another was opened meanwhile
  body.innerHTML = answer.ok ? await answer.text() : '<p class="notice bad">It could not be loaded; please try again.</p>';
  body.removeAttribute("aria-busy");
  large.scrollTop = 0;
  const form = body.querySelector(".mark-form");
  if (!form) return;
  for (const option of form.elements.reason.options) REASONS.set(option.value, option.text);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    mark(form);
  });
  form.querySelector("[data-unmark]").addEventListener("click", () => {
    marks.remove(cell.dataset.recording, target?.frame);
    fill(form);
  });
  for (const still of body.querySelectorAll(".still")) {
    still.addEventListener("click", () => {
      target = target?.frame === still.dataset.frame ? null : { frame: still.dataset.frame, time: still.dataset.time };
      fill(form);
    });
  }
  fill(form);
  if (straightToReason) form.elements.reason.focus();
}

function fill(form) {
  for (const still of body.querySelectorAll(".still")) {
    still.setAttribute("aria-pressed", String(still.dataset.frame === target?.frame));
  }
  form.querySelector("[data-target]").textContent = target
    ? `About the frame at ${target.time} s alone. Choose it once more to speak of the whole recording.`
    : "About the whole recording. Choose a frame to speak of that frame alone.";
  const held = marks.find(here.dataset.recording, target?.frame);
  form.elements.reason.value = held?.reason ?? "";
  form.elements.text.value = held?.text ?? "";
  form.querySelector("[data-unmark]").hidden = !held;
  wrong(form, "");
}

function wrong(form, sentence) {
  const place = form.querySelector(".wrong");
  place.textContent = sentence;
  place.hidden = !sentence;
}

function mark(form) {
  const { reason, text } = form.elements;
  const chosen = reason.selectedOptions[0];
  if (!text.value.trim() && (!reason.value || "words" in chosen.dataset)) {
    wrong(form, reason.value ? "This reason needs words." : "Write the remark, or choose why it is left out.");
    text.focus();
    return;
  }
  marks.put({
    recording: here.dataset.recording,
    name: here.dataset.name,
    frame: target?.frame ?? "",
    time: target?.time ?? "",
    reason: reason.value,
    title: reason.value ? chosen.text : "",
    text: text.value.trim(),
  });
  if (target) fill(form);
  else large.close();
}

function step(by) {
  const next = cells[cells.indexOf(here) + by];
  if (next) open(next);
}

for (const button of large.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => step(Number(button.dataset.step)));
}

large.addEventListener("keydown", (event) => {
  if (event.target.matches("select, textarea, input") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
  else if (event.key.toLowerCase() === "r") {
    event.preventDefault();
    body.querySelector(".mark-form select")?.focus();
  }
});

large.addEventListener("close", () => {
  body.replaceChildren();
  here?.focus();
});

// What is marked, and sending it --------------------------------------------------------------

function show() {
  for (const cell of cells) {
    const of = marks.all().filter((row) => row.recording === cell.dataset.recording);
    const whole = of.find((row) => !row.frame && row.reason);
    cell.classList.toggle("marked-out", Boolean(whole));
    let badge = cell.querySelector(".mark[data-own]");
    if (!of.length) {
      badge?.remove();
      continue;
    }
    if (!badge) {
      badge = document.createElement("span");
      badge.dataset.own = "";
      cell.append(badge);
    }
    const out = of.some((row) => row.reason);
    badge.className = out ? "mark" : "mark note";
    badge.textContent = whole ? "to be left out" : out ? "frames left out" : "remark";
  }
  const list = place.querySelector("[data-list]");
  if (!list) return;
  const rows = marks.all();
  place.hidden = rows.length === 0;
  const out = rows.filter((row) => row.reason).length;
  place.querySelector("[data-sum]").textContent =
    `${out} to be left out, ${rows.length - out} remark${rows.length - out === 1 ? "" : "s"}. They go along when you accept or ask for changes; until then they are kept in this browser.`;
  list.replaceChildren(...rows.map(line));
}

function line(row) {
  const item = document.createElement("li");
  const said = document.createElement("span");
  const where = row.frame ? `${row.name}, ${row.time} s` : row.name;
  said.textContent = `${where}: ${[row.title, row.text].filter(Boolean).join(". ")}`;
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "link small";
  remove.textContent = "Take back";
  remove.setAttribute("aria-label", `Take the mark on ${where} back`);
  remove.addEventListener("click", () => marks.remove(row.recording, row.frame));
  item.append(said, remove);
  return item;
}

place.querySelector("[data-clear]")?.addEventListener("click", () => marks.clear());
for (const field of document.querySelectorAll("input[data-marks]")) {
  field.form.addEventListener("submit", () => {
    field.value = JSON.stringify(
      marks.all().map(({ recording, frame, reason, text }) => ({ recording, frame, reason, text })),
    );
  });
}
marks.onChange(show);
show();

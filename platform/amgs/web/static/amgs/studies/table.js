// The table of a study, edited in place: each change is saved, named where it is wrong, and can be
// taken back. Cells move like those of a spreadsheet, and cells copied from one are pasted.

import { ask, NotReached, Refusal } from "../upload/api.js";

const grid = document.getElementById("grid");
const said = document.getElementById("grid-said");
const button = document.getElementById("grid-undo");
const SPAN = /[\t\n]/;
const MOST_AT_ONCE = 1000;

const saved = new Map(); // cell → the text that is kept
const done = []; // what takes the last saves back, newest last
let pending = new Set();
let busy = false;

function cells(row) {
  return [...row.querySelectorAll("input[data-column]")];
}

function rows() {
  return [...grid.tBodies[0].rows];
}

function at(entry, column) {
  return grid.querySelector(`tr[data-entry="${entry}"] input[data-column="${column}"]`);
}

function tell(sentence, wrong = false) {
  said.textContent = sentence;
  said.classList.toggle("wrong", wrong);
}

function mark(cell, sentence) {
  cell.setAttribute("aria-invalid", "true");
  let note = cell.parentElement.querySelector(".cell-wrong");
  if (!note) {
    note = document.createElement("span");
    note.className = "cell-wrong";
    note.id = `wrong-${cell.closest("tr").dataset.entry}-${cell.dataset.column}`;
    cell.after(note);
    cell.setAttribute("aria-describedby", note.id);
  }
  note.textContent = sentence;
}

function unmark(cell) {
  cell.removeAttribute("aria-invalid");
  cell.removeAttribute("aria-describedby");
  cell.parentElement.querySelector(".cell-wrong")?.remove();
}

function shown(value) {
  return value === null || value === undefined ? "" : String(value);
}

function look(row) {
  row.classList.toggle("out", Boolean(row.querySelector("[data-column='excluded']").value.trim()));
}

// Changes by row, as the API takes them.
function changesOf(chosen) {
  const found = new Map();
  for (const cell of chosen) {
    const { entry } = cell.closest("tr").dataset;
    if (!found.has(entry)) found.set(entry, { id: entry });
    found.get(entry)[cell.dataset.column] = cell.value;
  }
  return [...found.values()];
}

function send(changes) {
  return ask("PATCH", `studies/${grid.dataset.study}/entries`, { changes });
}

async function save() {
  if (busy || !pending.size) return;
  busy = true;
  const now = [...pending].slice(0, MOST_AT_ONCE);
  for (const cell of now) pending.delete(cell);
  const texts = new Map(now.map((cell) => [cell, cell.value]));
  tell("Saving…");
  try {
    await attempt(now, texts);
  } catch (problem) {
    if (!(problem instanceof Refusal)) throw problem;
    // What was not reached is sent again with the next change.
    if (problem instanceof NotReached) for (const cell of now) pending.add(cell);
    tell(problem.message, true);
    busy = false;
    return;
  }
  busy = false;
  if (pending.size) save();
}

// Save cells; those that cannot be right are marked, and the others are saved without them.
async function attempt(chosen, texts) {
  let good = chosen;
  const wrong = new Map();
  while (good.length) {
    try {
      const { undo } = await send(changesOf(good));
      if (undo.length) done.push(undo);
      break;
    } catch (problem) {
      const named = problem instanceof Refusal ? problem.details.filter((one) => one.entry) : [];
      if (!named.length) throw problem;
      for (const one of named) wrong.set(at(one.entry, one.column), one.sentence);
      const left = good.filter((cell) => !wrong.has(cell));
      if (left.length === good.length) throw problem;
      good = left;
    }
  }
  for (const cell of good) {
    saved.set(cell, texts.get(cell));
    unmark(cell);
    look(cell.closest("tr"));
  }
  for (const [cell, sentence] of wrong) mark(cell, sentence);
  button.disabled = !done.length;
  if (!wrong.size) tell("Saved.");
  else tell(wrong.size === 1 ? "One cell cannot be right; it was not saved." : `${wrong.size} cells cannot be right; they were not saved.`, true);
}

function changed(cell) {
  if (cell.value === saved.get(cell) && !cell.hasAttribute("aria-invalid")) return;
  pending.add(cell);
}

async function undo() {
  if (busy || !done.length) return;
  busy = true;
  const changes = done.pop();
  try {
    await send(changes);
    for (const { id, ...values } of changes) {
      for (const [column, value] of Object.entries(values)) {
        const cell = at(id, column);
        if (!cell) continue;
        cell.value = shown(value);
        saved.set(cell, cell.value);
        unmark(cell);
        look(cell.closest("tr"));
      }
    }
    tell("Taken back.");
  } catch (problem) {
    if (!(problem instanceof Refusal)) throw problem;
    if (problem instanceof NotReached) done.push(changes);
    tell(problem.message, true);
  } finally {
    busy = false;
    button.disabled = !done.length;
  }
}

function move(cell, down) {
  const row = cell.closest("tr");
  const next = rows()[rows().indexOf(row) + down];
  const target = next?.querySelector(`[data-column="${cell.dataset.column}"]`);
  target?.focus();
  target?.select();
  return Boolean(target);
}

function keyed(event) {
  const cell = event.target.closest("input[data-column]");
  if (!cell) return;
  const control = event.ctrlKey || event.metaKey;
  if (event.key === "Enter") {
    event.preventDefault(); // the form round the table takes rows out
    if (!move(cell, event.shiftKey ? -1 : 1)) cell.blur();
  } else if (event.key === "ArrowDown" && !event.altKey && !cell.list) {
    if (move(cell, 1)) event.preventDefault();
  } else if (event.key === "ArrowUp" && !event.altKey && !cell.list) {
    if (move(cell, -1)) event.preventDefault();
  } else if (event.key === "Escape") {
    cell.value = saved.get(cell);
    unmark(cell);
  } else if (control && event.key.toLowerCase() === "d") {
    event.preventDefault();
    const above = rows()[rows().indexOf(cell.closest("tr")) - 1];
    const from = above?.querySelector(`[data-column="${cell.dataset.column}"]`);
    if (from) {
      cell.value = from.value;
      changed(cell);
      save();
    }
  } else if (control && !event.shiftKey && event.key.toLowerCase() === "z" && cell.value === saved.get(cell)) {
    event.preventDefault();
    undo();
  }
}

function pasted(event) {
  const cell = event.target.closest("input[data-column]");
  const text = event.clipboardData?.getData("text/plain").replace(/\r\n?/g, "\n").replace(/\n$/, "") ?? "";
  if (!cell || !SPAN.test(text)) return;
  event.preventDefault();
  const here = rows().slice(rows().indexOf(cell.closest("tr")));
  const column = cells(here[0]).indexOf(cell);
  const lines = text.split("\n").map((line) => line.split("\t"));
  const wide = Math.max(...lines.map((line) => line.length));
  if (lines.length > here.length || column + wide > cells(here[0]).length) {
    tell(
      `What was copied has ${lines.length} rows and ${wide} columns; from this cell on the table has ${here.length} and ${cells(here[0]).length - column}. Nothing was pasted.`,
      true,
    );
    return;
  }
  lines.forEach((line, down) => {
    const targets = cells(here[down]);
    line.forEach((value, right) => {
      const target = targets[column + right];
      target.value = value.trim();
      changed(target);
    });
  });
  save();
}

if (grid) {
  for (const row of rows()) for (const cell of cells(row)) saved.set(cell, cell.value);
  grid.addEventListener("change", (event) => {
    const cell = event.target.closest("input[data-column]");
    if (!cell) return;
    changed(cell);
    save();
  });
  grid.addEventListener("keydown", keyed);
  grid.addEventListener("paste", pasted);
  button.addEventListener("click", undo);
  addEventListener("beforeunload", (event) => {
    if (pending.size || busy) event.preventDefault();
  });
}

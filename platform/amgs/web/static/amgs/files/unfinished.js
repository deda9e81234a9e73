// Uploads of this version that were begun and did not end: how far they are, and giving them up.

import { readable } from "../upload/chosen.js";
import { ask, Refusal } from "../upload/upload.js";

function line(row, again) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = row.name;
  const size = document.createElement("span");
  size.className = "soft small figures";
  size.textContent = `${readable(row.held_bytes)} of ${readable(row.size)}`;
  const bar = document.createElement("progress");
  bar.max = row.size;
  bar.value = row.held_bytes;
  bar.setAttribute("aria-label", `Arrived of ${row.name}`);
  const discard = document.createElement("button");
  discard.type = "button";
  discard.className = "quiet small remove";
  discard.textContent = "Discard";
  discard.setAttribute("aria-label", `Discard ${row.name}`);
  const told = document.createElement("p");
  told.className = "told";
  told.textContent = row.refusal;
  discard.addEventListener("click", async () => {
    discard.disabled = true;
    try {
      await ask("DELETE", `uploads/${row.id}`);
      again();
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
      discard.disabled = false;
      told.textContent = problem.message;
    }
  });
  item.append(name, size, discard, bar, told);
  return item;
}

// Show what is unfinished except the files that are in `chosen()` right now.
export async function showUnfinished({ section, form, purpose, chosen }) {
  const query = new URLSearchParams({ unfinished: "true", purpose, target: form.dataset.version });
  let rows = [];
  try {
    ({ results: rows } = await ask("GET", `uploads?${query}`));
  } catch (problem) {
    if (!(problem instanceof Refusal)) throw problem;
    return;
  }
  const here = new Set(chosen().map((row) => `${row.name} ${row.file.size}`));
  rows = rows.filter((row) => row.state === "open" && !here.has(`${row.name} ${row.size}`));
  section.hidden = rows.length === 0;
  const again = () => showUnfinished({ section, form, purpose, chosen });
  section.querySelector("ul").replaceChildren(...rows.map((row) => line(row, again)));
}

// Score sheets of a draft, with what is declared of them.

import { entry, onFiles } from "../upload/chosen.js";
import { ask } from "../upload/upload.js";
import { refresh, sendAll } from "./send.js";

const form = document.getElementById("sheets-form");
const list = document.getElementById("chosen");
const send = document.getElementById("send");
const told = document.getElementById("told");
let rows = [];

function declared() {
  const found = {};
  for (const field of form.querySelectorAll("[name^='declared-']")) {
    if (field.value) found[field.name.slice("declared-".length)] = field.value;
  }
  return found;
}

async function add(upload, row) {
  await ask("POST", `versions/${form.dataset.version}/labels`, {
    upload: upload.id,
    name: row.file.name,
    declared: declared(),
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  send.disabled = true;
  const waiting = rows.filter((row) => !row.sent);
  await sendAll(waiting, { form, purpose: "labels", after: add, told: (text) => (told.textContent = text) });
  rows = rows.filter((row) => !row.sent);
  send.disabled = rows.length === 0;
  refresh("sheets", form.dataset.list);
});

onFiles(document.getElementById("drop"), document.getElementById("files"), (files) => {
  for (const file of files) rows.push({ file, shown: entry(list, file), sent: false });
  send.disabled = rows.length === 0;
});

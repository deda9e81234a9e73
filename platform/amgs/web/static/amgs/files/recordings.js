// Recordings of a draft: each file gets the observation its name tells, or the one chosen.

import { entry, onFiles } from "../upload/chosen.js";
import { ask } from "../upload/upload.js";
import { refresh, sendAll } from "./send.js";

const form = document.getElementById("recordings-form");
const list = document.getElementById("chosen");
const send = document.getElementById("send");
const told = document.getElementById("told");
const observations = JSON.parse(document.getElementById("observations").textContent);
let rows = [];

function guess(name) {
  const words = name.toLowerCase();
  const fits = observations.findIndex(
    (row) => words.includes(row.animal.toLowerCase()) && words.includes(row.name.toLowerCase()),
  );
  return fits;
}

function chooser(file) {
  const select = document.createElement("select");
  select.setAttribute("aria-label", `Animal and time point of ${file.name}`);
  select.append(new Option("no animal yet", ""));
  observations.forEach((row, index) => select.append(new Option(`${row.animal}, ${row.name}`, index)));
  const fits = guess(file.name);
  if (fits >= 0) select.value = String(fits);
  return select;
}

function take(files) {
  for (const file of files) {
    const shown = entry(list, file);
    const select = chooser(file);
    shown.name.after(select);
    rows.push({ file, shown, select, sent: false });
  }
  send.disabled = rows.length === 0;
}

async function add(upload, row) {
  const observation = observations[Number(row.select.value)];
  const given = row.select.value === "" ? {} : { animal: observation.animal, observation: observation.name };
  await ask("POST", `versions/${form.dataset.version}/recordings`, {
    upload: upload.id,
    name: row.file.name,
    animal: null,
    observation: null,
    ...given,
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  send.disabled = true;
  const waiting = rows.filter((row) => !row.sent);
  await sendAll(waiting, { form, purpose: "recording", after: add, told: (text) => (told.textContent = text) });
  rows = rows.filter((row) => !row.sent);
  send.disabled = rows.length === 0;
  refresh("recordings", form.dataset.list);
});

onFiles(document.getElementById("drop"), document.getElementById("files"), take);

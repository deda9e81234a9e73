// Recordings of a draft: each file gets the observation its name tells, or the one chosen.

import { entry, onFiles } from "../upload/chosen.js";
import { ask } from "../upload/upload.js";
import { refresh, Sender } from "./send.js";
import { showUnfinished } from "./unfinished.js";

const MEDIA = /\.(mp4|mov|avi|mkv|mts|m4v|mpe?g|wmv|webm|jpe?g|png|tiff?|bmp|webp)$/i;
const form = document.getElementById("recordings-form");
const list = document.getElementById("chosen");
const left = document.getElementById("left-out");
const observations = JSON.parse(document.getElementById("observations").textContent);

function guess(name) {
  const words = name.toLowerCase();
  const fits = observations.findIndex(
    (row) => words.includes(row.animal.toLowerCase()) && words.includes(row.name.toLowerCase()),
  );
  return fits;
}

function chooser(name) {
  const select = document.createElement("select");
  select.setAttribute("aria-label", `Animal and time point of ${name}`);
  select.append(new Option("no animal yet", ""));
  observations.forEach((row, index) => select.append(new Option(`${row.animal}, ${row.name}`, index)));
  const fits = guess(name);
  if (fits >= 0) select.value = String(fits);
  return select;
}

function take(files) {
  const seen = files.filter(({ name }) => !/(^|\/)\./.test(name)); // hidden files are the system's own
  const wanted = seen.filter(({ name }) => MEDIA.test(name));
  const others = seen.filter((one) => !wanted.includes(one)).map(({ name }) => name);
  left.hidden = others.length === 0;
  left.textContent = `Left out, since they are no videos or stills: ${others.slice(0, 5).join(", ")}${others.length > 5 ? ` and ${others.length - 5} more` : ""}.`;
  for (const one of wanted) {
    if (sender.rows.some((row) => !row.sent && row.name === one.name)) continue;
    const shown = entry(list, one, () => sender.remove(shown.item));
    const select = chooser(one.name);
    shown.item.querySelector("progress").before(select);
    sender.add({ ...one, shown, select });
  }
  begun();
}

async function add(upload, row) {
  const observation = observations[Number(row.select.value)];
  const given = row.select.value === "" ? {} : { animal: observation.animal, observation: observation.name };
  row.select.disabled = true;
  await ask("POST", `versions/${form.dataset.version}/recordings`, {
    upload: upload.id,
    name: row.name,
    animal: null,
    observation: null,
    ...given,
  });
}

function begun() {
  showUnfinished({
    section: document.getElementById("unfinished"),
    form,
    purpose: "recording",
    chosen: () => sender.rows,
  });
}

const sender = new Sender({
  form,
  purpose: "recording",
  after: add,
  changed: () => {
    refresh("recordings", form.dataset.list);
    begun();
  },
});
const inputs = [document.getElementById("files"), document.getElementById("folder")];
onFiles(document.getElementById("drop"), inputs, take);
begun();

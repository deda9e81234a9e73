// Label files of a draft, with what is declared of them; each is looked at, not yet read.

import { entry, onFiles } from "../upload/chosen.js";
import { ask } from "../upload/upload.js";
import { refresh, Sender } from "./send.js";

const form = document.getElementById("sheets-form");
const list = document.getElementById("chosen");

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
    name: row.name,
    declared: declared(),
    confirmed: false, // its rows are shown first
  });
}

const sender = new Sender({
  form,
  purpose: "labels",
  after: add,
  changed: () => refresh("sheets", form.dataset.list),
});
onFiles(document.getElementById("drop"), [document.getElementById("files")], (files) => {
  for (const one of files) {
    const shown = entry(list, one, () => sender.remove(shown.item));
    sender.add({ ...one, shown });
  }
});

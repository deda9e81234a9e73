// Send one file to be scored and go to its result.

import { entry, onFiles, readable } from "../upload/chosen.js";
import { ask, Refusal, sendFile, settle } from "../upload/upload.js";

const form = document.getElementById("score-form");
const list = document.getElementById("chosen");
let busy = false;

// The region of one animal as the API takes it; null where nothing was entered.
function region() {
  const [animal, ...edges] = document.querySelectorAll("#region input");
  const given = edges.map((edge) => edge.value.trim());
  if (!animal.value.trim() && given.every((value) => value === "")) return null;
  if (!animal.value.trim() || given.some((value) => !/^\d+$/.test(value))) {
    throw new Refusal("Give the animal a name and all four edges as whole numbers of pixels, or leave all five empty.");
  }
  return { name: animal.value.trim(), box: given.map(Number) };
}

async function score(file) {
  list.replaceChildren();
  const row = entry(list, { file, name: file.name });
  const most = Number(form.dataset.most);
  if (file.size > most) {
    row.tell(`This file has ${readable(file.size)}; up to ${readable(most)} can be scored at once. Cut it into shorter pieces.`, true);
    return;
  }
  busy = true;
  try {
    const one = region();
    const upload = await sendFile(file, { purpose: "score", told: (share) => row.progress(share) });
    row.tell("Sent; it is being checked.");
    await settle(file, upload, { told: (share) => row.progress(share) });
    row.tell("Stored; it waits for its turn.");
    const run = await ask("POST", "scores", { upload: upload.id, name: file.name, region: one });
    location.assign(`/score/${run.token}/`);
  } catch (problem) {
    if (!(problem instanceof Refusal)) throw problem;
    row.tell(problem.message, true);
  } finally {
    busy = false;
  }
}

if (form) {
  onFiles(document.getElementById("drop"), [document.getElementById("file")], ([{ file }]) => {
    if (file && !busy) score(file);
  });
}

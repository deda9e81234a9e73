// Send files to be scored, one or many, each with a line of its own and a link to its score.

import { entry, onFiles, readable } from "../upload/chosen.js";
import { NotReached, Refusal } from "../upload/api.js";
import { sendFile, settle } from "../upload/upload.js";
import { backOff, Gate } from "../upload/waiting.js";
import { addAnimal, animals, show, wanted } from "./boxes.js";

const LANES = 2;
const TRIES = 8;
const MEDIA = /\.(mp4|m4v|mov|avi|mkv|webm|mts|m2ts|ts|mpe?g|wmv|3gp|jpe?g|png|tiff?|bmp|heic|webp|gif)$/i;

const form = document.getElementById("score-form");
const list = document.getElementById("chosen");
const queue = [];
let lanes = 0;
let listed = null; // the promise of a list: lanes that begin at once share one
let boxed = null;

function token() {
  return JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

async function post(path, body = {}) {
  const gate = new Gate();
  for (let failures = 0; ; failures += 1) {
    try {
      const answer = await fetch(path, {
        method: "POST",
        headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": token() },
        body: JSON.stringify(body),
      });
      const told = await answer.json().catch(() => ({}));
      if (answer.ok) return told;
      if (answer.status < 500) throw new Refusal(told.detail ?? "The site did not take this; reload the page.", told, answer.status);
    } catch (problem) {
      if (problem instanceof Refusal) throw problem;
    }
    if (failures >= TRIES) throw new NotReached("The site cannot be reached; check the connection and send again.");
    await backOff(gate, failures);
  }
}

function listOf() {
  listed ??= begun().catch((problem) => {
    listed = null;
    throw problem;
  });
  return listed;
}

async function begun() {
  const batch = await post(form.dataset.batch);
  const told = document.getElementById("batch-told");
  const link = document.createElement("a");
  link.href = batch.address;
  link.textContent = "the page that lists them all";
  told.replaceChildren("Keep ", link, ": only who has its address sees it.");
  told.hidden = false;
  return batch;
}

function link(row, address, sentence, many) {
  const made = document.createElement("a");
  made.href = address;
  made.textContent = sentence;
  if (many) made.target = "_blank";
  return made;
}

async function score({ file, name, row, regions, many }) {
  try {
    const into = many ? await listOf() : null;
    const upload = await sendFile(file, { purpose: "score", told: (share) => row.progress(share) });
    row.tell("Sent; it is being checked.");
    // Asked for before the check is over: the score begins the moment it is.
    const runs = [];
    for (const region of regions ?? [null]) {
      const title = region ? `${name} – ${region.name}` : name;
      runs.push([title, await post(form.dataset.ask, { upload: upload.id, name: title, region, batch: into?.token })]);
    }
    const left = runs.at(-1)[1].left;
    if (left) document.getElementById("quota")?.replaceChildren(left);
    await settle(file, upload, { told: (share) => row.progress(share) });
    if (!many) return location.assign(runs[0][1].address);
    row.tell("");
    row.item.querySelector(".told").replaceChildren(
      ...runs.flatMap(([title, run]) => [link(row, run.address, runs.length > 1 ? title : "See its score", true), " "]),
    );
  } catch (problem) {
    if (!(problem instanceof Refusal)) throw problem;
    row.tell(problem.message, true);
  }
}

async function lane() {
  for (let next = queue.shift(); next; next = queue.shift()) await score(next);
  lanes -= 1;
}

function work() {
  while (lanes < LANES && queue.length) {
    lanes += 1;
    lane();
  }
}

function take(files, regions = null) {
  const most = Number(form.dataset.most);
  const fit = files.filter(({ file, name }) => !name.split("/").at(-1).startsWith(".") && (file.type || MEDIA.test(name)));
  const many = fit.length > 1 || listed !== null || (regions?.length ?? 0) > 1 || lanes > 0;
  for (const { file, name } of fit) {
    const row = entry(list, { file, name });
    if (file.size > most) {
      row.tell(`This file has ${readable(file.size)}; up to ${readable(most)} can be scored at once. Cut it into shorter pieces.`, true);
    } else if (!/^(video|image)\//.test(file.type) && !MEDIA.test(name)) {
      row.tell("This is no video and no photo, so it was left out.");
    } else {
      row.tell("Waits for its turn.");
      queue.push({ file, name, row, regions, many });
    }
  }
  work();
}

if (form) {
  form.addEventListener("submit", (event) => event.preventDefault());
  const inputs = ["file", "folder"].map((id) => document.getElementById(id));
  onFiles(document.getElementById("drop"), inputs, (files) => {
    if (!wanted()) return take(files);
    [boxed] = files;
    show(boxed.file);
  });
  document.getElementById("add-animal").addEventListener("click", () => addAnimal());
  document.getElementById("send-boxed").addEventListener("click", () => {
    const { found, problem } = animals();
    if (problem) {
      document.getElementById("boxes-told").textContent = problem;
      return;
    }
    take([boxed], found);
    document.getElementById("several").open = false;
  });
}

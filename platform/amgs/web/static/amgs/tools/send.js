// Send one file for a tool with the parameters of the form, and go to the result.

import { entry, onFiles, readable } from "../upload/chosen.js";
import { ask, Refusal, sendFile, settle } from "../upload/upload.js";

const form = document.getElementById("tool-form");
const list = document.getElementById("chosen");
const told = document.getElementById("told");
let chosen = null; // {file, row, upload}: an upload that is there is not sent again
let busy = false;

function choose(file) {
  list.replaceChildren();
  told.textContent = "";
  chosen = { file, row: entry(list, { file, name: file.name }), upload: null };
}

function parameters() {
  const given = {};
  for (const input of form.querySelectorAll("[data-param]")) {
    if (input.dataset.param === "boolean") given[input.name] = input.checked;
    else if (input.dataset.param === "string") given[input.name] = input.value;
    else if (input.value !== "") given[input.name] = Number(input.value);
  }
  return given;
}

function mark(field) {
  for (const input of form.querySelectorAll("[data-param]")) {
    const wrong = field === `parameters.${input.name}`;
    input.removeAttribute("aria-invalid");
    if (!wrong) continue;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
}

async function run() {
  const { file, row } = chosen;
  const most = Number(form.dataset.most);
  if (file.size > most) throw new Refusal(`This file has ${readable(file.size)}; up to ${readable(most)} can be taken. Cut it into shorter pieces.`);
  if (!chosen.upload) {
    const upload = await sendFile(file, { purpose: "tool", told: (share) => row.progress(share) });
    row.tell("Sent; it is being checked.");
    chosen.upload = await settle(file, upload, { told: (share) => row.progress(share) });
  }
  row.tell("Stored; it waits for its turn.");
  const made = await ask("POST", `tools/${form.dataset.tool}/runs`, { upload: chosen.upload.id, parameters: parameters() });
  location.assign(`/tools/runs/${made.token}/`);
}

if (form) {
  onFiles(document.getElementById("drop"), [document.getElementById("file")], ([{ file }]) => {
    if (file && !busy) choose(file);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    told.textContent = "";
    mark("");
    if (!chosen) {
      told.textContent = "Choose a file first.";
      document.getElementById("file").focus();
      return;
    }
    busy = true;
    try {
      await run();
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
      told.textContent = problem.message;
      chosen.row.tell("");
      mark(problem.field);
    } finally {
      busy = false;
    }
  });
  // Until now a press would have sent the form itself, which goes nowhere.
  document.getElementById("run").disabled = false;
}

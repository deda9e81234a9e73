// The page that scores a file on the reader's own device.

import { onFiles } from "../upload/chosen.js";
import { Device } from "./client.js";
import { csvOf, offer } from "./files.js";
import { scorePreview } from "./preview.js";
import { tellOffline } from "./ready.js";

const root = document.getElementById("device");
const show = (id, on = true) => (document.getElementById(id).hidden = !on);
const put = (id, text) => (document.getElementById(id).textContent = text);
const percent = (share) => `${Math.round(100 * share)} %`;
let device = null;
let busy = false;

function progress({ frames, time, duration }, begun) {
  const share = duration ? Math.min(time / duration, 1) : 0;
  const left = share > 0.02 ? ((performance.now() - begun) / 1000) * (1 / share - 1) : null;
  document.getElementById("device-bar").value = share;
  const rest = left === null ? "" : `, about ${Math.max(1, Math.round(left))} s left`;
  put("device-told", `${frames} frames graded${rest}.`);
}

function table(id, rows) {
  const body = document.querySelector(`#${id} tbody`);
  body.replaceChildren(
    ...rows.map(([title, ...figures]) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = title;
      const cells = figures.map((figure) => {
        const one = document.createElement("td");
        one.className = "num";
        one.textContent = figure;
        return one;
      });
      row.append(head, ...cells);
      return row;
    }),
  );
}

function originOf(file, facts, preview) {
  return {
    file: file.name,
    scored: "on this device; nothing was sent",
    kind: preview ? "preview: frames sampled by the player, not the film's own" : "every frame",
    model: facts.model.identifier,
    snapshot: facts.model.snapshot || "shipped with the software",
    bundle_digest: facts.digest,
    scored_at: new Date().toISOString(),
    phantom: facts.phantom ? root.dataset.phantom : "no",
    limits: root.dataset.limits,
    disclaimer: facts.result.disclaimer,
  };
}

function draw(file, facts, { predictions, result, seconds }, preview) {
  const origin = originOf(file, facts, preview);
  const { scale } = facts;
  const figure = (value) => (value === null ? "not given" : value.toFixed(2));
  put("device-file", file.name);
  put("device-sentence", result.sentence);
  put("device-score", figure(result.score));
  put("device-coverage", percent(result.coverage));
  put("device-count", `${result.graded} of ${result.frames}`);
  put("device-ungated", figure(result.score_ungated));
  show("device-preview", preview);
  table(
    "device-units",
    scale.units.map(({ key, title }) => {
      const { mean, n } = result.units[key];
      return [title, mean === null ? "–" : mean.toFixed(2), n];
    }),
  );
  const shares = (counts, titleOf) =>
    Object.entries(counts).map(([key, n]) => [titleOf(key), percent(n / result.frames), n]);
  const states = Object.fromEntries(scale.states.map(({ key, title }) => [key, title]));
  table("device-states", shares(result.states, (key) => states[key]));
  table("device-reasons", shares(result.not_scorable, (key) => scale.reasons[key]));
  show("device-not-graded", Object.keys(result.not_scorable).length > 0);
  put("device-when", new Date(origin.scored_at).toLocaleString());
  put("device-speed", `${result.frames} frames in ${seconds.toFixed(1)} s`);
  const stem = file.name.replace(/\.[^.]*$/, "");
  const whole = { origin, result, predictions };
  offer(document.getElementById("device-csv"), `${stem}.csv`, csvOf(whole, scale.units), "text/csv");
  const json = JSON.stringify(whole, null, 1);
  offer(document.getElementById("device-json"), `${stem}.json`, json, "application/json");
  show("device-result");
  document.getElementById("device-title").focus();
}

async function score(file) {
  busy = true;
  device ??= new Device(root.dataset.base);
  for (const id of ["device-result", "device-problem"]) show(id, false);
  show("device-progress");
  document.getElementById("device-bar").removeAttribute("value");
  put("device-told", "Loading the model …");
  const begun = performance.now();
  const onTold = (told) => progress(told, begun);
  try {
    const facts = await device.ask("facts");
    let answer = await device.ask("score", { file }, { onTold });
    const { preview = false } = answer;
    if (preview) answer = await scorePreview(device, file, onTold);
    draw(file, facts, answer, preview);
  } catch (problem) {
    if (problem.name !== "AbortError") {
      put("device-why", `This file could not be scored on this device (${problem.message}). Try another browser or file, or send it to be scored here.`);
      show("device-problem");
    }
  } finally {
    show("device-progress", false);
    busy = false;
  }
}

if (root) {
  onFiles(document.getElementById("drop"), [document.getElementById("file")], ([{ file }]) => {
    if (file && !busy) score(file);
  });
  tellOffline(root.dataset.base);
  document.getElementById("device-cancel").addEventListener("click", () => {
    device?.close();
    device = null;
  });
}

// The result of a score on the page: figures, tables, the chart and the files to save.

import { columnsOf } from "./course.js";
import { csvOf, offer } from "./files.js";
import { drawChart } from "./time.js";

const show = (id, on = true) => (document.getElementById(id).hidden = !on);
const put = (id, text) => (document.getElementById(id).textContent = text);
const percent = (share) => `${Math.round(100 * share)} %`;

// Rows of a title and figures.
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

function originOf({ dataset }, file, facts, preview) {
  return {
    file: file.name,
    scored: "on this device; nothing was sent",
    kind: preview ? "preview: frames sampled by the player, not the film's own" : "every frame",
    model: facts.model.identifier,
    snapshot: facts.model.snapshot || "shipped with the software",
    bundle_digest: facts.digest,
    scored_at: new Date().toISOString(),
    phantom: facts.phantom ? dataset.phantom : "no",
    limits: dataset.limits,
    disclaimer: facts.result.disclaimer,
  };
}

function figures(result, facts) {
  const { scale } = facts;
  const figure = (value) => (value === null ? "not given" : value.toFixed(2));
  put("device-score", figure(result.score));
  put("device-coverage", percent(result.coverage));
  put("device-count", `${result.graded} of ${result.frames}`);
  put("device-ungated", figure(result.score_ungated));
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
}

// The course as a chart and as a table; of a photo or of nothing graded there is none.
async function course(result, predictions, facts) {
  const { units } = facts.scale;
  const any = result.graded > 0 && result.frames > 1;
  show("device-course", any);
  if (!any) return;
  const figure = (value) => value?.toFixed(2) ?? "–";
  table(
    "device-bins",
    result.bins.map((bin) => [
      `${bin.t0.toFixed(1)} – ${bin.t1.toFixed(1)} s`,
      figure(bin.score),
      ...units.map(({ key }) => figure(bin.units[key])),
      `${bin.n_graded} of ${bin.n}`,
    ]),
  );
  await drawChart(result, facts, columnsOf(predictions, facts));
}

export async function drawResult(root, file, facts, { predictions, result, seconds }, preview) {
  const origin = originOf(root, file, facts, preview);
  const several = result.outcome === "several_animals";
  put("device-file", file.name);
  put("device-sentence", result.sentence);
  show("device-several", several);
  show("device-figures", !several);
  show("device-preview", preview && !several);
  show("device-frames", false);
  if (!several) figures(result, facts);
  put("device-when", new Date(origin.scored_at).toLocaleString());
  put("device-speed", several ? "not measured" : `${result.frames} frames in ${seconds.toFixed(1)} s`);
  const stem = file.name.replace(/\.[^.]*$/, "");
  const whole = { origin, result, predictions };
  const table = csvOf(whole, facts.scale.units);
  offer(document.getElementById("device-csv"), `${stem}.csv`, table, "text/csv");
  const json = JSON.stringify(whole, null, 1);
  offer(document.getElementById("device-json"), `${stem}.json`, json, "application/json");
  show("device-result");
  document.getElementById("device-title").focus();
  if (!several) await course(result, predictions, facts);
}

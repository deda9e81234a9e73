// The page of a result: chart, film, frames with what their grades rest on, and keys.

import { Chart } from "./chart.js";
import { readColumns } from "./columns.js";
import { follow } from "./film.js";
import { lay } from "./saliency.js";

const root = document.getElementById("chart");
const video = document.getElementById("film");
let chart = null;
let film = null;

// --- chart ---------------------------------------------------------------------------------------
async function begin() {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const { default: uPlot } = await import(root.dataset.uplot);
  chart = new Chart(uPlot, root, data, document.getElementById("chart-told"));
  root.dataset.ready = "";
  document.getElementById("chart-tools").hidden = false;
  window.addEventListener("pagehide", () => video?.pause());
  if (root.dataset.course) {
    const answer = await fetch(root.dataset.course);
    if (answer.ok) {
      chart.course = readColumns(await answer.arrayBuffer());
      root.dataset.frames = String(chart.course.frames);
      for (const button of document.querySelectorAll("[data-needs-frames]")) button.hidden = false;
      chart.draw();
    }
  }
  attach();
}

const pressed = (button, on) => button.setAttribute("aria-pressed", String(on));
const tool = (name) => document.querySelector(`[data-tool="${name}"]`);

const TOOLS = {
  in: () => chart.zoom(0.6, chart.time >= chart.from && chart.time <= chart.to ? chart.time : undefined),
  out: () => chart.zoom(1 / 0.6),
  whole: () => chart.whole(),
  left: () => chart.pan(-0.2),
  right: () => chart.pan(0.2),
  gate: () => {
    chart.gated = !chart.gated;
    pressed(tool("gate"), !chart.gated);
    chart.draw();
    chart.say(chart.time ?? chart.from);
  },
  frames: () => {
    chart.frames = !chart.frames;
    pressed(tool("frames"), chart.frames);
    chart.draw();
  },
  keys: () => document.getElementById("keys").showModal(),
  look: () => look(),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-tool], [data-line], [data-time]");
  if (!button || !chart) return;
  if (button.dataset.line) pressed(button, chart.toggle(button.dataset.line));
  else if (button.dataset.time) chart.seek(Number(button.dataset.time));
  else TOOLS[button.dataset.tool]();
});

// Ask for the form of the frame that the film shows, or that was clicked last.
function look() {
  const box = document.getElementById("one-frame");
  const place = chart.course ? chart.frameAt(chart.time ?? chart.from) : 0;
  window.htmx.ajax("GET", `${box.dataset.address}${place}`, { target: box, swap: "innerHTML" }).then(() => {
    box.querySelector("h3")?.focus();
  });
}

// --- film and frames -----------------------------------------------------------------------------
function attach() {
  const told = document.getElementById("extras-data");
  if (!told) return;
  const extras = JSON.parse(told.textContent);
  const { player, explanation } = extras;
  if (video && player?.state === "done" && !film && chart) {
    video.src = player.files[player.told.file];
    video.hidden = false;
    document.getElementById("film-waits")?.setAttribute("hidden", "");
    film = follow(video, chart, player.told);
  }
  if (explanation?.state === "done") {
    const choices = document.getElementById("saliency-choices");
    if (choices) {
      choices.hidden = false;
      choices.onchange = (event) => {
        const frames = document.querySelectorAll("[data-pts]");
        document.getElementById("saliency-legend").hidden = !event.target.value;
        lay(frames, explanation.told, (file) => explanation.files[file], event.target.value);
      };
    }
  }
}
document.addEventListener("htmx:afterSettle", attach);

// --- keys ----------------------------------------------------------------------------------------
const FRAME_S = 1 / 25;
const KEYS = {
  "?": TOOLS.keys,
  "+": TOOLS.in,
  "=": TOOLS.in,
  "-": TOOLS.out,
  0: TOOLS.whole,
  a: TOOLS.left,
  d: TOOLS.right,
  g: TOOLS.gate,
  f: TOOLS.frames,
  l: TOOLS.look,
  " ": () => film?.play(),
  k: () => film?.play(),
  ",": () => film?.step(-FRAME_S),
  ".": () => film?.step(FRAME_S),
  ArrowLeft: () => (film ? film.step(-1) : TOOLS.left()),
  ArrowRight: () => (film ? film.step(1) : TOOLS.right()),
};

document.addEventListener("keydown", (event) => {
  if (!chart || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog, video, [contenteditable]")) return;
  // A button answers to the space bar itself.
  if (event.key === " " && event.target.closest("button, a, summary")) return;
  const line = document.querySelectorAll("[data-line]")[Number(event.key) - 1];
  const act = /^[1-9]$/.test(event.key) ? line && (() => line.click()) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

if (root) begin();
else attach();

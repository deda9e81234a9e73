// The chart of a score on this device: the chart of the result page, without film and intervals.

import { Chart } from "../result/chart.js";

let chart = null;

function toolsOf(button) {
  const tools = {
    in: () => chart.zoom(0.6, chart.time),
    out: () => chart.zoom(1 / 0.6),
    whole: () => chart.whole(),
    left: () => chart.pan(-0.2),
    right: () => chart.pan(0.2),
    gate: () => {
      chart.gated = !chart.gated;
      button("gate").setAttribute("aria-pressed", String(!chart.gated));
      chart.draw();
      chart.say(chart.time ?? chart.from);
    },
    frames: () => {
      chart.frames = !chart.frames;
      button("frames").setAttribute("aria-pressed", String(chart.frames));
      chart.draw();
    },
  };
  return tools;
}

const KEYS = { "+": "in", "=": "in", "-": "out", 0: "whole", a: "left", d: "right", ArrowLeft: "left", ArrowRight: "right", g: "gate", f: "frames" };

// Fresh elements for each file: nothing listens to a chart that is gone.
function renewed(element) {
  const made = element.cloneNode(element.id === "device-tools");
  element.replaceWith(made);
  return made;
}

export async function drawChart(result, facts, course) {
  const { default: uPlot } = await import(document.getElementById("device-chart").dataset.uplot);
  const root = renewed(document.getElementById("device-chart"));
  const bar = renewed(document.getElementById("device-tools"));
  const { units, states, reasons } = facts.scale;
  const data = {
    ...result,
    units,
    excluded: states.filter(({ graded }) => !graded).map(({ key }) => key),
    states: Object.fromEntries(states.map(({ key, title }) => [key, title])),
    reasons,
  };
  chart = new Chart(uPlot, root, data, document.getElementById("device-told-at"));
  chart.course = course;
  chart.seek = (time) => chart.at(time);
  chart.say(chart.from);
  const button = (name) => bar.querySelector(`[data-tool="${name}"]`);
  const tools = toolsOf(button);
  for (const one of bar.querySelectorAll("[data-line]")) one.setAttribute("aria-pressed", "true");
  for (const name of ["gate", "frames"]) button(name).setAttribute("aria-pressed", "false");
  bar.addEventListener("click", ({ target }) => {
    const pressed = target.closest("[data-line], [data-tool]");
    if (!pressed) return;
    const { line, tool } = pressed.dataset;
    if (line) pressed.setAttribute("aria-pressed", String(chart.toggle(line)));
    else tools[tool]();
  });
  root.addEventListener("keydown", (event) => {
    const tool = event.ctrlKey || event.metaKey || event.altKey ? null : KEYS[event.key];
    if (!tool) return;
    event.preventDefault();
    tools[tool]();
  });
  root.dataset.frames = String(course.frames);
}

// The moment of a frame on the chart.
export const showMoment = (time) => chart?.at(time, true);

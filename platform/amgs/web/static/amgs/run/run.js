// The curves of a training run: one small chart per metric, live while the run goes on.

import { axis, colour, followWidth } from "../chart/theme.js";

const HEIGHT = 180;
const PAUSE_MS = 3000;
// A count, not a measure: it would be a straight line.
const LEFT_OUT = new Set(["epoch"]);

const root = document.getElementById("curves");
const { default: uPlot } = await import(root.dataset.uplot);
const charts = new Map();

function series(points, name) {
  const steps = [];
  const values = [];
  for (const point of points) {
    const value = point.metrics[name];
    if (Number.isFinite(value)) {
      steps.push(point.step);
      values.push(value);
    }
  }
  return [steps, values];
}

function figure(name) {
  const box = document.createElement("figure");
  box.className = "curve";
  const caption = document.createElement("figcaption");
  caption.textContent = name.replaceAll("_", " ");
  const plot = document.createElement("div");
  plot.setAttribute("role", "img");
  box.append(caption, plot);
  root.append(box);
  const chart = new uPlot(
    {
      width: Math.floor(plot.clientWidth) || 300,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false },
      scales: { x: { time: false } },
      axes: [axis(""), axis("", { size: 60, values: (_, ticks) => ticks.map((tick) => String(+tick.toPrecision(4))) })],
      series: [{}, { stroke: colour("line-1"), width: 2, points: { size: 4 } }],
    },
    [[], []],
    plot,
  );
  followWidth(chart, plot, HEIGHT);
  return { chart, plot, caption };
}

function draw(points) {
  const names = [...new Set(points.flatMap((point) => Object.keys(point.metrics)))]
    .filter((name) => !LEFT_OUT.has(name))
    .sort();
  document.getElementById("no-curves").hidden = names.length > 0;
  for (const name of names) {
    if (!charts.has(name)) charts.set(name, figure(name));
    const { chart, plot } = charts.get(name);
    const data = series(points, name);
    chart.setData(data);
    const last = data[1].at(-1);
    plot.setAttribute("aria-label", `${name.replaceAll("_", " ")}: ${last?.toPrecision(3)} after step ${data[0].at(-1)}`);
  }
}

draw(JSON.parse(document.getElementById("curve-points").textContent));

async function follow() {
  const answer = await fetch(root.dataset.source, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const run = await answer.json();
  draw(run.curves ?? []);
  if (["queued", "running"].includes(run.state)) setTimeout(follow, PAUSE_MS);
}

if (root.hasAttribute("data-live")) setTimeout(follow, PAUSE_MS);

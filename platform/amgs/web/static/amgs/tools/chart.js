// The curves of a tool's result over time: one chart per unit.

import { axis, colour, followWidth } from "../chart/theme.js";

const HEIGHT = 240;
const LINES = 5;
const data = JSON.parse(document.getElementById("tool-charts")?.textContent ?? "[]");

function same(curves) {
  const first = curves[0].times;
  return curves.every(({ times }) => times.length === first.length && times.every((time, index) => time === first[index]));
}

async function draw(root) {
  const { curves, unit } = data[Number(root.dataset.chart)];
  const { default: uPlot } = await import(root.dataset.uplot);
  const table = same(curves)
    ? [curves[0].times, ...curves.map(({ values }) => values)]
    : uPlot.join(curves.map(({ times, values }) => [times, values]));
  const chart = new uPlot(
    {
      width: Math.floor(root.clientWidth),
      height: HEIGHT,
      scales: { x: { time: false } },
      axes: [axis("seconds"), axis(unit, { size: 52 })],
      legend: { live: true },
      series: [
        { label: "Time", value: (_, figure) => (figure === null ? "–" : `${figure?.toFixed(1)} s`) },
        ...curves.map(({ title }, index) => ({
          label: title,
          stroke: colour(`line-${(index % LINES) + 1}`),
          width: 1.5,
          points: { show: table[0].length < 60, size: 4 },
          value: (_, figure) => figure?.toFixed(2) ?? "–",
        })),
      ],
    },
    table,
    root,
  );
  followWidth(chart, root, HEIGHT);
}

for (const root of document.querySelectorAll("[data-chart]")) draw(root);

// The chart of a result: image score and units over time, with the stretches that were not graded.

import { axis, colour, followWidth } from "../chart/theme.js";

const HEIGHT = 300;

const root = document.getElementById("chart");
const told = document.getElementById("chart-told");

function shade(chart, segments) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.fillStyle = colour("not-scorable");
  ctx.globalAlpha = 0.55;
  for (const segment of segments) {
    const from = Math.max(chart.valToPos(segment.t0, "x", true), bbox.left);
    const to = Math.min(chart.valToPos(segment.t1, "x", true), bbox.left + bbox.width);
    if (to > from) ctx.fillRect(from, bbox.top, Math.max(to - from, 1), bbox.height);
  }
  ctx.restore();
}

// The measurement interval of every bin as a box over its stretch, under the lines.
function boxes(chart, bins) {
  if (!chart.series[1].show) return;
  const { ctx } = chart;
  ctx.save();
  ctx.fillStyle = colour("accent");
  ctx.globalAlpha = 0.18;
  for (const bin of bins) {
    if (!bin.interval) continue;
    const [low, high] = bin.interval.map((end) => chart.valToPos(end, "y", true));
    const [from, to] = [bin.t0, bin.t1].map((time) => chart.valToPos(time, "x", true));
    ctx.fillRect(from, high, Math.max(to - from, 1), Math.max(low - high, 1));
  }
  ctx.restore();
}

function scoreOf(bin) {
  const figure = bin?.score;
  if (figure === null || figure === undefined) return "–";
  if (!bin.interval) return figure.toFixed(2);
  return `${figure.toFixed(2)} (${bin.interval.map((end) => end.toFixed(2)).join(" to ")})`;
}

function sentence(segment, data) {
  const state = data.states[segment.state] ?? segment.state;
  const reason = data.reasons[segment.reason] ?? segment.reason;
  const what = reason && reason !== state ? `${state}, ${reason}` : state;
  return `${segment.t0.toFixed(1)}–${segment.t1.toFixed(1)} s: not graded (${what.toLowerCase()})`;
}

async function draw() {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const { default: uPlot } = await import(root.dataset.uplot);
  const value = (figure) => (figure === null || figure === undefined ? null : figure);
  const middle = data.bins.map((bin) => (bin.t0 + bin.t1) / 2);
  const [begin, end] = [data.bins[0].t0, data.bins.at(-1).t1]; // a picture lasts no time
  const units = data.units.map((unit) => data.bins.map((bin) => value(bin.units[unit.key])));
  const shaded = data.segments.filter((segment) => segment.reason);
  const lines = data.units.map((unit, index) => ({
    label: unit.title,
    stroke: colour(`line-${index + 1}`),
    width: 1,
    points: { size: 4 },
    value: (_, figure) => figure?.toFixed(2) ?? "–",
  }));
  const chart = new uPlot(
    {
      width: Math.floor(root.clientWidth),
      height: HEIGHT,
      scales: { x: { time: false, range: [begin, end > begin ? end : begin + 1] }, y: { range: [-0.05, 2.05] } },
      axes: [axis("seconds"), axis("grade", { size: 44, splits: [0, 0.5, 1, 1.5, 2] })],
      legend: { live: true },
      series: [
        { label: "Time", value: (_, figure) => (figure === null ? "–" : `${figure?.toFixed(1)} s`) },
        {
          label: "Image score",
          stroke: colour("ink"),
          width: 2.5,
          points: { size: 6 },
          value: (_, figure, serie, index) => scoreOf(data.bins[index]),
        },
        ...lines,
      ],
      hooks: {
        drawClear: [(self) => shade(self, shaded), (self) => boxes(self, data.bins)],
        setCursor: [
          (self) => {
            const time = self.cursor.left >= 0 ? self.posToVal(self.cursor.left, "x") : null;
            const hit = time === null ? null : shaded.find((row) => row.t0 <= time && time <= row.t1);
            told.textContent = hit ? sentence(hit, data) : "";
          },
        ],
      },
    },
    [middle, data.bins.map((bin) => value(bin.score)), ...units],
    root,
  );
  followWidth(chart, root, HEIGHT);
  makeLegendReachable(chart);
}

// uPlot's legend is a table of labels one can only click; give it to the keyboard too.
function makeLegendReachable(chart) {
  const rows = [...root.querySelectorAll(".u-series")].slice(1);
  rows.forEach((row, index) => {
    const label = row.querySelector("th");
    const serie = index + 1;
    label.tabIndex = 0;
    label.setAttribute("role", "button");
    const mark = () => label.setAttribute("aria-pressed", String(chart.series[serie].show));
    mark();
    label.addEventListener("click", () => setTimeout(mark));
    label.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      chart.setSeries(serie, { show: !chart.series[serie].show });
      mark();
    });
  });
}

if (root) draw();

// How far a score is, asked again and again; the page may sleep in between and goes on when it wakes.

import { axis, colour, followWidth } from "../chart/theme.js";

const HEIGHT = 200;
const OFTEN_MS = 600;
const CALM_MS = 2000;
const SLOW_MS = 4000;
const SOON_S = 8;

const root = document.getElementById("score-progress");
const stage = document.getElementById("stage");
const done = document.getElementById("done");
const left = document.getElementById("left");
const first = document.getElementById("first");
const told = document.getElementById("first-told");
const box = document.getElementById("first-chart");

let chart = null;
let timer = 0;
let asking = false;

function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

async function draw(partial) {
  const points = [partial.bins.map((bin) => (bin.t0 + bin.t1) / 2), partial.bins.map((bin) => bin.score)];
  first.hidden = false;
  told.textContent = `${partial.graded} of ${partial.frames} frames read so far could be graded (${Math.round(100 * partial.coverage)} %).${partial.phantom ? " By a model that learned from phantoms: this says nothing about real mice." : ""}`;
  if (chart) return chart.setData(points);
  const { default: uPlot } = await import(root.dataset.uplot);
  chart = new uPlot(
    {
      width: Math.floor(box.clientWidth),
      height: HEIGHT,
      scales: { x: { time: false }, y: { range: [-0.05, 2.05] } },
      axes: [axis("seconds"), axis("score", { size: 44, splits: [0, 0.5, 1, 1.5, 2] })],
      legend: { show: false },
      cursor: { show: false },
      series: [{}, { label: "Image score", stroke: colour("ink"), width: 2, points: { size: 5 }, spanGaps: false }],
    },
    points,
    box,
  );
  followWidth(chart, box, HEIGHT);
}

async function look() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  let pause = OFTEN_MS;
  try {
    const answer = await fetch(root.dataset.state, { headers: { Accept: "application/json" } });
    if (answer.status === 404 || answer.status === 410) return location.reload();
    if (!answer.ok) throw new Error(answer.status);
    const now = await answer.json();
    if (now.over) return location.reload();
    if (stage.textContent !== now.stage) stage.textContent = now.stage;
    done.value = now.progress;
    left.textContent = now.seconds_left === null ? "\u00a0" : `About ${duration(now.seconds_left)} left`;
    if (now.partial?.bins.length) await draw(now.partial);
    // What waits behind others for long, or is far from its end, is not asked for as often: answers
    // take time from the scorers, and a phone's battery.
    if (now.ahead > 3) pause = SLOW_MS;
    else if (now.partial?.graded && now.seconds_left > SOON_S) pause = CALM_MS;
  } catch {
    stage.textContent = "The site cannot be reached just now; this page goes on by itself.";
    pause = SLOW_MS;
  } finally {
    asking = false;
  }
  if (!document.hidden) timer = setTimeout(look, pause);
}

// A phone that slept missed timers; what it missed is with the site.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
addEventListener("online", look);
addEventListener("pageshow", look);
look();

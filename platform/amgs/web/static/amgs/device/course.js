// The course of a recording; mirrors models/result.py (_bins, _segments, _bin_width) without
// intervals, and models/exports/as_columns.py for the chart.

import { anywayOf, scoreOf, unitMeans, valuesOf } from "./means.js";
import { median } from "./shown.js";

// models.result.summarise: where a recording ends, one frame after the last.
function endOf(predictions) {
  const times = predictions.map(({ time }) => time);
  const gaps = times.slice(1).map((time, n) => time - times[n]);
  return times.length ? times.at(-1) + (gaps.length ? median(gaps) : 0) : 0;
}

// {bin_s, bins, segments}
export function courseOf(predictions, told) {
  const { bin_widths_s: widths, most_bins: most } = told.result;
  if (!predictions.length) return { bin_s: widths[0], bins: [], segments: [] };
  const [start, end] = [predictions[0].time, endOf(predictions)];
  const width = widths.find((one) => end - start <= one * most) ?? widths.at(-1);
  return {
    bin_s: width,
    bins: bins(predictions, told, start, end, width),
    segments: segments(predictions, end),
  };
}

function bins(predictions, told, start, end, width) {
  const { scale } = told;
  const held = [];
  for (const one of predictions) {
    // The small term keeps a time just under an edge in its own bin.
    const number = Math.floor((one.time - start) / width + 1e-9);
    while (held.length <= number) held.push([]);
    held[number].push(one);
  }
  return held.map((here, n) => {
    const t0 = start + n * width;
    const means = unitMeans(here.map(valuesOf), scale.units);
    const anyway = unitMeans(here.map((one) => anywayOf(one, told)), scale.units);
    return {
      t0,
      t1: Math.min(t0 + width, Math.max(end, t0)),
      score: scoreOf(means, 1, scale.minimum_units),
      n_graded: here.filter(({ score }) => score !== null).length,
      n: here.length,
      units: Object.fromEntries(Object.entries(means).map(([key, { mean }]) => [key, mean])),
      ungated: scoreOf(anyway, 1, scale.minimum_units),
    };
  });
}

function segments(predictions, end) {
  const found = [];
  for (const { time, state, reason } of predictions) {
    const last = found.at(-1);
    if (last && last.state === state && last.reason === reason) continue;
    if (last) last.t1 = time;
    found.push({ t0: time, t1: end, state, reason });
  }
  return found;
}

const [MISSING, STEP] = [65535, 1000];

// models.exports.as_columns: what the chart reads of every frame.
export function columnsOf(predictions, told) {
  const { scale } = told;
  const column = (read) =>
    Uint16Array.from(predictions, (one) => {
      const value = read(one);
      return value === null || value === undefined ? MISSING : Math.round(value * STEP);
    });
  const meanOf = (values) => {
    const known = Object.values(values);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  };
  const states = scale.states.map(({ key }) => key);
  const columns = {
    time: Float32Array.from(predictions, ({ time }) => time),
    score: column((one) => meanOf(valuesOf(one))),
    ungated: column((one) => meanOf(anywayOf(one, told))),
    state: Uint8Array.from(predictions, ({ state }) => states.indexOf(state)),
  };
  for (const { key } of scale.units) columns[key] = column((one) => valuesOf(one)[key]);
  return { frames: predictions.length, states, columns };
}

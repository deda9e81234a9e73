// What is said of a recording; mirrors models/result.py (summarise) without its intervals.

import { courseOf } from "./course.js";
import { anywayOf, scoreOf, unitMeans, valuesOf } from "./means.js";
import { leastSure, surest } from "./shown.js";

function counted(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Object.fromEntries([...counts].sort((one, other) => other[1] - one[1]));
}

// `predictions` are {time, state, reason, grades, score, unfamiliar} in order of time.
export function summarise(predictions, told) {
  const { scale, result } = told;
  const graded = predictions.filter((one) => one.score !== null);
  const values = graded.map(valuesOf);
  const anyway = predictions.map((one) => anywayOf(one, told));
  const coverage = predictions.length ? graded.length / predictions.length : 0;
  const units = unitMeans(values, scale.units);
  let score = scoreOf(units, result.minimum_frames, scale.minimum_units);
  if (graded.length < result.minimum_frames || coverage < result.minimum_coverage) score = null;
  const reasons = counted(predictions.map((one) => one.reason).filter(Boolean));
  return {
    outcome: score === null ? "no_scorable_frames" : "scored",
    frames: predictions.length,
    graded: graded.length,
    not_scorable: reasons,
    states: counted(predictions.map((one) => one.state)),
    coverage,
    score,
    units,
    score_ungated: scoreOf(
      unitMeans(anyway, scale.units),
      result.minimum_frames,
      scale.minimum_units,
    ),
    unfamiliar: predictions.filter((one) => one.unfamiliar).length,
    ...courseOf(predictions, told),
    best: surest(predictions, told.shown),
    worst: leastSure(predictions, told.shown),
    sentence: sentence(
      predictions.length, graded.length, score, whyMost(reasons, predictions, told), scale,
    ),
    disclaimer: result.disclaimer,
  };
}

// models.result.nothing_scored, for a recording that shows several animals.
export function severalAnimals(told) {
  const nothing = summarise([], told);
  return { ...nothing, outcome: "several_animals", sentence: told.result.several };
}

// models.result._why
function whyMost(reasons, predictions, { scale, result }) {
  const [first] = Object.keys(reasons);
  if (!first) return "";
  const { state, reason, sentence: said } = result.unclear;
  const unclear = predictions.filter((one) => one.state === state && one.reason === reason).length;
  if (first === reason && 2 * unclear > reasons[first]) return said;
  return scale.reasons[first].toLowerCase();
}

function sentence(frames, graded, score, reason, scale) {
  const why = reason ? `, most often because: ${reason}` : "";
  if (score !== null) {
    const top = Math.max(...scale.units.map((unit) => unit.top_grade));
    const left = frames - graded;
    const were = left === 1 ? "1 frame was" : `${left} frames were`;
    const rest = left ? `; ${were} not graded${why}` : "";
    return `The mean score is ${score.toFixed(2)} on a scale from 0 to ${top}, from ${graded} of ${frames} frames${rest}.`;
  }
  if (!frames) return "No score: the recording holds no frame that could be read.";
  const none = frames === 1 ? "the one frame could not" : `none of ${frames} frames could`;
  const count = graded ? `only ${graded} of ${frames} frames could` : none;
  return `No score: ${count} be graded${why}. Film one awake mouse from the front in even light, with its face large in the picture, and try again.`;
}

// What is said of a recording; mirrors models/result.py (summarise) without its intervals.

function counted(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Object.fromEntries([...counts].sort((one, other) => other[1] - one[1]));
}

function unitMeans(rows, units) {
  return Object.fromEntries(
    units.map(({ key }) => {
      const values = rows.map((row) => row[key]).filter((value) => value !== undefined);
      const sum = values.reduce((total, value) => total + value, 0);
      return [key, { mean: values.length ? sum / values.length : null, n: values.length }];
    }),
  );
}

// models.result._score: the mean over units of the means over frames.
function scoreOf(means, atLeast, minimumUnits) {
  const often = Object.values(means).filter(({ mean, n }) => mean !== null && n >= atLeast);
  if (often.length < minimumUnits) return null;
  return often.reduce((sum, { mean }) => sum + mean, 0) / often.length;
}

// `predictions` are {time, state, reason, grades, score, unfamiliar} in order of time.
export function summarise(predictions, { scale, result }) {
  const graded = predictions.filter((one) => one.score !== null);
  const values = graded.map((one) =>
    Object.fromEntries(
      one.grades.filter((grade) => grade.grade !== null).map((g) => [g.unit, g.expected]),
    ),
  );
  const anyway = predictions
    .map((one) => one.grades.filter((grade) => grade.scorable >= result.scorable))
    .filter((grades) => grades.length >= scale.minimum_units)
    .map((grades) => Object.fromEntries(grades.map((g) => [g.unit, g.expected])));
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
    sentence: sentence(predictions.length, graded.length, score, reasons, scale),
    disclaimer: result.disclaimer,
  };
}

function sentence(frames, graded, score, reasons, scale) {
  const [first] = Object.keys(reasons);
  const why = first ? `, most often because: ${scale.reasons[first].toLowerCase()}` : "";
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

// Which frames are shown; mirrors models/shown.py (certainty, surest, least_sure).

// models.shown.certainty: how sure the model is of a graded frame, 0 to 1.
export function certainty({ grades }) {
  const sure = grades
    .filter(({ grade }) => grade !== null)
    .map(({ probabilities, scorable }) => Math.max(...probabilities) * scorable);
  return sure.reduce((sum, value) => sum + value, 0) / grades.length;
}

// models.shown._among: the graded frames that are the first of their cell, or all graded ones.
function among(frames, told) {
  const cellOf = ({ time }) => Math.floor(time / told.shown_s + 1e-6);
  const graded = frames.filter(({ sure }) => sure !== null);
  const first = graded.filter(
    ({ at }) => at === 0 || cellOf(frames[at]) !== cellOf(frames[at - 1]),
  );
  return first.length ? first : graded;
}

// models.shown._chosen: not nearer to each other than a moment, in order of time.
function chosen(order, told) {
  const found = [];
  for (const frame of order) {
    if (found.length === told.best) break;
    const apart = ({ time }) => Math.abs(frame.time - time) >= told.best_apart_s;
    if (found.every(apart)) found.push(frame);
  }
  found.sort((one, other) => one.at - other.at);
  return found.map(({ time, index }) => ({ time_s: time, frame: index }));
}

const rated = (predictions) =>
  predictions.map((one, at) => ({
    at,
    time: one.time,
    index: one.index,
    sure: one.score === null ? null : certainty(one),
  }));

export function surest(predictions, told) {
  const frames = among(rated(predictions), told);
  return chosen(frames.sort((one, other) => other.sure - one.sure), told);
}

// None is among the surest half: in a short recording they would else be the surest ones.
export function leastSure(predictions, told) {
  const frames = rated(predictions);
  const sure = frames.map((one) => one.sure).filter((value) => value !== null);
  if (!sure.length) return [];
  const middle = median(sure);
  const unsure = among(frames, told).filter((one) => one.sure < middle);
  return chosen(unsure.sort((one, other) => one.sure - other.sure), told);
}

export function median(values) {
  const order = [...values].sort((one, other) => one - other);
  const half = Math.floor(order.length / 2);
  return order.length % 2 ? order[half] : (order[half - 1] + order[half]) / 2;
}

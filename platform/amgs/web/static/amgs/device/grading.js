// From logits to grades, states and reasons; mirrors models/grader.py, models/calibration.py
// (Calibrated) and models/stats/ordinal.py.

import { refuseFace, sigmoid } from "./faces.js";

// models.stats.ordinal.corn_probabilities
export function probabilities(logits, { temperature, shift }) {
  let above = 1;
  const steps = shift.map((by, k) => (above *= sigmoid(logits[k] / temperature + by)));
  return [1, ...steps].map((value, k) => value - (steps[k] ?? 0));
}

export const expected = (likely) => likely.reduce((sum, p, k) => sum + k * p, 0);

// models.stats.ordinal.grade_by_cuts
const byCuts = (value, cuts) => cuts.filter((cut) => cut <= value).length;

// models.grader.state_probabilities
export function stateProbabilities(logits, told) {
  const most = Math.max(...Array.from(logits).filter((_, n) => told[n]));
  const likely = Array.from(logits, (value, n) => (told[n] ? Math.exp(value - most) : 0));
  const total = likely.reduce((sum, value) => sum + value, 0);
  return likely.map((value) => value / total);
}

export class Grader {
  constructor(told) {
    this.told = told;
    const steps = told.scale.units.map((unit) => unit.top_grade);
    this.steps = Math.max(...steps);
  }

  // Probabilities per unit from the grade logits (units × steps) of one crop or frame.
  units(logits) {
    const { units } = this.told.calibration;
    return units.map((facts, u) =>
      probabilities(logits.slice(u * this.steps, (u + 1) * this.steps), facts),
    );
  }

  scorable(logits) {
    const { units } = this.told.calibration;
    return units.map((facts, u) => sigmoid(logits[u] / facts.scorable_temperature));
  }

  states(logits) {
    return stateProbabilities(logits, this.told.grader.told);
  }

  // models.calibration.Calibrated.distance
  distance(embedding, familiar) {
    const { mean, root, limit, least_familiar: least } = this.told.calibration;
    const off = mean.map((value, n) => embedding[n] - value);
    let squares = 0;
    for (let column = 0; column < root[0].length; column++) {
      let sum = 0;
      for (let n = 0; n < off.length; n++) sum += off[n] * root[n][column];
      squares += sum * sum;
    }
    const raw = limit === null ? 0 : Math.sqrt(squares) / limit;
    return Math.max(raw, sigmoid(-familiar) / (1 - least));
  }

  // models.grader.Grader.verdict
  verdict(row) {
    const { scale, grader, crop } = this.told;
    const said = { state: grader.unknown, grades: [], score: null, unfamiliar: false };
    let refusal = refuseFace(row.face, crop);
    if (refusal === null && this.distance(row.embedding, row.familiar) > 1) {
      refusal = "unnamed";
      said.unfamiliar = true;
    }
    if (refusal !== null) return { ...said, reason: scale.because[refusal] };
    const state = this.state(this.states(row.states));
    const grades = this.grades(row);
    if (!state.graded) {
      const withheld = grades.map((one) => ({
        ...one,
        grade: null,
        reason: state.reason,
        possible: null,
      }));
      return { ...said, state: state.key, grades: withheld, reason: state.reason };
    }
    const scored = grades.filter((one) => one.grade !== null);
    if (scored.length < scale.minimum_units) {
      const reason = commonest(grades.map((one) => one.reason).filter(Boolean));
      return { ...said, state: state.key, grades, reason };
    }
    const score = scored.reduce((sum, one) => sum + one.expected, 0) / scored.length;
    return { ...said, state: state.key, grades, score, reason: null };
  }

  // models.grader.Grader._state
  state(likely) {
    const { scale, grader, calibration } = this.told;
    const unknown = scale.states.find((state) => state.key === grader.unknown);
    const order = likely.map((_, n) => n).sort((a, b) => likely[b] - likely[a] || a - b);
    const [first, second] = order;
    const pair = [grader.awake, grader.asleep];
    if (first !== second && pair.includes(first) && pair.includes(second)) {
      if (likely[second] > grader.unsure) return unknown;
    }
    const best = scale.states[first];
    return best.graded && likely[first] < calibration.least_awake ? unknown : best;
  }

  grades(row) {
    const { scale, grader, calibration } = this.told;
    const [likely, scorable] = [this.units(row.grades), this.scorable(row.scorable)];
    const why = this.unitReason(row);
    return scale.units.map((unit, u) => {
      const seen = scorable[u] >= grader.scorable;
      const value = expected(likely[u]);
      return {
        unit: unit.key,
        grade: seen ? byCuts(value, calibration.units[u].cuts) : null,
        expected: value,
        reason: seen ? null : why,
        probabilities: likely[u],
        scorable: scorable[u],
        possible: seen && grader.thresholds ? possible(likely[u], grader.thresholds[u]) : null,
      };
    });
  }

  // models.grader.Grader._unit_reason
  unitReason({ face, width, height }) {
    const { scale, crop } = this.told;
    const [x0, y0, x1, y1] = face.box;
    if (Math.min(x0, y0, width - x1, height - y1) < 1) return scale.because.border;
    if (face.sharpness < crop.minimum_sharpness) return scale.because.blur;
    return face.view === "frontal" ? scale.because.unnamed : scale.because.angle;
  }
}

// models.sets.possible_grades
function possible(likely, threshold) {
  const top = likely.indexOf(Math.max(...likely));
  return likely.map((_, k) => k).filter((k) => k === top || likely[k] >= threshold);
}

function commonest(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1])[0][0];
}

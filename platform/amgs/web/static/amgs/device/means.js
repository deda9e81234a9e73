// Means over frames and units; mirrors models/result.py (read_course, _unit_means, _score).

// Expected grades by unit: of what is scored in a graded frame, and of what looks scorable in any.
export function valuesOf({ score, grades }) {
  const scored = score === null ? [] : grades.filter(({ grade }) => grade !== null);
  return Object.fromEntries(scored.map(({ unit, expected }) => [unit, expected]));
}

export function anywayOf({ grades }, { scale, result }) {
  const seen = grades.filter(({ scorable }) => scorable >= result.scorable);
  const enough = seen.length >= scale.minimum_units ? seen : [];
  return Object.fromEntries(enough.map(({ unit, expected }) => [unit, expected]));
}

export function unitMeans(rows, units) {
  return Object.fromEntries(
    units.map(({ key }) => {
      const values = rows.map((row) => row[key]).filter((value) => value !== undefined);
      const sum = values.reduce((total, value) => total + value, 0);
      return [key, { mean: values.length ? sum / values.length : null, n: values.length }];
    }),
  );
}

// models.result._score: the mean over units of the means over frames.
export function scoreOf(means, atLeast, minimumUnits) {
  const often = Object.values(means).filter(({ mean, n }) => mean !== null && n >= atLeast);
  if (often.length < minimumUnits) return null;
  return often.reduce((sum, { mean }) => sum + mean, 0) / often.length;
}

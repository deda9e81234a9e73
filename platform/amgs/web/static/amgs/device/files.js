// What can be saved of a score: a table of frames and everything as JSON, both with their origin.

function cell(value) {
  if (value === null || value === undefined) return "";
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// One line per frame, under lines that say what this rests on.
export function csvOf({ origin, predictions }, units) {
  const head = Object.entries(origin).map(([name, value]) => cell(`# ${name}: ${value}`));
  const names = ["frame", "time_s", "state", "reason", "image_score"];
  for (const { key } of units) names.push(key, `${key}_expected`, `${key}_scorable`);
  const rows = predictions.map((one) => {
    const row = [one.index, one.time, one.state, one.reason, one.score];
    units.forEach((_, u) => {
      const grade = one.grades[u];
      row.push(grade?.grade, grade?.expected, grade?.scorable);
    });
    return row.map(cell).join(",");
  });
  return [...head, names.join(","), ...rows, ""].join("\n");
}

export function offer(link, name, text, type) {
  if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
}

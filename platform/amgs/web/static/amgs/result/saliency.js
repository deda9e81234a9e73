// What the model's grade of one unit rests on, laid over the frames; one unit at a time.

export function lay(frames, told, address, unit) {
  const rows = new Map(told.frames.map((row) => [String(row.pts), row]));
  const column = told.units.indexOf(unit);
  for (const frame of frames) {
    const canvas = frame.querySelector("canvas");
    const share = frame.querySelector(".inside");
    const row = rows.get(frame.dataset.pts);
    canvas.hidden = column < 0 || !row;
    if (share) share.textContent = "";
    if (canvas.hidden) continue;
    draw(canvas, row, column, Number(frame.dataset.scale), told.units.length, address(row.file));
    if (share && row.inside[unit] !== null && row.inside[unit] !== undefined) {
      share.textContent = `${Math.round(100 * row.inside[unit])} % of it in the unit's region, which fills ${Math.round(100 * row.by_chance[unit])} % of the square`;
    }
  }
}

async function draw(canvas, row, column, scale, count, source) {
  const strip = new Image();
  strip.src = source;
  canvas.dataset.column = String(column);
  await strip.decode();
  if (canvas.dataset.column !== String(column)) return; // another unit was chosen meanwhile
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  const edge = strip.naturalWidth / count;
  const [left, top, side] = row.square.map((value) => value * scale);
  context.drawImage(strip, column * edge, 0, edge, strip.naturalHeight, left, top, side, side);
  canvas.dataset.drawn = String(column);
}

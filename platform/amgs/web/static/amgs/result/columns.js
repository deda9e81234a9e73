// The course of every frame as typed arrays, and the highest and lowest of each pixel of a chart.

const MISSING = 65535;
const NO_REASON = 255;
const STEP = 1000;
const KINDS = { f4: Float32Array, u2: Uint16Array, u1: Uint8Array };

// Read a file of columns (models/exports/as_columns.py says how it is laid out).
export function readColumns(buffer) {
  const view = new DataView(buffer);
  if (String.fromCharCode(...new Uint8Array(buffer, 0, 4)) !== "AMGS") throw new Error("this is no file of columns");
  const length = view.getUint32(4, true);
  const told = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const columns = {};
  for (const [name, { type, offset }] of Object.entries(told.columns)) {
    columns[name] = new KINDS[type](buffer, Number(offset), told.frames);
  }
  return { ...told, columns };
}

// Where the first value of a rising column at or after `wanted` stands.
export function placeOf(rising, wanted) {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function gradeAt(column, place) {
  const value = column[place];
  return value === undefined || value === MISSING ? null : value / STEP;
}

export function nameAt(names, column, place) {
  const value = column[place];
  return value === undefined || value === NO_REASON ? null : names[value];
}

// Per pixel between two times the lowest and highest grade of each column, as uPlot takes it: two
// points a pixel, and `dense` is set. Where there are fewer frames than pixels, every frame.
export function thin(time, columns, from, to, width) {
  const first = Math.max(placeOf(time, from) - 1, 0);
  const last = Math.min(placeOf(time, to) + 1, time.length);
  const count = last - first;
  if (count <= 2 * width) {
    const xs = Array.from(time.subarray(first, last));
    return [xs, ...columns.map((column) => (column ? Array.from({ length: count }, (_, k) => gradeAt(column, first + k)) : xs.map(() => null)))];
  }
  const xs = new Array(2 * width);
  const ys = columns.map(() => new Array(2 * width).fill(null));
  let begin = first;
  for (let pixel = 0; pixel < width; pixel += 1) {
    const end = first + Math.floor(((pixel + 1) * count) / width);
    xs[2 * pixel] = time[begin];
    xs[2 * pixel + 1] = time[end - 1];
    columns.forEach((column, index) => {
      if (!column) return;
      let low = MISSING;
      let high = -1;
      for (let place = begin; place < end; place += 1) {
        const value = column[place];
        if (value === MISSING) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      if (high < 0) return;
      ys[index][2 * pixel] = low / STEP;
      ys[index][2 * pixel + 1] = high / STEP;
    });
    begin = end;
  }
  return Object.assign([xs, ...ys], { dense: true });
}

// Resizing of brightness planes as the server's OpenCV does it (cv2.resize, uint8, one channel).
//
// A plane is {data: Uint8Array, width, height, stride}; rows may lie further apart than their width.

const BITS = 2048;
const NEAR = 2.220446049250313e-16;

export function plane(width, height, data = new Uint8Array(width * height)) {
  return { data, width, height, stride: width };
}

// numpy's and OpenCV's rounding: halves to the even number.
export function roundEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

const byte = (value) => Math.min(255, Math.max(0, roundEven(value)));

// luma[y0:y1:step, x0:x1:step] with bounds inside the plane; without a step only a view.
export function part(picture, x0, y0, x1, y1, step = 1) {
  const width = Math.max(0, Math.ceil((x1 - x0) / step));
  const height = Math.max(0, Math.ceil((y1 - y0) / step));
  if (step === 1) {
    const data = picture.data.subarray(y0 * picture.stride + x0);
    return { data, width, height, stride: picture.stride };
  }
  const made = plane(width, height);
  for (let y = 0; y < height; y++) {
    const from = (y0 + y * step) * picture.stride + x0;
    for (let x = 0; x < width; x++) made.data[y * width + x] = picture.data[from + x * step];
  }
  return made;
}

function linearTable(from, to) {
  const scale = from / to;
  const [first, second, weight] = [new Int32Array(to), new Int32Array(to), new Int32Array(to)];
  for (let place = 0; place < to; place++) {
    let at = Math.fround((place + 0.5) * scale - 0.5);
    let low = Math.floor(at);
    at = Math.fround(at - low);
    if (low < 0) [low, at] = [0, 0];
    if (low >= from - 1) [low, at] = [from - 1, 0];
    first[place] = low;
    second[place] = Math.min(low + 1, from - 1);
    weight[place] = roundEven(at * BITS);
  }
  return { first, second, weight };
}

export function resizeLinear(picture, width, height) {
  if (picture.width === 2 * width && picture.height === 2 * height) {
    return resizeArea(picture, width, height);
  }
  const across = linearTable(picture.width, width);
  const down = linearTable(picture.height, height);
  const made = plane(width, height);
  const rows = new Map();
  const row = (y) => {
    let found = rows.get(y);
    if (found) return found;
    found = new Int32Array(width);
    const start = y * picture.stride;
    for (let x = 0; x < width; x++) {
      const weight = across.weight[x];
      found[x] =
        picture.data[start + across.first[x]] * (BITS - weight) +
        picture.data[start + across.second[x]] * weight;
    }
    if (rows.size > 3) rows.delete(rows.keys().next().value);
    rows.set(y, found);
    return found;
  };
  for (let y = 0; y < height; y++) {
    const [above, below] = [row(down.first[y]), row(down.second[y])];
    const weight = down.weight[y];
    for (let x = 0; x < width; x++) {
      const one = ((above[x] >> 4) * (BITS - weight)) >> 16;
      const two = ((below[x] >> 4) * weight) >> 16;
      made.data[y * width + x] = (one + two + 2) >> 2;
    }
  }
  return made;
}

function areaTable(from, to) {
  const scale = from / to;
  const rows = [];
  for (let place = 0; place < to; place++) {
    const [start, end] = [place * scale, (place + 1) * scale];
    const cell = Math.min(scale, from - start);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(start), last);
    const parts = [];
    if (first - start > 1e-3) parts.push([first - 1, Math.fround((first - start) / cell)]);
    for (let at = first; at < last; at++) parts.push([at, Math.fround(1 / cell)]);
    if (end - last > 1e-3) {
      parts.push([last, Math.fround(Math.min(Math.min(end - last, 1), cell) / cell)]);
    }
    rows.push(parts);
  }
  return rows;
}

export function resizeArea(picture, width, height) {
  const [sx, sy] = [picture.width / width, picture.height / height];
  const [ix, iy] = [Math.round(sx), Math.round(sy)];
  if (Math.abs(sx - ix) < NEAR && Math.abs(sy - iy) < NEAR) {
    return meanOfBlocks(picture, width, height, ix, iy);
  }
  const [across, down] = [areaTable(picture.width, width), areaTable(picture.height, height)];
  const made = plane(width, height);
  const sums = new Float32Array(width);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (const [at, share] of down[y]) {
      const start = at * picture.stride;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (const [place, weight] of across[x]) {
          sum = Math.fround(sum + Math.fround(picture.data[start + place] * weight));
        }
        sums[x] = Math.fround(sums[x] + Math.fround(share * sum));
      }
    }
    for (let x = 0; x < width; x++) made.data[y * width + x] = byte(sums[x]);
  }
  return made;
}

function meanOfBlocks(picture, width, height, ix, iy) {
  const made = plane(width, height);
  const share = Math.fround(1 / (ix * iy));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let dy = 0; dy < iy; dy++) {
        const start = (y * iy + dy) * picture.stride + x * ix;
        for (let dx = 0; dx < ix; dx++) sum += picture.data[start + dx];
      }
      made.data[y * width + x] =
        ix === 2 && iy === 2 ? (sum + 2) >> 2 : byte(Math.fround(sum * share));
    }
  }
  return made;
}

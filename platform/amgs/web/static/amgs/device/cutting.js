// Squares, crops and sharpness of a brightness plane; mirrors models/faces.py (Square, shrink, cut,
// inner, sharpness), so that a crop is the same on the device and on the server.

import { part, plane, resizeArea, resizeLinear, roundEven } from "./resize.js";

// models.faces.Square.round_box
export function roundBox([x0, y0, x1, y1], factor) {
  const side = Math.max(x1 - x0, y1 - y0, 2) * factor;
  return {
    left: roundEven((x0 + x1 - side) / 2),
    top: roundEven((y0 + y1 - side) / 2),
    edge: Math.max(2, roundEven(side)),
  };
}

// Every step-th pixel from (left, top) on, the border repeated where it leaves the picture.
export function sampled(luma, left, top, count, step) {
  const made = plane(count, count);
  const columns = Int32Array.from({ length: count }, (_, n) =>
    Math.min(Math.max(left + n * step, 0), luma.width - 1),
  );
  for (let y = 0; y < count; y++) {
    const start = Math.min(Math.max(top + y * step, 0), luma.height - 1) * luma.stride;
    for (let x = 0; x < count; x++) made.data[y * count + x] = luma.data[start + columns[x]];
  }
  return made;
}

// models.faces.Square.of: black where the square lies outside the picture.
export function squareOf({ left, top, edge }, luma) {
  if (left + edge <= 0 || top + edge <= 0 || left >= luma.width || top >= luma.height) {
    return plane(edge, edge);
  }
  if (left >= 0 && top >= 0 && left + edge <= luma.width && top + edge <= luma.height) {
    return part(luma, left, top, left + edge, top + edge);
  }
  return sampled(luma, left, top, edge, 1);
}

// models.faces.Square.thinned and cut_from
export function thinCut(square, luma, size) {
  const step = Math.max(1, Math.floor(square.edge / (1.5 * size)));
  let inside;
  if (step === 1) {
    inside = squareOf(square, luma);
  } else {
    const thin = {
      left: Math.floor(square.left / step),
      top: Math.floor(square.top / step),
      edge: Math.floor(square.edge / step),
    };
    inside = squareOf(thin, part(luma, 0, 0, luma.width, luma.height, step));
  }
  return inside.width > size
    ? resizeArea(inside, size, size)
    : resizeLinear(inside, size, size);
}

// models.faces.shrink: floats in 0..1 with this longer side, padded for the strides.
export function shrink(luma, longSide, pad) {
  const scale = longSide / Math.max(luma.height, luma.width);
  const step = Math.max(1, Math.floor(1 / (2 * scale)));
  const width = Math.max(1, roundEven(luma.width * scale));
  const height = Math.max(1, roundEven(luma.height * scale));
  const thin = part(luma, 0, 0, luma.width, luma.height, step);
  const small = scale < 1 ? resizeArea(thin, width, height) : resizeLinear(thin, width, height);
  const [wide, high] = [Math.ceil(width / pad) * pad, Math.ceil(height / pad) * pad];
  const data = new Float32Array(wide * high);
  for (let y = 0; y < high; y++) {
    const start = Math.min(y, height - 1) * width;
    for (let x = 0; x < wide; x++) {
      data[y * wide + x] = small.data[start + Math.min(x, width - 1)] / 255;
    }
  }
  return { data, width: wide, height: high };
}

// models.faces.cut: the square crop round a box.
export function cut(luma, box, crop) {
  const square = squareOf(roundBox(box, 1 + 2 * crop.margin), luma);
  let side = square.width > crop.size ? 2 * crop.size : crop.size;
  while (2 * side <= square.width) side *= 2;
  let small = resizeLinear(square, side, side);
  while (side > crop.size) {
    side /= 2;
    small = resizeArea(small, side, side);
  }
  return small;
}

// models.faces.inner: what a box holds, resized so that sizes compare; null where it is thin.
export function inner(luma, box, side) {
  const [x0, y0, x1, y1] = box.map(roundEven);
  const [left, top] = [Math.max(x0, 0), Math.max(y0, 0)];
  const right = Math.min(Math.max(x1, 0), luma.width);
  const bottom = Math.min(Math.max(y1, 0), luma.height);
  if (right - left < 3 || bottom - top < 3) return null;
  const step = Math.max(1, Math.floor(Math.min(right - left, bottom - top) / (2 * side)));
  const inside = part(luma, left, top, right, bottom, step);
  // Area averaging shrinks only; a part thinner than the square in one way is drawn out linearly.
  return Math.min(inside.width, inside.height) > side
    ? resizeArea(inside, side, side)
    : resizeLinear(inside, side, side);
}

// models.faces.sharpness: the variance of the Laplacian, the border mirrored.
export function sharpness(small) {
  if (small === null) return 0;
  const { data, width, height } = small;
  const mirror = (at, most) => (at < 0 ? -at : at > most ? 2 * most - at : at);
  let [sum, squares] = [0, 0];
  for (let y = 0; y < height; y++) {
    const above = mirror(y - 1, height - 1) * width;
    const below = mirror(y + 1, height - 1) * width;
    for (let x = 0; x < width; x++) {
      const here = y * width;
      const value =
        data[above + x] +
        data[below + x] +
        data[here + mirror(x - 1, width - 1)] +
        data[here + mirror(x + 1, width - 1)] -
        4 * data[here + x];
      sum += value;
      squares += value * value;
    }
  }
  const count = width * height;
  return squares / count - (sum / count) ** 2;
}

// Crops as the input of a graph: floats in 0..1.
export function asFloats(planes, size) {
  const data = new Float32Array(planes.length * size * size);
  planes.forEach((one, place) => {
    const start = place * size * size;
    for (let n = 0; n < size * size; n++) data[start + n] = one.data[n] / 255;
  });
  return data;
}

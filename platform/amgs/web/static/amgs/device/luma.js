// Brightness planes from what a browser hands out; mirrors models/media/planes.py (luma, Orientation).

import { plane } from "./resize.js";

const PLANAR = /^(I420|I422|I444|NV12)/;

// The brightness of RGBA pixels as a camera's film stores it (BT.601, 16..235), because the server
// reads the plane as stored; `full` is the whole range, as photos have it.
export function lumaOfPixels({ data, width, height }, full = false) {
  const made = plane(width, height);
  const [r, g, b, low] = full ? [76.245, 149.685, 29.07, 0] : [65.481, 128.553, 24.966, 16];
  for (let n = 0, at = 0; n < made.data.length; n++, at += 4) {
    made.data[n] = low + (data[at] * r + data[at + 1] * g + data[at + 2] * b) / 255 + 0.5;
  }
  return made;
}

// The plane of a decoded sample as it is displayed; the decoder's own where it hands one out.
export async function lumaOfSample(sample) {
  const planar = PLANAR.test(sample.format ?? "") && !sample.format.includes("P1");
  const options = planar ? undefined : { format: "RGBA" };
  const data = new Uint8Array(sample.allocationSize(options));
  const [layout] = await sample.copyTo(data, options);
  const [width, height] = [sample.codedWidth, sample.codedHeight];
  const stored = planar
    ? { data: data.subarray(layout.offset), width, height, stride: layout.stride }
    : lumaOfPixels({ data, width, height });
  const upright = turned(stored, sample.rotation);
  return sample.flip ? mirrored(upright) : upright;
}

function mirrored(picture) {
  const made = plane(picture.width, picture.height);
  for (let y = 0; y < picture.height; y++) {
    const start = y * picture.stride;
    const row = picture.data.subarray(start, start + picture.width);
    made.data.set(Uint8Array.from(row).reverse(), y * made.stride);
  }
  return made;
}

// The plane turned clockwise by so many degrees.
export function turned(picture, degrees) {
  if (!degrees) return picture;
  const { width, height } = picture;
  const [wide, high] = degrees === 180 ? [width, height] : [height, width];
  const made = plane(wide, high);
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      let [fromX, fromY] = [width - 1 - x, height - 1 - y];
      if (degrees === 90) [fromX, fromY] = [y, height - 1 - x];
      if (degrees === 270) [fromX, fromY] = [width - 1 - y, x];
      made.data[y * wide + x] = picture.data[fromY * picture.stride + fromX];
    }
  }
  return made;
}

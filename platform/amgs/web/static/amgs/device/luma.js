// Brightness planes from what a browser hands out.

import { plane } from "./resize.js";

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

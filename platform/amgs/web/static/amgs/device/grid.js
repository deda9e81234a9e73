// Where the face is in every frame: found on a grid of time, interpolated between; mirrors
// models/looker.py (_tracked, _between, blend, _grouped).

import { overlap } from "./faces.js";

export const cellOf = (time, grid) => Math.floor(time / grid.grid_s + 1e-6);

// models.looker.blend
export function blend(before, after, share) {
  const mix = (one, other) => one + (other - one) * share;
  const landmarks = {};
  for (const [name, [x, y]] of Object.entries(before.landmarks)) {
    const other = after.landmarks[name];
    if (other) landmarks[name] = [mix(x, other[0]), mix(y, other[1])];
  }
  return {
    ...(share < 0.5 ? before : after),
    box: before.box.map((value, n) => mix(value, after.box[n])),
    landmarks,
    confidence: Math.min(before.confidence, after.confidence),
    sharpness: mix(before.sharpness, after.sharpness),
  };
}

async function* between(finder, grid, crop, before, after, frames) {
  if (!frames.length || !before) return;
  const sure = (look) => look.face.confidence >= crop.minimum_confidence;
  const seen = Number(sure(before)) + Number(sure(after));
  const [start, end] = [before.frame.time, after.frame.time];
  if (seen === 2 && overlap(before.face.box, after.face.box) >= grid.same_face) {
    for (const frame of frames) {
      const share = end > start ? (frame.time - start) / (end - start) : 0;
      yield { frame, face: blend(before.face, after.face, share) };
    }
  } else if (seen === 0) {
    // Nothing here and nothing a fifth of a second later: nothing between.
    for (const frame of frames) yield { frame, face: before.face };
  } else {
    // A face came, went or jumped: look at every frame instead of guessing when.
    for (const frame of frames) yield { frame, face: await finder.find(frame.luma, frame.time) };
  }
}

// Every frame {time, luma, …} with its face candidate; `alone` for a photo.
export async function* tracked(frames, finder, grid, crop, alone = false) {
  let [anchor, waiting, cell] = [null, [], null];
  for await (const frame of frames) {
    const here = cellOf(frame.time, grid);
    if (!alone && here === cell && waiting.length < grid.most_between) {
      waiting.push(frame);
      continue;
    }
    const look = { frame, face: await finder.find(frame.luma, alone ? null : frame.time) };
    yield* between(finder, grid, crop, anchor, look, waiting);
    yield look;
    [anchor, waiting, cell] = [look, [], here];
  }
  if (waiting.length) {
    const frame = waiting.pop();
    const last = { frame, face: await finder.find(frame.luma, frame.time) };
    yield* between(finder, grid, crop, anchor, last, waiting);
    yield last;
  }
}

// Looks block by block, aligned to the grid.
export async function* grouped(looks, grid) {
  let [waiting, number] = [[], 0];
  for await (const look of looks) {
    const here = Math.floor(cellOf(look.frame.time, grid) / grid.cells);
    if (waiting.length && here !== number) {
      yield waiting;
      waiting = [];
    }
    number = here;
    waiting.push(look);
  }
  if (waiting.length) yield waiting;
}

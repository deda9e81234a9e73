// The faces of a picture; mirrors models/faces.py (FaceFinder, for one picture at a time).

import { asFloats, inner, roundBox, sharpness, shrink, thinCut } from "./cutting.js";
import { roundEven } from "./resize.js";

export const sigmoid = (value) => 0.5 * (1 + Math.tanh(0.5 * value));

// models.faces.overlap
export function overlap(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(one) + area(other) - width * height);
}

// The places of the maps that stand above all eight neighbours, the highest first.
function summits(maps, rows, columns, most) {
  const wide = maps.heat.dims[3];
  const likely = (row, column) => Math.fround(sigmoid(maps.heat.data[row * wide + column]));
  const found = [];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const here = likely(y, x);
      let top = true;
      for (let row = Math.max(y - 1, 0); top && row <= Math.min(y + 1, rows - 1); row++) {
        for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, columns - 1); column++) {
          top &&= here >= likely(row, column);
        }
      }
      if (top) found.push({ x, y, likely: here });
    }
  }
  return found.sort((one, other) => other.likely - one.likely).slice(0, most);
}

function highest(maps, rows, columns) {
  const wide = maps.heat.dims[3];
  let [x, y, top] = [0, 0, -Infinity];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const heat = maps.heat.data[row * wide + column];
      if (heat > top) [x, y, top] = [column, row, heat];
    }
  }
  return { x, y, likely: sigmoid(top) };
}

// models.faces._peaks: the highest place always, others where they are sure enough.
function peaks(maps, rows, columns, stride, most = 1, least = 0) {
  if (most === 1) return [peakAt(maps, highest(maps, rows, columns), stride)];
  const places = summits(maps, rows, columns, most);
  return places
    .filter(({ likely }, n) => n === 0 || likely >= least)
    .map((place) => peakAt(maps, place, stride));
}

function peakAt(maps, { x, y, likely }, stride) {
  const wide = maps.heat.dims[3];
  const size = maps.heat.dims[2] * wide;
  const at = (map, channel) => map.data[channel * size + y * wide + x];
  const cx = (x + 0.5 + at(maps.box, 0)) * stride;
  const cy = (y + 0.5 + at(maps.box, 1)) * stride;
  const halfWidth = 0.5 * stride * Math.exp(Math.min(at(maps.box, 2), 5));
  const halfHeight = 0.5 * stride * Math.exp(Math.min(at(maps.box, 3), 5));
  const places = [];
  for (let channel = 0; channel < maps.marks.dims[1]; channel += 2) {
    places.push([
      (x + 0.5 + at(maps.marks, channel)) * stride,
      (y + 0.5 + at(maps.marks, channel + 1)) * stride,
    ]);
  }
  const views = Array.from({ length: maps.view.dims[1] }, (_, n) => at(maps.view, n));
  const most = Math.max(...views);
  const odds = views.map((value) => Math.exp(value - most));
  const total = odds.reduce((sum, value) => sum + value, 0);
  return {
    confidence: likely,
    box: [cx - halfWidth, cy - halfHeight, cx + halfWidth, cy + halfHeight],
    places,
    views: odds.map((value) => value / total),
  };
}

// models.faces.Peak.moved
function moved(peak, factor, left, top) {
  const [x0, y0, x1, y1] = peak.box.map((value) => value * factor);
  return {
    ...peak,
    box: [x0 + left, y0 + top, x1 + left, y1 + top],
    places: peak.places.map(([x, y]) => [x * factor + left, y * factor + top]),
  };
}

export class FaceFinder {
  constructor(graph, told) {
    this.graph = graph;
    this.told = told;
  }

  // The best candidate of a plane; whether its confidence is enough is the caller's question.
  async find(luma) {
    const far = await this.far(luma);
    return this.face(luma, far, await this.near(luma, far.box));
  }

  async far(luma) {
    return (await this.farthest(luma, 1, 0))[0];
  }

  // models.faces.FaceFinder._far: the highest peaks of the whole picture.
  async farthest(luma, most, least) {
    const { long_side: longSide, stride, pad } = this.told;
    const scale = longSide / Math.max(luma.height, luma.width);
    const small = shrink(luma, longSide, pad);
    const maps = await this.graph.run({
      luma: [small.data, [1, 1, small.height, small.width]],
    });
    const cells = (side) => Math.max(1, roundEven((side * scale) / stride));
    const found = peaks(maps, cells(luma.height), cells(luma.width), stride, most, least);
    return found.map((peak) => moved(peak, 1 / scale, 0, 0));
  }

  async near(luma, box) {
    const { long_side: side, stride, around } = this.told;
    const square = roundBox(box, around);
    const patch = thinCut(square, luma, side);
    const maps = await this.graph.run({ luma: [asFloats([patch], side), [1, 1, side, side]] });
    const [peak] = peaks(maps, side / stride, side / stride, stride);
    return moved(peak, square.edge / side, square.left, square.top);
  }

  // models.faces.FaceFinder._face
  face(luma, far, near) {
    const { views: names, landmarks, inner: side } = this.told;
    const views = far.views.map((value, n) => (value + near.views[n]) / 2);
    const view = this.view(views);
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    const [x0, y0, x1, y1] = near.box;
    const box = [
      within(x0, luma.width),
      within(y0, luma.height),
      within(x1, luma.width),
      within(y1, luma.height),
    ];
    let confidence = Math.sqrt(far.confidence * near.confidence);
    // What may be another animal's head is no sure mouse.
    if (view !== "none") confidence *= 1 - views[names.length - 1];
    return {
      box,
      landmarks: Object.fromEntries(landmarks.map((name, n) => [name, near.places[n]])),
      confidence,
      view,
      sharpness: sharpness(inner(luma, box, side)),
      opening: null,
    };
  }

  // models.faces._view
  view(likely) {
    const { views: names, profile, sure } = this.told;
    for (let place = profile; place < likely.length; place++) {
      if (likely[place] > sure) return names[place];
    }
    const some = likely.slice(0, profile);
    return names[some.indexOf(Math.max(...some))];
  }
}

// models.faces.same_face
export function sameFace(one, other, least) {
  return overlap(one.box, other.box) >= least || centreIn(one.box, other.box);
}

export function centreIn([x0, y0, x1, y1], [left, top, right, bottom]) {
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return left < x && x < right && top < y && y < bottom;
}

// models.grader.refuse_face: the cause for which a candidate is not looked at any further.
export function refuseFace(face, crop) {
  if (face.confidence < crop.minimum_confidence) return "absence";
  if (face.view === "none") return "species";
  const [x0, y0, x1, y1] = face.box;
  if (Math.min(x1 - x0, y1 - y0) < crop.minimum_face) return "size";
  if (face.view === "profile") return "angle";
  if (face.confidence < crop.sure_confidence) return "unnamed";
  return null;
}

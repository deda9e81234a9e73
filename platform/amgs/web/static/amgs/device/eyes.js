// How open the eyes are; mirrors models/eyes.py (eye_places, shrunk, EyeReader).

import { asFloats, roundBox, sampled } from "./cutting.js";
import { part, plane, resizeArea, resizeLinear } from "./resize.js";

const distance = ([x0, y0], [x1, y1]) => Math.hypot(x1 - x0, y1 - y0);
const POINTS = { top: 0, front: 1, bottom: 2, back: 3 };

// models.eyes.shrunk
function shrunk({ left, top, edge }, luma, size) {
  const step = Math.max(1, Math.floor(edge / (2 * size)));
  const half = Math.floor(step / 2);
  const outside =
    left < 0 || top < 0 || left + edge > luma.width || top + edge > luma.height;
  const count = Math.ceil((edge - half) / step);
  const inside = outside
    ? sampled(luma, left + half, top + half, count, step)
    : part(luma, left + half, top + half, left + edge, top + edge, step);
  if (edge > size) return resizeArea(resizeLinear(inside, 2 * size, 2 * size), size, size);
  return resizeLinear(inside, size, size);
}

function mirrored(picture) {
  const made = plane(picture.width, picture.height);
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      made.data[y * picture.width + x] =
        picture.data[y * picture.stride + picture.width - 1 - x];
    }
  }
  return made;
}

function squareOfPlace({ x, y, side }) {
  const half = side / 2;
  return roundBox([x - half, y - half, x + half, y + half], 1);
}

// models.eyes.EyePlace.to_picture
function toPicture(place, [x, y]) {
  const square = squareOfPlace(place);
  // 0 is the outer edge of the first pixel, whose centre has the whole number.
  const [left, top] = [square.left - 0.5, square.top - 0.5];
  const across = place.mirrored ? left + square.edge - x * square.edge : left + x * square.edge;
  return [across, top + y * square.edge];
}

export class EyeReader {
  constructor(graph, told) {
    this.graph = graph;
    this.told = told;
  }

  // models.eyes.eye_places
  places(face) {
    const { eyes: names, nose: noseName, side } = this.told;
    const known = (name) => face.landmarks[name]?.every(Number.isFinite);
    let eyes = names.filter(known);
    const [x0, y0, x1, y1] = face.box;
    const longer = Math.max(x1 - x0, y1 - y0, 2);
    const nose = known(noseName) ? face.landmarks[noseName] : [(x0 + x1) / 2, y1];
    if (face.view === "profile" && eyes.length === 2) {
      // A mouse that looks to the left of the picture shows the eye right of its nose.
      eyes = [nose[0] < (x0 + x1) / 2 ? names[1] : names[0]];
    }
    const lengths = eyes.map((eye) => distance(face.landmarks[eye], nose));
    if (eyes.length === 2) {
      lengths.push(distance(face.landmarks[eyes[0]], face.landmarks[eyes[1]]));
    }
    const yardstick = Math.min(Math.max(...lengths, 0.2 * longer), longer);
    return eyes.map((eye) => {
      const [x, y] = face.landmarks[eye];
      return { eye, x, y, side: side * yardstick, mirrored: nose[0] > x };
    });
  }

  // The opening of a face, mean over the eyes seen; null where none is.
  async opening(luma, face) {
    const found = await this.measure(luma, this.places(face));
    const openings = found
      .filter((points) => points !== null)
      .map((points) => {
        const width = distance(points[POINTS.front], points[POINTS.back]);
        return distance(points[POINTS.top], points[POINTS.bottom]) / Math.max(width, 1e-6);
      });
    if (!openings.length) return null;
    return openings.reduce((sum, value) => sum + value, 0) / openings.length;
  }

  // models.eyes.EyeReader.measure
  async measure(luma, places) {
    const results = places.map(() => null);
    let left = places.map((place, index) => ({ place, index }));
    for (let look = 0; look < this.told.looks && left.length; look++) {
      const { size } = this.told;
      const cuts = left.map(({ place }) => {
        const eye = shrunk(squareOfPlace(place), luma, size);
        return place.mirrored ? mirrored(eye) : eye;
      });
      const said = await this.graph.run(
        { eyes: [asFloats(cuts, size), [cuts.length, 1, size, size]] },
        ["points", "seen"],
      );
      const next = [];
      left.forEach(({ place, index }, row) => {
        // The closer look decides: what it doubts only looked like an eye from afar.
        results[index] = null;
        if (!(said.seen.data[row] > 0)) return;
        const points = Array.from({ length: 4 }, (_, n) => {
          const at = (row * 4 + n) * 2;
          return toPicture(place, [said.points.data[at], said.points.data[at + 1]]);
        });
        results[index] = points;
        const nearer = this.nearer(place, points);
        if (nearer) next.push({ place: nearer, index });
      });
      left = next;
    }
    return results;
  }

  // models.eyes._nearer
  nearer(place, points) {
    const { widths, centred, close } = this.told;
    const x = points.reduce((sum, point) => sum + point[0], 0) / 4;
    const y = points.reduce((sum, point) => sum + point[1], 0) / 4;
    const wide = widths * distance(points[POINTS.front], points[POINTS.back]);
    const side = Math.min(Math.max(wide, 0.7 * place.side), 1.4 * place.side);
    const off = distance([x, y], [place.x, place.y]) / place.side;
    if (off < centred && Math.abs(Math.log(side / place.side)) < close) return null;
    return { ...place, x, y, side };
  }
}

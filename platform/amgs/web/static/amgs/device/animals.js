// How many animals are in view; mirrors models/animals.py (Census, CountingFinder, is_reflection).

import { inner } from "./cutting.js";
import { centreIn, FaceFinder, sameFace } from "./faces.js";

export class Census {
  constructor(told) {
    this.told = told;
    [this.looks, this.pairs, this.mirrored] = [0, 0, 0];
    // Whether it was certain once: looking further is needless.
    this.settled = false;
  }

  // One look at a picture with these faces, the surest first.
  see(luma, faces) {
    const sure = faces.filter(
      ({ confidence, view }) => confidence >= this.told.sure && view !== "none",
    );
    if (!sure.length) return;
    const [first, ...others] = sure;
    this.looks += 1;
    if (others.some((other) => !isReflection(luma, first.box, other.box, this.told))) {
      this.pairs += 1;
    } else if (others.length) {
      this.mirrored += 1;
    }
    this.settled ||= this.certain;
  }

  get several() {
    return this.settled || this.outnumber();
  }

  outnumber() {
    const { fewest_looks: fewest, share } = this.told;
    const needed = Math.max(1, Math.min(fewest, this.looks));
    return (
      this.pairs >= needed && this.pairs >= share * this.looks && this.pairs > this.mirrored
    );
  }

  get certain() {
    const { early, early_share: share } = this.told;
    return this.outnumber() && this.pairs >= Math.max(early, share * this.looks);
  }
}

// Finds what the plain finder finds, and tells a census what else it sees.
export class CountingFinder extends FaceFinder {
  constructor(graph, told, census) {
    super(graph, told);
    this.census = census;
    this.pictures = 0;
    this.first = null;
    this.second = null;
  }

  // `time` in seconds; null for a photo.
  async find(luma, time = null) {
    const { most_faces: most } = this.census.told;
    const [peak, ...others] = await this.farthest(luma, most, this.told.faint);
    const face = this.face(luma, peak, await this.near(luma, peak.box));
    this.pictures += 1;
    if (this.counts(time)) this.census.see(luma, [face, ...(await this.others(luma, face, others))]);
    return face;
  }

  counts(time) {
    const { dense, dense_s: denseS, step_s: step } = this.census.told;
    if (time === null) return true;
    this.first ??= time;
    const second = Math.floor(time / step + 1e-6);
    const isNew = second !== this.second;
    this.second = second;
    return isNew || (this.pictures <= dense && time - this.first < denseS);
  }

  async others(luma, first, peaks) {
    if (first.confidence < this.census.told.sure) return [];
    const kept = [first];
    for (const peak of peaks.filter(({ box }) => !centreIn(box, first.box))) {
      const face = this.face(luma, peak, await this.near(luma, peak.box));
      if (!kept.some((other) => sameFace(face, other, this.told.same_face))) kept.push(face);
    }
    return kept.slice(1);
  }
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function spread(values) {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

// Whether one of two boxes holds but a reflection of what the other holds.
export function isReflection(luma, one, other, told) {
  const [first, second] = [one, other].map((box) => inner(luma, box, told.side));
  if (first === null || second === null) return true;
  const [weak, strong] = [first, second]
    .map(({ data }) => spread(Array.from(data)))
    .sort((a, b) => a - b);
  if (weak < told.weak * strong) return true;
  return alike(first, second, told.side, told.reach) >= told.mirrored;
}

// The largest normalised correlation of one square with the other flipped, within some shift
// (cv2.matchTemplate, TM_CCOEFF_NORMED).
function alike(first, second, side, reach) {
  const size = side - 2 * reach;
  const pixels = (picture, left, top, flipped) =>
    Array.from({ length: size * size }, (_, n) => {
      const x = left + (n % size);
      const y = top + Math.floor(n / size);
      return picture.data[y * picture.stride + (flipped ? side - 1 - x : x)];
    });
  const centred = (values) => {
    const middle = mean(values);
    return values.map((value) => value - middle);
  };
  const dot = (a, b) => a.reduce((sum, value, n) => sum + value * b[n], 0);
  const template = centred(pixels(second, reach, reach, true));
  let most = -1;
  for (let top = 0; top <= 2 * reach; top++) {
    for (let left = 0; left <= 2 * reach; left++) {
      const window = centred(pixels(first, left, top, false));
      const scale = Math.sqrt(dot(template, template) * dot(window, window));
      if (scale > 0) most = Math.max(most, dot(template, window) / scale);
    }
  }
  return most;
}

// A recording in, predictions out; mirrors models/scorer.py (Scorer.score).

import { Census, CountingFinder } from "./animals.js";
import { Context } from "./context.js";
import { EyeReader } from "./eyes.js";
import { Grader } from "./grading.js";
import { grouped, tracked } from "./grid.js";
import { FrameReader, Looker } from "./looking.js";

export class Scorer {
  static async open(runtime) {
    const made = new Scorer();
    const { told } = runtime;
    made.told = told;
    // A census counts one recording: a scorer is for one.
    made.census = new Census(told.animals);
    made.finder = new CountingFinder(await runtime.graph("finder"), told.finder, made.census);
    made.eyes = new EyeReader(await runtime.graph("eyes"), told.eyes);
    made.reader = new FrameReader(await runtime.graph("frame"), told);
    made.context = new Context(await runtime.graph("temporal"), told.context);
    made.grader = new Grader(told);
    return made;
  }

  // The predictions of frames {index, time (s), luma} in order of time; `alone` for a photo.
  async *score(frames, { alone = false } = {}) {
    const looks = tracked(frames, this.finder, this.told.grid, this.told.crop, alone);
    const blocks = this.seen(grouped(looks, this.told.grid));
    const absent = this.told.scale.because.absence;
    for await (const row of this.context.answered(blocks)) {
      const verdict = this.grader.verdict(row);
      const face = verdict.reason === absent ? null : row.face;
      yield { index: row.index, time: row.time, face, ...verdict };
    }
  }

  async *seen(groups) {
    const looker = new Looker(this.told, this.eyes, this.reader);
    for await (const looks of groups) yield looker.seen(looks);
  }
}

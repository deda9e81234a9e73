// From looks to what the frame graph says of them; mirrors models/looker.py (Looker._seen, _say).

import { asFloats, cut } from "./cutting.js";
import { refuseFace } from "./faces.js";
import { features, motion, tail } from "./motion.js";
import { plane, resizeArea } from "./resize.js";

const BATCH = 32;

export class FrameReader {
  constructor(graph, told) {
    this.graph = graph;
    this.told = told;
  }

  // The outputs of the frame graph, one object of arrays per crop.
  async say(crops) {
    const { size } = this.told.crop;
    const rows = [];
    for (let start = 0; start < crops.length; start += BATCH) {
      const some = crops.slice(start, start + BATCH);
      const inputs = { crops: [asFloats(some, size), [some.length, 1, size, size]] };
      const outputs = await this.graph.run(inputs, this.told.grid.said);
      some.forEach((_, row) => {
        const one = {};
        for (const [name, { data }] of Object.entries(outputs)) {
          const length = data.length / some.length;
          one[name] = data.slice(row * length, (row + 1) * length);
        }
        rows.push(one);
      });
    }
    return rows;
  }
}

export class Looker {
  constructor(told, eyes, reader) {
    this.told = told;
    this.eyes = eyes;
    this.reader = reader;
    this.before = [];
  }

  // The rows of one block of looks, in order of time.
  async seen(looks) {
    const { crop, context, grid } = this.told;
    const track = [];
    const [crops, places] = [[], []];
    for (const [row, look] of looks.entries()) {
      const { frame, face } = look;
      const refusal = refuseFace(face, crop);
      const opening =
        refusal === null || refusal === "angle" ? await this.eyes.opening(frame.luma, face) : null;
      look.face = { ...face, opening };
      const picture = refusal === null ? cut(frame.luma, face.box, crop) : null;
      if (picture) {
        crops.push(picture);
        places.push(row);
      }
      track.push({
        time: frame.time,
        found: picture !== null,
        box: face.box,
        opening,
        small: picture
          ? resizeArea(picture, context.small, context.small)
          : plane(context.small, context.small),
      });
    }
    // With no face at all one empty crop is asked after, for the shapes of the answer.
    const empty = crops.length ? [] : [plane(crop.size, crop.size)];
    const said = await this.reader.say([...crops, ...empty]);
    const nothing = Object.fromEntries(
      Object.entries(said[0]).map(([name, data]) => [name, new Float32Array(data.length)]),
    );
    const together = [...this.before, ...track];
    const moving = motion(together, this.before.length, context);
    this.before = tail(together, grid.kept_s);
    return looks.map(({ frame, face }, row) => {
      const at = places.indexOf(row);
      const told = at < 0 ? nothing : said[at];
      return {
        index: frame.index,
        time: frame.time,
        width: frame.luma.width,
        height: frame.luma.height,
        face,
        familiar: told.familiar[0],
        embedding: told.embedding,
        features: features(told, at >= 0, moving[row]),
      };
    });
  }
}

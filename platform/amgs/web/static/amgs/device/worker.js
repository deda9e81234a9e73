// Everything that computes on the device runs here, beside the page.

import { FaceFinder } from "./faces.js";
import { frameOfPhoto, framesOfFilm, Handed, NotDecodable } from "./frames.js";
import { Grader } from "./grading.js";
import { FrameReader } from "./looking.js";
import { lumaOfPixels } from "./luma.js";
import { pictureOfPhoto, picturesOfFilm } from "./pictures.js";
import { Runtime } from "./runtime.js";
import { Scorer } from "./scorer.js";
import { severalAnimals, summarise } from "./summary.js";

let runtime;
let handed = null;

const opened = async (base) => (runtime ??= Runtime.open(base));

const demuxerOf = ({ told, base }) => new URL(told.runtime.demuxer, base).href;

async function finder(base) {
  const found = await opened(base);
  return new FaceFinder(await found.graph("finder"), found.told.finder);
}

// Frames in, everything that is said of them out; told of every frame.
async function scored(found, frames, duration, tell, alone) {
  const scorer = await Scorer.open(found);
  const predictions = [];
  const begun = performance.now();
  for await (const prediction of scorer.score(frames, { alone })) {
    predictions.push(prediction);
    tell({ frames: predictions.length, time: prediction.time, duration });
    if (scorer.census.settled) break;
  }
  const seconds = (performance.now() - begun) / 1000;
  if (scorer.census.several) {
    return { predictions: [], result: severalAnimals(found.told), seconds };
  }
  return { predictions, result: summarise(predictions, found.told), seconds };
}

// Calibrated probabilities of crops (uint8, one after the other) by the frame graph alone.
async function probabilities(base, crops) {
  const found = await opened(base);
  const { told } = found;
  const reader = new FrameReader(await found.graph("frame"), told);
  const area = told.crop.size ** 2;
  const planes = Array.from({ length: crops.length / area }, (_, n) => ({
    data: crops.subarray(n * area, (n + 1) * area),
  }));
  const grader = new Grader(told);
  return (await reader.say(planes)).map((said) => ({
    grades: grader.units(said.grades),
    scorable: grader.scorable(said.scorable),
    states: grader.states(said.states),
  }));
}

const TASKS = {
  open: async ({ base }) => {
    await finder(base);
    return (await opened(base)).told.crop;
  },
  find: async ({ base, picture }) => (await finder(base)).find(lumaOfPixels(picture)),
  facts: async ({ base }) => (await opened(base)).told,
  // All graphs, so that a later score needs no network.
  prepare: async ({ base }) => {
    await Scorer.open(await opened(base));
    return null;
  },
  probabilities: ({ base, crops }) => probabilities(base, crops),
  // A file from its own container; {preview: why} where the page has to hand over the frames.
  score: async ({ base, file }, tell) => {
    const found = await opened(base);
    if (file.type.startsWith("image/")) {
      return scored(found, await frameOfPhoto(file), 0, tell, true);
    }
    try {
      const { frames, duration } = await framesOfFilm(file, demuxerOf(found));
      return await scored(found, frames, duration, tell, false);
    } catch (problem) {
      if (problem instanceof NotDecodable) return { preview: problem.why };
      throw problem;
    }
  },
  // Frames of a file with their faces marked, for the places {time, box, longSide}.
  pictures: async ({ base, file, wanted }) => {
    if (file.type.startsWith("image/")) return pictureOfPhoto(file, wanted);
    return picturesOfFilm(file, demuxerOf(await opened(base)), wanted);
  },
  preview: async ({ base, duration }, tell) => {
    handed = new Handed();
    return scored(await opened(base), handed, duration, tell, false);
  },
  hand: async ({ frame }) => {
    const given = frame && { ...frame, luma: lumaOfPixels(frame.picture) };
    await handed.give(given);
    return { enough: handed.closed };
  },
};

self.onmessage = async ({ data: { id, task, ...given } }) => {
  const say = (message) => self.postMessage({ id, ...message });
  try {
    say({ done: await TASKS[task](given, (told) => say({ told })) });
  } catch (problem) {
    say({ failed: problem?.message ?? String(problem) });
  }
};

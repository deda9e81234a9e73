// Everything that computes on the device runs here, beside the page.

import { FaceFinder } from "./faces.js";
import { lumaOfPixels } from "./luma.js";
import { Runtime } from "./runtime.js";

let runtime;

const opened = async (base) => (runtime ??= Runtime.open(base));

async function finder(base) {
  const found = await opened(base);
  return new FaceFinder(await found.graph("finder"), found.told.finder);
}

const TASKS = {
  open: async ({ base }) => {
    await finder(base);
    return (await opened(base)).told.crop;
  },
  find: async ({ base, picture }) => (await finder(base)).find(lumaOfPixels(picture)),
};

self.onmessage = async ({ data: { id, task, ...given } }) => {
  const say = (message) => self.postMessage({ id, ...message });
  try {
    say({ done: await TASKS[task](given, (told) => say({ told })) });
  } catch (problem) {
    say({ failed: problem?.message ?? String(problem) });
  }
};

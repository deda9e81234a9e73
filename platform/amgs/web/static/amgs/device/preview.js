// Frames of a film that only the browser's player can read: sampled, without their timestamps.

import { sentenceOf } from "./codecs.js";
import { picture } from "./pictures.js";

const STEP_S = 0.1;

class NotPlayable extends Error {
  constructor(why) {
    super("not playable");
    this.sentence = sentenceOf(why);
  }
}

const event = (target, name) =>
  new Promise((resolve, reject) => {
    target.addEventListener(name, resolve, { once: true });
    target.addEventListener("error", () => reject(new Error("unreadable")), { once: true });
  });

async function seek(video, time) {
  const sought = event(video, "seeked");
  video.currentTime = time;
  await sought;
}

// Calls `use(video)` with the film in a player, which is gone afterwards.
async function played(file, why, use) {
  const video = document.createElement("video");
  const address = URL.createObjectURL(file);
  try {
    video.muted = true;
    video.preload = "auto";
    video.src = address;
    await event(video, "loadeddata").catch(() => {
      throw new NotPlayable(why);
    });
    // Sound alone is playable, too.
    if (!video.videoWidth || !Number.isFinite(video.duration)) throw new NotPlayable(why);
    return await use(video);
  } finally {
    video.removeAttribute("src");
    URL.revokeObjectURL(address);
  }
}

// Hands every tenth of a second of a file to the worker; returns what the worker says of it.
// `why` tells why the film's own frames cannot be read.
export function scorePreview(device, file, why, onTold) {
  return played(file, why, async (video) => {
    const { videoWidth: width, videoHeight: height, duration } = video;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const answer = device.ask("preview", { duration }, { onTold });
    answer.catch(() => {}); // it is awaited below
    for (let index = 0; index * STEP_S < duration; index++) {
      await seek(video, index * STEP_S);
      context.drawImage(video, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      const frame = { index, time: index * STEP_S, picture: { data, width, height } };
      const { enough } = await device.ask("hand", { frame }, { transfer: [data.buffer] });
      if (enough) return answer;
    }
    await device.ask("hand", { frame: null });
    return answer;
  });
}

// Pictures of frames that were sampled so; as pictures.js makes them of a film.
export function previewPictures(file, wanted) {
  return played(file, {}, async (video) => {
    const { videoWidth: width, videoHeight: height } = video;
    const made = [];
    for (const one of wanted) {
      await seek(video, one.time);
      const paint = (context, ...size) => context.drawImage(video, 0, 0, ...size);
      made.push(await picture({ ...one, width, height }, paint));
    }
    return made;
  });
}

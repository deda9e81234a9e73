// The frames of a file with the timestamps of its container, decoded by WebCodecs.

import { lumaOfPixels, lumaOfSample } from "./luma.js";

export class NotDecodable extends Error {}

// {frames, duration} of a film; throws NotDecodable where this browser cannot read it exactly.
export async function framesOfFilm(file, demuxer) {
  if (!globalThis.VideoDecoder) throw new NotDecodable("This browser has no WebCodecs.");
  const { ALL_FORMATS, BlobSource, Input, VideoSampleSink } = await import(demuxer);
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  const track = await input.getPrimaryVideoTrack().catch(() => null);
  if (!track || !(await track.canDecode())) {
    input.dispose();
    throw new NotDecodable("This browser cannot decode the film.");
  }
  const duration = await track.computeDuration();
  async function* frames() {
    let index = 0;
    try {
      for await (const sample of new VideoSampleSink(track).samples()) {
        const luma = await lumaOfSample(sample);
        const time = sample.timestamp;
        sample.close();
        yield { index: index++, time, luma };
      }
    } finally {
      input.dispose();
    }
  }
  return { frames: frames(), duration };
}

// A photo as a film of one frame.
export async function frameOfPhoto(file) {
  const bitmap = await createImageBitmap(file);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
  bitmap.close();
  return [{ index: 0, time: 0, luma: lumaOfPixels(pixels, true) }];
}

// Frames that the page hands over one by one, each answered when it is taken.
export class Handed {
  constructor() {
    this.waiting = [];
    this.wanted = null;
  }

  give(frame) {
    return new Promise((taken) => {
      this.waiting.push({ frame, taken });
      this.wanted?.();
    });
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      if (!this.waiting.length) await new Promise((resolve) => (this.wanted = resolve));
      const { frame, taken } = this.waiting.shift();
      taken();
      if (frame === null) return;
      yield frame;
    }
  }
}

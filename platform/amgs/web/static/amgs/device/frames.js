// The frames of a file with the timestamps of its container, decoded by WebCodecs.

import { lumaOfPixels, lumaOfSample } from "./luma.js";

// `why` names the codec or the kind of file, as `nameOfWhy` puts it into words.
export class NotDecodable extends Error {
  constructor(why) {
    super("This browser cannot read the frames of this film.");
    this.why = why;
  }
}

// {frames, duration} of a film; throws NotDecodable where this browser cannot read it exactly.
export async function framesOfFilm(file, demuxer) {
  const { ALL_FORMATS, BlobSource, Input, VideoSampleSink } = await import(demuxer);
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  const refuse = async (why) => {
    input.dispose();
    throw new NotDecodable(why);
  };
  if (!(await input.canRead())) await refuse({ kind: await kindOf(file) });
  const track = await input.getPrimaryVideoTrack();
  if (!track) await refuse({ empty: true });
  const codec = track.codec ?? track.internalCodecId;
  if (!globalThis.VideoDecoder || !(await track.canDecode())) await refuse({ codec: String(codec) });
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

// What the first bytes say of a file that the demuxer does not know.
async function kindOf(file) {
  const bytes = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const text = String.fromCharCode(...bytes);
  if (text.startsWith("RIFF") && text.endsWith("AVI ")) return "avi";
  if (bytes[0] === 0x30 && bytes[1] === 0x26) return "wmv";
  return text.startsWith("FLV") ? "flv" : "other";
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
    this.closed = false;
  }

  give(frame) {
    if (this.closed) return Promise.resolve();
    return new Promise((taken) => {
      this.waiting.push({ frame, taken });
      this.wanted?.();
    });
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        if (!this.waiting.length) await new Promise((resolve) => (this.wanted = resolve));
        const { frame, taken } = this.waiting.shift();
        taken();
        if (frame === null) return;
        yield frame;
      }
    } finally {
      // Whoever still hands over is not left waiting where enough was seen.
      this.closed = true;
      for (const { taken } of this.waiting) taken();
    }
  }
}

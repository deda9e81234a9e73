// Pictures of single frames with the face marked; mirrors models/gallery.py (reduced, drawn). The
// frames are read from the file a second time: on a device memory is dearer than a dozen seeks.

const [BOX_COLOUR, QUALITY] = ["rgb(43 122 11)", 0.85];

// `paint(context, width, height)` draws the frame; the box is in pixels of the frame.
export async function picture({ width, height, box, longSide }, paint) {
  const scale = Math.min(1, longSide / Math.max(width, height));
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(width * scale)),
    Math.max(1, Math.round(height * scale)),
  );
  const context = canvas.getContext("2d");
  paint(context, canvas.width, canvas.height);
  if (box) {
    const [x0, y0, x1, y1] = box.map((value) => value * scale);
    context.strokeStyle = BOX_COLOUR;
    context.lineWidth = 2;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return { blob, width: canvas.width, height: canvas.height };
}

// Of a film: one picture for each of `wanted` {time, box, longSide}, in order of time.
export async function picturesOfFilm(file, demuxer, wanted) {
  const { ALL_FORMATS, BlobSource, Input, VideoSampleSink } = await import(demuxer);
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  try {
    const sink = new VideoSampleSink(await input.getPrimaryVideoTrack());
    // A little later than the frame begins, so that no rounding gives the one before.
    const times = wanted.map(({ time }) => time + 1e-4);
    const made = [];
    for await (const sample of sink.samplesAtTimestamps(times)) {
      // Pixels as they are stored, in which the box is given, also where they are not square.
      const { codedWidth, codedHeight, rotation } = sample;
      const [width, height] = rotation % 180 ? [codedHeight, codedWidth] : [codedWidth, codedHeight];
      const one = { ...wanted[made.length], width, height };
      made.push(await picture(one, (context, ...size) => sample.draw(context, 0, 0, ...size)));
      sample.close();
    }
    return made;
  } finally {
    input.dispose();
  }
}

export async function pictureOfPhoto(file, wanted) {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  const paint = (context, ...size) => context.drawImage(bitmap, 0, 0, ...size);
  const made = await Promise.all(wanted.map((one) => picture({ ...one, width, height }, paint)));
  bitmap.close();
  return made;
}

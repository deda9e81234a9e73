// What the camera sees, judged a few times in a second: light and sharpness always, the face where
// the face finder of the served model can be loaded. Aids for whoever films; no part of a score.

const WIDTH = 320;
const PAUSE_MS = 300;
const DARK = 45;
const BRIGHT = 225;
const LEAST_SHARP = 12;
const SHARE_OF_WIDTH = 0.2;

// Brightness (mean luma, 0–255) and sharpness (variance of the Laplacian) of the middle half, in a
// picture of 320 pixels width; frame and fur at the edges are nobody's face.
export function measured({ data, width, height }) {
  const luma = new Float32Array(width * height);
  for (let at = 0; at < luma.length; at += 1) {
    luma[at] = 0.299 * data[4 * at] + 0.587 * data[4 * at + 1] + 0.114 * data[4 * at + 2];
  }
  const [x0, x1] = [Math.floor(width / 4), Math.floor((3 * width) / 4)];
  const [y0, y1] = [Math.floor(height / 4), Math.floor((3 * height) / 4)];
  let count = 0;
  let light = 0;
  let sum = 0;
  let squares = 0;
  for (let y = y0; y < y1; y += 1) {
    for (let x = x0; x < x1; x += 1) {
      const at = y * width + x;
      const edge = luma[at - 1] + luma[at + 1] + luma[at - width] + luma[at + width] - 4 * luma[at];
      light += luma[at];
      sum += edge;
      squares += edge * edge;
      count += 1;
    }
  }
  if (count === 0) return { brightness: 0, sharpness: 0 };
  return { brightness: light / count, sharpness: squares / count - (sum / count) ** 2 };
}

async function finderOf(place) {
  const { finder, finderBase } = place.dataset;
  if (!finder || !finderBase) return null;
  try {
    const { createFinder } = await import(finder);
    return await createFinder({ base: finderBase });
  } catch {
    return null;
  }
}

// One sentence about the picture, and whether it is good enough to film.
export function judged(picture, face, finder) {
  const { brightness, sharpness } = measured(picture);
  if (brightness < DARK) return { good: false, sentence: "Too dark: bring more even light." };
  if (brightness > BRIGHT) return { good: false, sentence: "Too bright: turn away from the lamp." };
  if (finder) {
    if (!face?.found) return { good: false, sentence: "No face found: show the mouse from the front." };
    const small = face.size < Math.max(SHARE_OF_WIDTH * picture.width, finder.minimumFace ?? 0);
    if (small) return { good: false, sentence: "Face found, but small: go nearer." };
    const soft = face.sharpness < (finder.minimumSharpness ?? LEAST_SHARP);
    if (soft) return { good: false, sentence: "Face found, but blurred: hold still, or tap on the face to focus." };
    if (face.view === "frontal") return { good: true, sentence: "Face found, sharp and frontal." };
    return { good: false, sentence: "Face found and sharp, but turned: go round to the front." };
  }
  if (sharpness < LEAST_SHARP) return { good: false, sentence: "Blurred: hold still, 15 to 30 cm away. The face is not checked." };
  return { good: true, sentence: "Light and sharpness are fine. The face is not checked." };
}

// Watch `video` and tell in `place` until stopped; the box of the face is drawn on `canvas`.
export class Viewfinder {
  #timer = 0;
  #run = 0;
  #finder = null;
  #loaded = false;

  constructor(video, canvas, place) {
    Object.assign(this, { video, canvas, place });
    this.small = document.createElement("canvas");
  }

  async start() {
    this.stop();
    this.#step(this.#run);
    if (!this.#loaded) {
      this.#loaded = true;
      this.#finder = await finderOf(this.place);
    }
  }

  stop() {
    this.#run += 1;
    clearTimeout(this.#timer);
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  async #step(run) {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (width && !document.hidden) {
      this.small.width = WIDTH;
      this.small.height = Math.round((WIDTH * height) / width);
      const context = this.small.getContext("2d", { willReadFrequently: true });
      context.drawImage(this.video, 0, 0, this.small.width, this.small.height);
      const picture = context.getImageData(0, 0, this.small.width, this.small.height);
      let face = null;
      try {
        face = await this.#finder?.find(picture);
      } catch {
        this.#finder = null; // the finder broke: light and sharpness are judged on
      }
      if (run !== this.#run) return;
      this.#tell(judged(picture, face, this.#finder), face);
    }
    if (run === this.#run) this.#timer = setTimeout(() => this.#step(run), PAUSE_MS);
  }

  #tell({ good, sentence }, face) {
    if (this.place.textContent !== sentence) this.place.textContent = sentence;
    this.place.classList.toggle("good", good);
    this.place.classList.toggle("warn", !good);
    Object.assign(this.canvas, { width: this.small.width, height: this.small.height });
    if (!face?.found) return;
    const context = this.canvas.getContext("2d");
    const [x0, y0, x1, y1] = face.box;
    context.strokeStyle = good ? "#8ed1a6" : "#ecc078";
    context.lineWidth = 2;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
}

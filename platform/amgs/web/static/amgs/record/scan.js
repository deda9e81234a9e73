// Read the code on a cage card from the camera: by the browser itself where it can, else by a
// library that is loaded when it is first needed (QR codes only).

const PAUSE_MS = 150;
const MOST_MS = 30_000;
const WIDTH = 640;

async function native() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  if (!formats.length) return null;
  const detector = new BarcodeDetector({ formats });
  return async (picture) => (await detector.detect(picture))[0]?.rawValue ?? "";
}

function load(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = resolve;
    script.onerror = () => reject(new Error("The reader of codes could not be loaded; type the id."));
    document.head.append(script);
  });
}

async function library(address) {
  if (!window.jsQR) await load(address);
  return async ({ data, width, height }) => window.jsQR(data, width, height)?.data ?? "";
}

// Return the text of the first code in sight, or an empty text when `signal` ends the search or
// none was found in half a minute.
export async function scan(video, address, signal) {
  const read = (await native()) ?? (await library(address));
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const end = performance.now() + MOST_MS;
  while (!signal.aborted && performance.now() < end) {
    if (video.videoWidth) {
      canvas.width = WIDTH;
      canvas.height = Math.round((WIDTH * video.videoHeight) / video.videoWidth);
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
      const text = (await read(context.getImageData(0, 0, canvas.width, canvas.height))).trim();
      if (text) return text;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return "";
}

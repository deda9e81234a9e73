// The rear camera without sound, never its lamp, and a recording of so many seconds.

const TYPES = [
  "video/mp4;codecs=avc1.640028",
  "video/mp4;codecs=avc1.42E01F",
  "video/webm;codecs=vp9",
  "video/webm;codecs=vp8",
  "video/webm",
  "video/mp4",
];
const BITS_PER_SECOND = 8_000_000;
const SENTENCES = {
  NotAllowedError: "The camera may not be used by this page; allow it in the browser's settings for this site, then try again.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "Another app uses the camera; close it, then try again.",
};

export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error(
      window.isSecureContext
        ? "This browser cannot use a camera; use a current one."
        : "A camera works only over HTTPS: open this site by its address that begins with https://.",
    );
  }
  try {
    // `torch` is never asked for: light in the face changes what is measured.
    return await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
    });
  } catch (problem) {
    throw new Error(SENTENCES[problem.name] ?? "The camera did not start; try again.");
  }
}

// Begin to record. `done` resolves to the clip; `told(secondsLeft)` is called as it goes. What was
// filmed until the camera went away is kept, too.
export function recordClip(stream, seconds, told) {
  const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one));
  const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: BITS_PER_SECOND });
  const pieces = [];
  const start = performance.now();
  const stop = () => {
    if (recorder.state !== "inactive") recorder.stop();
  };
  const left = () => Math.max(0, Math.ceil(seconds - (performance.now() - start) / 1000));
  const watch = setInterval(() => {
    told(left());
    if (performance.now() - start >= seconds * 1000) stop();
  }, 100);
  const done = new Promise((resolve, reject) => {
    recorder.ondataavailable = ({ data }) => {
      if (data.size) pieces.push(data);
    };
    recorder.onerror = () => stop();
    recorder.onstop = () => {
      clearInterval(watch);
      const clip = new Blob(pieces, { type: (recorder.mimeType || type || "").split(";")[0] });
      if (clip.size) resolve(clip);
      else reject(new Error("Nothing was recorded; try again."));
    };
  });
  recorder.start(1000);
  told(seconds);
  return { stop, done };
}

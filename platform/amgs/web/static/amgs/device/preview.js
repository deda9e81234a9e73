// Frames of a film that only the browser's player can read: sampled, without their timestamps.

const STEP_S = 0.1;

const event = (target, name) =>
  new Promise((resolve, reject) => {
    target.addEventListener(name, resolve, { once: true });
    target.addEventListener("error", () => reject(new Error("unreadable")), { once: true });
  });

// Hands every tenth of a second of a file to the worker; returns what the worker says of it.
export async function scorePreview(device, file, onTold) {
  const video = document.createElement("video");
  const address = URL.createObjectURL(file);
  try {
    video.muted = true;
    video.preload = "auto";
    video.src = address;
    await event(video, "loadeddata");
    const { videoWidth: width, videoHeight: height, duration } = video;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const answer = device.ask("preview", { duration }, { onTold });
    for (let index = 0; index * STEP_S < duration; index++) {
      const sought = event(video, "seeked");
      video.currentTime = index * STEP_S;
      await sought;
      context.drawImage(video, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      const frame = { index, time: index * STEP_S, picture: { data, width, height } };
      await device.ask("hand", { frame }, { transfer: [data.buffer] });
    }
    await device.ask("hand", { frame: null });
    return await answer;
  } finally {
    URL.revokeObjectURL(address);
  }
}

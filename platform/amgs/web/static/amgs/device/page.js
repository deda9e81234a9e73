// The page that scores a file on the reader's own device.

import { onFiles } from "../upload/chosen.js";
import { Device } from "./client.js";
import { drawResult } from "./draw.js";
import { drawFrames } from "./gallery.js";
import { previewPictures, scorePreview } from "./preview.js";
import { tellOffline } from "./ready.js";

const root = document.getElementById("device");
const show = (id, on = true) => (document.getElementById(id).hidden = !on);
const put = (id, text) => (document.getElementById(id).textContent = text);
let device = null;
let busy = false;

function progress({ frames, time, duration }, begun) {
  const share = duration ? Math.min(time / duration, 1) : 0;
  const left = share > 0.02 ? ((performance.now() - begun) / 1000) * (1 / share - 1) : null;
  document.getElementById("device-bar").value = share;
  const rest = left === null ? "" : `, about ${Math.max(1, Math.round(left))} s left`;
  put("device-told", `${frames} frames graded${rest}.`);
}

async function score(file) {
  busy = true;
  device ??= new Device(root.dataset.base);
  for (const id of ["device-result", "device-problem"]) show(id, false);
  show("device-progress");
  document.getElementById("device-bar").removeAttribute("value");
  put("device-told", "Loading the model …");
  const begun = performance.now();
  const onTold = (told) => progress(told, begun);
  try {
    const facts = await device.ask("facts");
    let answer = await device.ask("score", { file }, { onTold });
    const { preview = null } = answer;
    if (preview) answer = await scorePreview(device, file, preview, onTold);
    await drawResult(root, file, facts, answer, Boolean(preview));
    show("device-progress", false);
    const pictures = preview ? previewPictures : (given, wanted) => device.ask("pictures", { file: given, wanted });
    await drawFrames(file, facts, answer, pictures);
  } catch (problem) {
    if (problem.name !== "AbortError") {
      put("device-why", problem.sentence ?? `This file could not be scored on this device (${problem.message}). Try another browser or file, or send it to the server.`);
      show("device-problem");
    }
  } finally {
    show("device-progress", false);
    busy = false;
  }
}

if (root) {
  onFiles(document.getElementById("drop"), [document.getElementById("file")], ([{ file }]) => {
    if (file && !busy) score(file);
  });
  tellOffline(root.dataset.base);
  document.getElementById("device-cancel").addEventListener("click", () => {
    device?.close();
    device = null;
  });
}

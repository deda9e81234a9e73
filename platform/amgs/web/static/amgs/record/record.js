// Record on a phone: who and when, film, look, keep, next animal.

import { keepShell, offerInstall } from "../offline/app.js";
import { NotReached } from "../upload/api.js";
import { readable } from "../upload/chosen.js";
import { openCamera, recordClip } from "./camera.js";
import { Clips, extension, NoRoom, room } from "./clips.js";
import { show, summary } from "./list.js";
import { scan } from "./scan.js";
import { Viewfinder } from "./viewfinder.js";

const SPARE_BYTES = 80_000_000;

const root = document.getElementById("record");
const by = (id) => document.getElementById(id);
const [live, shot, told] = [by("live"), by("shot"), by("told")];
const [animal, time, length] = [by("animal"), by("time"), by("length")];
const viewfinder = new Viewfinder(live, by("marks"), by("viewfinder"));

let stream = null;
let recording = null;
let clip = null;
let search = null;
let lock = null;

// The page may come from the offline shell, as a stranger saw it: ask for it anew, so that what is
// sent is sent in the name of whoever is signed in.
async function freshen() {
  let answer;
  try {
    answer = await fetch("/record/", { cache: "no-store" });
  } catch {
    throw new NotReached("The site cannot be reached; this is tried again.");
  }
  if (!answer.ok) throw new NotReached("The site is not well; this is tried again.");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const name of ["hx-headers", "data-signed-in"]) {
    const value = page.body.getAttribute(name);
    if (value === null) document.body.removeAttribute(name);
    else document.body.setAttribute(name, value);
  }
}

const clips = new Clips(freshen);

function say(sentence, bad = false) {
  told.textContent = sentence;
  told.hidden = !sentence;
  told.classList.toggle("bad", bad);
}

// What can be pressed follows from the phase: off, ready, scanning, filming, looking, kept.
function phase(name) {
  root.dataset.phase = name;
  for (const part of root.querySelectorAll("[data-in]")) {
    part.hidden = !part.dataset.in.split(" ").includes(name);
  }
  for (const field of [animal, time, length]) field.disabled = name === "filming" || name === "looking";
}

async function on() {
  say("");
  try {
    stream = await openCamera();
  } catch (problem) {
    say(problem.message, true);
    return false;
  }
  for (const track of stream.getTracks()) track.addEventListener("ended", off);
  live.srcObject = stream;
  await live.play().catch(() => {});
  phase("ready");
  viewfinder.start();
  return true;
}

function off() {
  recording?.stop();
  viewfinder.stop();
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  live.srcObject = null;
  if (["ready", "scanning"].includes(root.dataset.phase)) phase("off");
}

function missing() {
  for (const [field, sentence] of [
    [animal, "Type the id of the animal first, or scan the card of its cage."],
    [time, "Say first which time point this is, such as baseline or 4 h."],
  ]) {
    const empty = !field.value.trim();
    field.setAttribute("aria-invalid", String(empty));
    if (empty) {
      field.focus();
      return sentence;
    }
  }
  return "";
}

async function film() {
  const sentence = missing();
  if (sentence) return say(sentence, true);
  if (!stream && !(await on())) return;
  say("");
  const left = await room();
  if (left !== null && left < SPARE_BYTES) {
    say(`This browser has room for only ${readable(left)} more: let what waits be sent, or save it as files, before you film many more.`, true);
  }
  lock = await navigator.wakeLock?.request("screen").catch(() => null);
  phase("filming");
  by("stop").focus();
  try {
    recording = recordClip(stream, Number(length.value), (seconds) => {
      by("left").textContent = `${seconds} s left`;
    });
    clip = await recording.done;
    shot.src = URL.createObjectURL(clip);
    phase("looking");
    by("keep").focus();
  } catch (problem) {
    phase(stream ? "ready" : "off");
    say(problem.message, true);
  } finally {
    recording = null;
    lock?.release();
  }
}

function drop() {
  clip = null;
  if (shot.src) URL.revokeObjectURL(shot.src);
  shot.removeAttribute("src");
  phase(stream ? "ready" : "off");
}

async function keep() {
  by("keep").disabled = true;
  try {
    await clips.keep(clip, { animal: animal.value.trim(), time: time.value.trim() });
    drop();
    phase("kept");
    say(`Kept: ${animal.value.trim()}, ${time.value.trim()}.`);
    by("next").focus();
  } catch (problem) {
    if (!(problem instanceof NoRoom)) throw problem;
    const save = document.createElement("a");
    save.href = shot.src;
    save.download = `${animal.value.trim()}, ${time.value.trim()}.${extension(clip.type)}`;
    save.textContent = "save it as a file";
    say("", true);
    told.hidden = false;
    told.append("This browser has no room to keep this clip. It is still here: let what waits be sent and press “Keep” again, or ", save, ".");
  } finally {
    by("keep").disabled = false;
  }
}

function next() {
  animal.value = "";
  say("");
  phase(stream ? "ready" : "off");
  animal.focus();
}

async function look() {
  if (!stream && !(await on())) return;
  phase("scanning");
  search = new AbortController();
  try {
    const text = await scan(live, root.dataset.reader, search.signal);
    if (text) {
      animal.value = text.slice(0, 80);
      say(`Read from the card: ${animal.value}. Correct it where it says more than the animal.`);
    } else if (!search.signal.aborted) say("No code was found; hold the card nearer, or type the id.", true);
  } catch (problem) {
    say(problem.message, true);
  }
  phase(stream ? "ready" : "off");
  animal.focus();
}

function refresh() {
  show(by("clips"), clips);
  by("summary").textContent = summary(clips);
  by("send-now").hidden = !clips.rows.some((row) => row.state === "waiting");
  by("offline").hidden = clips.connected;
  room().then((left) => {
    by("room").textContent = left === null ? "" : `Room for about ${readable(left)} more in this browser.`;
  });
}

if (root) {
  phase("off");
  keepShell();
  offerInstall(by("install"));
  for (const [id, act] of [["on", on], ["film", film], ["keep", keep], ["again", drop], ["next", next], ["scan", look]]) {
    by(id).addEventListener("click", act);
  }
  by("stop").addEventListener("click", () => recording?.stop());
  by("stop-scan").addEventListener("click", () => search?.abort());
  by("send-now").addEventListener("click", () => clips.again());
  by("once-more").addEventListener("click", () => phase(stream ? "ready" : "off"));
  // The lamp of the camera tells that it is used; a page that nobody sees has no use for it.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && root.dataset.phase !== "filming") off();
  });
  addEventListener("beforeunload", (event) => {
    if (["filming", "looking"].includes(root.dataset.phase)) event.preventDefault();
  });
  clips.addEventListener("change", refresh);
  clips.load().catch(() => say("This browser keeps nothing for pages (a private window?): use an ordinary window, so that no clip is lost.", true));
}

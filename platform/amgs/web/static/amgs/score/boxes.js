// One box per animal on the first frame of a video or on a photo; fields hold what boxes say.

const MOST_SIDE = 1600;

const details = document.getElementById("several");
const canvas = document.getElementById("boxes-canvas");
const list = document.getElementById("animals");
const told = document.getElementById("boxes-told");
const shown = document.getElementById("boxes");

let picture = null;
let scale = 1;
let start = null;

export function wanted() {
  return details.open;
}

function fields(item) {
  const [name, ...edges] = item.querySelectorAll("input");
  return { name, edges };
}

export function addAnimal(box = null) {
  const item = document.getElementById("animal").content.firstElementChild.cloneNode(true);
  const { name, edges } = fields(item);
  if (box) edges.forEach((edge, number) => (edge.value = box[number]));
  item.addEventListener("input", paint);
  item.querySelector(".remove").addEventListener("click", () => {
    item.remove();
    paint();
  });
  list.append(item);
  name.focus();
  paint();
}

// What the fields say: [{name, box}], or a sentence that says what is missing.
export function animals() {
  const found = [];
  const names = new Set();
  for (const item of list.children) {
    const { name, edges } = fields(item);
    const who = name.value.trim();
    const values = edges.map((edge) => edge.value.trim());
    if (!who || values.some((value) => !/^\d+$/.test(value))) {
      return { problem: "Give every animal a name and a box (all four edges), or remove it." };
    }
    if (names.has(who)) return { problem: `Two animals are called “${who}”; give each its own name.` };
    names.add(who);
    found.push({ name: who, box: values.map(Number) });
  }
  return found.length ? { found } : { problem: "Draw a box around each animal first." };
}

function paint() {
  if (!picture) return;
  const style = getComputedStyle(document.documentElement);
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  pen.lineWidth = Math.max(2, canvas.width / 300);
  pen.font = `${Math.max(14, canvas.width / 40)}px sans-serif`;
  [...list.children].forEach((item, number) => {
    const { name, edges } = fields(item);
    const [x0, y0, x1, y1] = edges.map((edge) => Number(edge.value) * scale);
    const ink = style.getPropertyValue(`--line-${(number % 5) + 1}`).trim();
    pen.strokeStyle = pen.fillStyle = ink;
    pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
    // On a ground of its own: ink alone is lost on fur and bedding.
    const who = name.value || String(number + 1);
    const size = Math.max(14, canvas.width / 40);
    const below = Math.max(y0, size * 1.4);
    pen.fillRect(x0, below - size * 1.4, pen.measureText(who).width + 8, size * 1.4);
    pen.fillStyle = "white";
    pen.fillText(who, x0 + 4, below - size * 0.35);
  });
}

function at(event) {
  const frame = canvas.getBoundingClientRect();
  const clamp = (value, most) => Math.min(Math.max(value, 0), most);
  return [
    clamp(((event.clientX - frame.left) / frame.width) * canvas.width, canvas.width),
    clamp(((event.clientY - frame.top) / frame.height) * canvas.height, canvas.height),
  ];
}

canvas?.addEventListener("pointerdown", (event) => {
  if (!picture) return;
  canvas.setPointerCapture(event.pointerId);
  start = at(event);
});
canvas?.addEventListener("pointermove", (event) => {
  if (!start) return;
  const [x, y] = at(event);
  paint();
  const pen = canvas.getContext("2d");
  pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--focus");
  pen.strokeRect(Math.min(x, start[0]), Math.min(y, start[1]), Math.abs(x - start[0]), Math.abs(y - start[1]));
});
canvas?.addEventListener("pointerup", (event) => {
  if (!start) return;
  const [x, y] = at(event);
  const [fromX, fromY] = start;
  start = null;
  if (Math.abs(x - fromX) < 8 || Math.abs(y - fromY) < 8) return paint();
  const box = [Math.min(x, fromX), Math.min(y, fromY), Math.max(x, fromX), Math.max(y, fromY)];
  addAnimal(box.map((edge) => Math.round(edge / scale)));
});

function firstFrame(file) {
  const address = URL.createObjectURL(file);
  return new Promise((resolve, reject) => {
    if (file.type.startsWith("image/")) {
      const image = new Image();
      image.onload = () => resolve([image, image.naturalWidth, image.naturalHeight]);
      image.onerror = reject;
      image.src = address;
      return;
    }
    const video = document.createElement("video");
    video.muted = video.playsInline = true;
    video.preload = "auto";
    video.onloadeddata = () => resolve([video, video.videoWidth, video.videoHeight]);
    video.onerror = reject;
    video.src = address;
  });
}

// Show the first frame of a file; boxes drawn on it become animals.
export async function show(file) {
  shown.hidden = false;
  document.getElementById("send-boxed").hidden = false;
  try {
    const [source, width, height] = await firstFrame(file);
    if (!width) throw new Error("no picture");
    scale = Math.min(1, MOST_SIDE / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    picture = source;
    told.textContent = `“${file.name}”: drag a box around each animal, type who it is, then score them.`;
    paint();
  } catch {
    picture = null;
    canvas.width = canvas.height = 0;
    told.textContent = `This browser cannot show “${file.name}”; add each animal by numbers.`;
    if (!list.children.length) addAnimal();
  }
}

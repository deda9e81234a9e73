// The frames the model is surest and least sure of, with their grades, below a result.

import { showMoment } from "./time.js";

let round = 0;
let addresses = [];

const made = (name, text, className = "") => {
  const element = document.createElement(name);
  element.textContent = text;
  element.className = className;
  return element;
};

function gradesOf(prediction, { units, reasons }) {
  const list = made("ul", "", "inline-list grades");
  prediction.grades.forEach(({ grade, reason, probabilities }, n) => {
    const item = document.createElement("li");
    item.append(made("span", grade ?? "–", `grade g${grade ?? "n"}`));
    const name = made("span", units[n].short, "small");
    if (grade === null && reason) name.append(made("span", `: ${reasons[reason]}`, "visually-hidden"));
    item.append(name);
    if (grade !== null) {
      const sure = made("span", "", "small soft sure");
      sure.append(made("span", "sure to ", "visually-hidden"), `${Math.round(100 * probabilities[grade])} %`);
      item.append(sure);
    }
    list.append(item);
  });
  return list;
}

function cardOf({ blob, width, height }, prediction, scale, isFilm) {
  const card = made("li", "", "card frame");
  const image = document.createElement("img");
  image.src = URL.createObjectURL(blob);
  addresses.push(image.src);
  Object.assign(image, { width, height, alt: `Frame at ${prediction.time.toFixed(1)} seconds with the face marked` });
  const line = made("p", "", "figures small");
  line.append(made("strong", prediction.score.toFixed(2)), ` at ${prediction.time.toFixed(1)} s `);
  if (isFilm) {
    const button = made("button", "show on the chart", "link small");
    button.type = "button";
    button.addEventListener("click", () => showMoment(prediction.time));
    line.append(button);
  }
  card.append(image, line, gradesOf(prediction, scale));
  return card;
}

// `pictures(file, wanted)` reads frames again; what it cannot read is left out.
export async function drawFrames(file, facts, { predictions, result }, pictures) {
  const mine = ++round;
  const section = document.getElementById("device-frames");
  const lists = { best: result.best, worst: result.worst };
  const times = Object.values(lists).flat().map(({ time_s: time }) => time);
  if (!times.length) return;
  const byTime = new Map(predictions.map((one) => [one.time, one]));
  const wanted = [...new Set(times)]
    .sort((one, other) => one - other)
    .map((time) => ({ time, box: byTime.get(time).face?.box, longSide: facts.shown.long_side }));
  const shots = await pictures(file, wanted).catch(() => []);
  // Another file was begun meanwhile.
  if (mine !== round || !shots.length) return;
  addresses.forEach((address) => URL.revokeObjectURL(address));
  addresses = [];
  const shotAt = new Map(wanted.map(({ time }, n) => [time, shots[n]]));
  for (const [name, frames] of Object.entries(lists)) {
    const cards = frames
      .filter(({ time_s: time }) => shotAt.get(time))
      .map(({ time_s: time }) => cardOf(shotAt.get(time), byTime.get(time), facts.scale, result.frames > 1));
    document.querySelector(`#device-${name} ul`).replaceChildren(...cards);
    document.getElementById(`device-${name}`).hidden = !cards.length;
  }
  section.hidden = false;
}

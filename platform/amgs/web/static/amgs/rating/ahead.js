// Frames fetched ahead with their pictures decoded, so that the next one is painted at once.

import { ask, NotReached } from "../upload/api.js";

const AGAIN_MS = 2000;

async function decoded(assignment) {
  const image = new Image();
  image.src = assignment.still;
  await image.decode().catch(() => {});
  if (assignment.clip) {
    const answer = await fetch(assignment.clip);
    if (answer.ok) assignment.film = URL.createObjectURL(await answer.blob());
  }
  return image;
}

// `others` gives the ids that are on the screen or on their way: the site must not hand them out.
export class Ahead {
  #held = [];
  #given = []; // the frame that was given out last: its taker may not have shown it yet
  #filling = null;
  #ended = false;

  // `told` hears how many frames are held.
  constructor(kind, deep, others, told = () => {}) {
    this.told = told;
    this.kind = kind;
    this.deep = deep;
    this.others = others;
    this.left = 0;
    addEventListener("online", () => this.fill());
  }

  get ids() {
    return this.#held.map((frame) => frame.id);
  }

  // The next frame, at once where one is held; null where none waits.
  async next() {
    for (;;) {
      const first = this.#held.shift();
      if (first) {
        this.#given = [first.id];
        this.told(this.#held.length);
        this.fill();
        return first;
      }
      if (this.#ended) {
        this.#ended = false;
        return null;
      }
      await this.fill();
    }
  }

  // Put a frame back before all others.
  back(frame) {
    this.#held.unshift(frame);
  }

  fill() {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  async #fill() {
    while (this.#held.length < this.deep) {
      const beside = [...this.ids, ...this.#given, ...this.others()].join(",");
      let told;
      try {
        told = await ask("GET", `rating/next?kind=${this.kind}&beside=${beside}`);
      } catch (problem) {
        if (!(problem instanceof NotReached)) throw problem;
        if (this.#held.length > 0) return;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        continue;
      }
      this.left = told.remaining;
      if (!told.assignment) {
        this.#ended = this.#held.length === 0;
        return;
      }
      await decoded(told.assignment);
      this.#held.push(told.assignment);
      this.told(this.#held.length);
    }
  }
}

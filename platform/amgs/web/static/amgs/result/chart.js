// The chart of a result: stretches with their intervals, every frame where one looks closely, what
// was not graded and why, and where the film is.

import { axis, colour, followWidth } from "../chart/theme.js";
import { gradeAt, nameAt, placeOf, thin } from "./columns.js";

const HEIGHT = 320;
const CLOSEST_S = 0.5;
const STRETCHES = 12; // in view, so few of them ask for the frames in between
const TAP_PX = 5;
const SETTLED_MS = 150;

export class Chart {
  // `keys` are the lines in their order: "score", then the units.
  constructor(uPlot, root, data, told) {
    this.root = root;
    this.data = data;
    this.told = told;
    this.keys = ["score", ...data.units.map((unit) => unit.key)];
    this.shown = new Set(this.keys);
    this.gated = true;
    this.frames = false;
    this.course = null;
    this.seek = () => {};
    const { bins } = data;
    this.begin = bins[0].t0;
    this.end = Math.max(bins.at(-1).t1, this.begin + 1); // a picture lasts no time
    this.from = this.begin;
    this.to = this.end;
    this.shaded = data.segments.filter((segment) => segment.reason);
    this.colours = Object.fromEntries(this.keys.map((key, index) => [key, colour(index ? `line-${index}` : "ink")]));
    const line = (key) => ({ stroke: this.colours[key], width: key === "score" ? 1.5 : 1, alpha: 0.75, points: { show: false }, spanGaps: false });
    this.plot = new uPlot(
      {
        width: Math.floor(root.clientWidth),
        height: HEIGHT,
        scales: { x: { time: false, auto: false, range: () => [this.from, this.to] }, y: { auto: false, range: [-0.05, 2.05] } },
        axes: [axis("seconds"), axis("grade", { size: 44, splits: [0, 0.5, 1, 1.5, 2] })],
        legend: { show: false },
        cursor: { drag: { setScale: false, x: false, y: false }, points: { show: false }, bind: { dblclick: () => null } },
        series: [{}, ...this.keys.map(line)],
        hooks: {
          drawClear: [() => this.#shade(), () => this.#bands()],
          draw: [() => this.#columns(), () => this.#stretches()],
        },
      },
      [[this.from, this.to], ...this.keys.map(() => [null, null])],
      root,
    );
    this.head = document.createElement("div");
    this.head.className = "playhead";
    this.head.hidden = true;
    this.plot.over.append(this.head);
    followWidth(this.plot, root, HEIGHT);
    this.#listen();
    this.draw();
  }

  // Draw once before the next picture of the screen, however often it is asked for.
  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      this.root.dataset.span = (this.to - this.from).toFixed(3);
      this.#fill();
      this.plot.setData(this.#values, false);
      this.plot.setScale("x", { min: this.from, max: this.to });
      this.#place();
    });
  }

  #values = null;
  #dense = null;

  #nothing() {
    return [[this.from, this.to], ...this.keys.map(() => [null, null])];
  }

  #fill() {
    this.#dense = null;
    const close = this.frames || this.to - this.from < STRETCHES * this.data.bin_s;
    if (!this.course || !close) {
      this.#values = this.#nothing();
      return;
    }
    const { columns } = this.course;
    const wanted = this.keys.map((key) => {
      if (!this.shown.has(key)) return null;
      return key === "score" && !this.gated ? columns.ungated : columns[key];
    });
    const width = Math.floor(this.plot.bbox.width / devicePixelRatio / (this.coarse ? 3 : 1));
    const found = thin(columns.time, wanted, this.from, this.to, Math.max(width, 50));
    if (found.dense) {
      this.#dense = found;
      this.#values = this.#nothing();
    } else {
      this.#values = found;
    }
  }

  // --- what is in view -------------------------------------------------------------------------
  view(from, to) {
    const whole = this.end - this.begin;
    const span = Math.min(Math.max(to - from, Math.min(CLOSEST_S, whole)), whole);
    const start = Math.min(Math.max(from, this.begin), this.end - span);
    this.from = start;
    this.to = start + span;
    // While it moves, half as many lines: nobody sees it, and a slow machine keeps up.
    this.coarse = true;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.coarse = false;
      this.draw();
    }, SETTLED_MS);
    this.draw();
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.view(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(share) {
    const step = share * (this.to - this.from);
    this.view(this.from + step, this.to + step);
  }

  whole() {
    this.view(this.begin, this.end);
  }

  isWhole() {
    return this.to - this.from >= (this.end - this.begin) * 0.999;
  }

  toggle(key) {
    if (!this.shown.delete(key)) this.shown.add(key);
    this.draw();
    return this.shown.has(key);
  }

  // --- where the film is -----------------------------------------------------------------------
  at(time, follow = false) {
    this.time = time;
    if (follow && (time < this.from || time > this.to)) {
      const span = this.to - this.from;
      this.view(time - 0.1 * span, time + 0.9 * span);
    }
    this.#place();
    this.say(time);
  }

  #place() {
    if (this.time === undefined) return;
    const left = this.plot.valToPos(this.time, "x");
    const inside = left >= 0 && left <= this.plot.over.clientWidth;
    this.head.hidden = !inside;
    this.head.style.transform = `translateX(${left}px)`;
  }

  // --- in words --------------------------------------------------------------------------------
  say(at) {
    const { bins, units } = this.data;
    const time = at + 1e-4; // players round the time of a frame down
    const bin = bins.find((one) => one.t0 <= time && time < one.t1) ?? (time >= bins.at(-1).t0 ? bins.at(-1) : bins[0]);
    const parts = [`${bin.t0.toFixed(1)}–${bin.t1.toFixed(1)} s`];
    if (this.shown.has("score")) parts.push(`score ${this.#figure(bin)}`);
    for (const unit of units) {
      if (this.shown.has(unit.key)) parts.push(`${unit.short} ${bin.units[unit.key]?.toFixed(2) ?? "–"}`);
    }
    this.told.textContent = `${parts.join(" · ")}. ${this.#frame(time)}`;
  }

  #figure(bin) {
    const value = this.gated ? bin.score : bin.ungated;
    if (value === null || value === undefined) return "–";
    if (!this.gated || !bin.interval) return value.toFixed(2);
    return `${value.toFixed(2)} (${bin.interval.map((end) => end.toFixed(2)).join(" to ")})`;
  }

  #frame(time) {
    const hit = this.shaded.find((row) => row.t0 <= time && time < row.t1);
    const why = hit ? ` Not graded: ${this.reason(hit).toLowerCase()}.` : "";
    if (!this.course) return why.trim();
    const place = this.frameAt(time);
    const { columns, states } = this.course;
    const score = gradeAt(columns.score, place);
    const state = nameAt(states, columns.state, place);
    const what = this.data.states[state] ?? state;
    return `Frame ${place}: ${score === null ? "no grade" : score.toFixed(2)}, ${what?.toLowerCase() ?? ""}.${why}`;
  }

  frameAt(time) {
    const column = this.course.columns.time;
    const place = Math.min(placeOf(column, time - 1e-3), column.length - 1);
    return Math.max(place, 0);
  }

  reason(segment) {
    const state = this.data.states[segment.state] ?? segment.state;
    const reason = this.data.reasons[segment.reason] ?? segment.reason;
    return this.data.excluded.includes(segment.state) || reason === state ? state : reason;
  }

  // --- drawing ---------------------------------------------------------------------------------
  #span(t0, t1) {
    const { bbox } = this.plot;
    const from = Math.max(this.plot.valToPos(t0, "x", true), bbox.left);
    const to = Math.min(this.plot.valToPos(t1, "x", true), bbox.left + bbox.width);
    return to > bbox.left && from < bbox.left + bbox.width ? [from, Math.max(to - from, 1)] : null;
  }

  #shade() {
    const { ctx, bbox } = this.plot;
    const size = 11 * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${size}px ${colour("face")}`;
    ctx.textAlign = "left"; // the axes were drawn with another one
    ctx.textBaseline = "alphabetic";
    let drawn = -1;
    for (const segment of this.shaded) {
      const span = this.#span(segment.t0, segment.t1);
      // A thousand short stretches in one pixel are one.
      if (!span || span[0] + span[1] <= drawn) continue;
      const [from, width] = span;
      drawn = from + width;
      ctx.globalAlpha = 0.5;
      ctx.fillStyle = colour("not-scorable");
      ctx.fillRect(from, bbox.top, width, bbox.height);
      if (this.data.excluded.includes(segment.state)) this.#hatch(from, width);
      const word = this.reason(segment);
      if (ctx.measureText(word).width + size < width) {
        ctx.globalAlpha = 1;
        ctx.fillStyle = colour("ink-soft");
        ctx.fillText(word, from + size / 2, bbox.top + 1.4 * size);
      }
    }
    ctx.restore();
  }

  #hatch(from, width) {
    const { ctx, bbox } = this.plot;
    const step = 9 * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(from, bbox.top, width, bbox.height);
    ctx.clip();
    ctx.globalAlpha = 0.55;
    ctx.strokeStyle = colour("line-strong");
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    for (let x = from - bbox.height - ((from - bbox.height) % step); x < from + width; x += step) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }

  // Measurement intervals under the lines: of all that is shown, while that can be told apart.
  #bands() {
    const { ctx } = this.plot;
    const keys = this.keys.filter((key) => this.shown.has(key));
    const banded = keys.length > 2 ? keys.filter((key) => key === "score") : keys;
    ctx.save();
    ctx.globalAlpha = 0.17;
    for (const key of banded) {
      if (key === "score" && !this.gated) continue;
      ctx.fillStyle = key === "score" ? colour("accent") : this.colours[key];
      for (const bin of this.data.bins) {
        const interval = key === "score" ? bin.interval : bin.unit_intervals?.[key];
        const span = interval && this.#span(bin.t0, bin.t1);
        if (!span) continue;
        const [low, high] = interval.map((end) => this.plot.valToPos(end, "y", true));
        ctx.fillRect(span[0], high, span[1], Math.max(low - high, 1));
      }
    }
    ctx.restore();
  }

  // More frames than pixels: upright boxes from the lowest to the highest, which a machine without a
  // graphics card fills many times faster than it strokes a line up and down.
  #columns() {
    if (!this.#dense) return;
    const { ctx, bbox } = this.plot;
    const [xs, ...ys] = this.#dense;
    const height = (value) => Math.round(this.plot.valToPos(value, "y", true));
    const left = xs.map((time) => Math.round(this.plot.valToPos(time, "x", true)));
    const right = bbox.left + bbox.width;
    ctx.save();
    [...ys.entries()].reverse().forEach(([index, column]) => {
      if (!this.shown.has(this.keys[index])) return;
      ctx.fillStyle = this.colours[this.keys[index]];
      ctx.globalAlpha = 0.55;
      for (let k = 0; k < xs.length; k += 2) {
        if (column[k] === null) continue;
        const from = Math.max(left[k], bbox.left);
        const to = Math.min(left[k + 2] ?? right, right);
        const top = height(column[k + 1]);
        if (to > from) ctx.fillRect(from, top, to - from, Math.max(height(column[k]) - top, devicePixelRatio));
      }
    });
    ctx.restore();
  }

  #stretches() {
    const { ctx, bbox } = this.plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const key of [...this.keys].reverse()) {
      if (!this.shown.has(key)) continue;
      const wide = key === "score" ? 2.5 : 1.25;
      ctx.strokeStyle = ctx.fillStyle = this.colours[key];
      ctx.lineWidth = wide * devicePixelRatio;
      ctx.beginPath();
      let pen = false;
      for (const bin of this.data.bins) {
        const value = key !== "score" ? bin.units[key] : this.gated ? bin.score : bin.ungated;
        if (value === null || value === undefined) {
          pen = false;
          continue;
        }
        const x = this.plot.valToPos((bin.t0 + bin.t1) / 2, "x", true);
        const y = this.plot.valToPos(value, "y", true);
        if (pen) ctx.lineTo(x, y);
        else ctx.moveTo(x, y);
        // One stretch alone between two gaps would else leave nothing to see.
        ctx.fillRect(x - ctx.lineWidth, y - ctx.lineWidth, 2 * ctx.lineWidth, 2 * ctx.lineWidth);
        pen = true;
      }
      ctx.stroke();
    }
    ctx.restore();
  }

  // --- hands -----------------------------------------------------------------------------------
  #listen() {
    const { over } = this.plot;
    const held = new Map();
    let moved = 0;
    const timeAt = (x) => this.plot.posToVal(x - over.getBoundingClientRect().left, "x");
    over.addEventListener(
      "wheel",
      (event) => {
        if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          event.preventDefault();
          this.pan(event.deltaX / over.clientWidth);
          return;
        }
        // The whole course is in view: let the page scroll on.
        if (event.deltaY > 0 && this.isWhole()) return;
        event.preventDefault();
        this.zoom(1.0015 ** event.deltaY, timeAt(event.clientX));
      },
      { passive: false },
    );
    over.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      over.setPointerCapture(event.pointerId);
      if (!held.size) moved = 0;
      held.set(event.pointerId, event.clientX);
    });
    over.addEventListener("pointermove", (event) => {
      if (!held.has(event.pointerId)) {
        if (this.time === undefined || event.pointerType === "mouse") this.say(timeAt(event.clientX));
        return;
      }
      const before = [...held.values()];
      const step = event.clientX - held.get(event.pointerId);
      held.set(event.pointerId, event.clientX);
      moved += Math.abs(step);
      if (moved < TAP_PX) return;
      const span = (this.to - this.from) / over.clientWidth;
      if (held.size === 1) {
        this.view(this.from - step * span, this.to - step * span);
      } else {
        const after = [...held.values()];
        const spread = (ends) => Math.max(Math.abs(ends[0] - ends[1]), 10);
        this.zoom(spread(before) / spread(after), timeAt((after[0] + after[1]) / 2));
      }
    });
    const let_go = (event) => {
      if (!held.delete(event.pointerId) || held.size) return;
      if (event.type === "pointerup" && moved < TAP_PX) this.seek(timeAt(event.clientX));
    };
    over.addEventListener("pointerup", let_go);
    over.addEventListener("pointercancel", let_go);
    over.addEventListener("dblclick", () => this.whole());
  }
}

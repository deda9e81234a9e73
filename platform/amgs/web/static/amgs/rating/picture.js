// Looking closer: zoom, moving and contrast of a still, which are kept with the grades because
// magnification biases agreement.

const ZOOMS = [1, 1.5, 2, 3, 4, 6];
const CONTRASTS = [1, 1.4, 2, 0.7];

export class Picture {
  constructor(image, told) {
    this.image = image;
    this.told = told;
    this.reset();
    image.addEventListener("pointerdown", (event) => this.#drag(event));
    image.addEventListener("dblclick", () => this.zoom(this.scale === 1 ? 2 : -9));
    image.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && this.scale === 1 && event.deltaY > 0) return;
        event.preventDefault();
        this.zoom(event.deltaY < 0 ? 1 : -1);
      },
      { passive: false },
    );
  }

  get viewing() {
    return { zoom: this.scale, contrast: this.contrast, width: this.image.clientWidth || 1 };
  }

  reset() {
    this.scale = 1;
    this.contrast = 1;
    this.x = 0;
    this.y = 0;
    this.#draw();
  }

  zoom(steps) {
    const at = ZOOMS.indexOf(this.scale) + steps;
    this.scale = ZOOMS[Math.min(Math.max(at, 0), ZOOMS.length - 1)];
    this.move(0, 0);
  }

  // Move the picture by shares of its size.
  move(dx, dy) {
    const most = (this.scale - 1) / 2;
    this.x = Math.min(Math.max(this.x + dx, -most), most);
    this.y = Math.min(Math.max(this.y + dy, -most), most);
    this.#draw();
  }

  turnContrast() {
    this.contrast = CONTRASTS[(CONTRASTS.indexOf(this.contrast) + 1) % CONTRASTS.length];
    this.#draw();
  }

  #drag(event) {
    if (this.scale === 1) return;
    event.preventDefault();
    let { clientX, clientY } = event;
    const { width, height } = this.image.parentElement.getBoundingClientRect();
    const drag = (moved) => {
      this.move((moved.clientX - clientX) / width, (moved.clientY - clientY) / height);
      ({ clientX, clientY } = moved);
    };
    this.image.setPointerCapture(event.pointerId);
    this.image.addEventListener("pointermove", drag);
    const end = () => this.image.removeEventListener("pointermove", drag);
    this.image.addEventListener("pointerup", end, { once: true });
    this.image.addEventListener("pointercancel", end, { once: true });
  }

  #draw() {
    const { style } = this.image;
    style.transform = `translate(${100 * this.x}%, ${100 * this.y}%) scale(${this.scale})`;
    style.filter = this.contrast === 1 ? "" : `contrast(${this.contrast})`;
    style.cursor = this.scale === 1 ? "zoom-in" : "grab";
    style.touchAction = this.scale === 1 ? "pan-y" : "none";
    const parts = [];
    if (this.scale !== 1) parts.push(`${this.scale} ×`);
    if (this.contrast !== 1) parts.push(`contrast ${this.contrast}`);
    this.told.textContent = parts.join(", ");
  }
}

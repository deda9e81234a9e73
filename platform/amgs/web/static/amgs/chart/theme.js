// What all charts share: colours and faces from the stylesheet, so that dark mode holds.

const style = getComputedStyle(document.documentElement);

export function colour(name) {
  return style.getPropertyValue(`--${name}`).trim();
}

export function axis(label, more = {}) {
  const face = `12px ${colour("face")}`;
  return {
    stroke: colour("ink-soft"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1, size: 4 },
    font: face,
    labelFont: face,
    label,
    labelSize: label ? 20 : 0,
    ...more,
  };
}

// Keep a chart as wide as its box without changing its height, so that nothing jumps.
export function followWidth(chart, box, height) {
  new ResizeObserver(() => {
    const width = Math.floor(box.clientWidth);
    if (width > 0 && width !== chart.width) chart.setSize({ width, height });
  }).observe(box);
}

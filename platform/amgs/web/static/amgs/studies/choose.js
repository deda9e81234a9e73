// Choose all scores of a page at once, and say how many are chosen.

const button = document.querySelector("button[data-choose]");
const said = document.getElementById("chosen-count");

if (button) {
  const boxes = [...document.querySelectorAll(`input[name="${button.dataset.choose}"]`)];
  const count = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    said.textContent = chosen ? `${chosen} chosen` : "";
    button.textContent = chosen === boxes.length ? "Choose none" : "Choose all of these";
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const all = boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = !all;
    count();
  });
  for (const box of boxes) box.addEventListener("change", count);
  count();
}

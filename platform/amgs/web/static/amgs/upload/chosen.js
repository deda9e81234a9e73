// The list of chosen files: dropping, choosing, progress and what was told of each.

export function onFiles(drop, input, take) {
  const chosen = () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) take(files);
  };
  input.addEventListener("change", chosen);
  chosen(); // whoever was faster than this script
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}

export function readable(bytes) {
  let size = bytes;
  for (const unit of ["bytes", "kB", "MB"]) {
    if (size < 1000) return `${size.toFixed(0)} ${unit}`;
    size /= 1000;
  }
  return `${size.toFixed(1)} GB`;
}

export function entry(list, file) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = file.name;
  const size = document.createElement("span");
  size.className = "soft small figures";
  size.textContent = readable(file.size);
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.hidden = true;
  bar.setAttribute("aria-label", `Progress of ${file.name}`);
  const told = document.createElement("p");
  told.className = "told";
  item.append(name, size, bar, told);
  list.append(item);
  return {
    item,
    name,
    progress(fraction) {
      bar.hidden = false;
      bar.value = fraction;
    },
    tell(sentence, bad = false) {
      told.textContent = sentence;
      told.classList.toggle("bad", bad);
    },
  };
}

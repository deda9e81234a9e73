// The list of chosen files: dropping and choosing files and folders, progress, what was told.

// Call `take` with `{file, name}`s; the name of a file from a folder tells where in it the file is.
export function onFiles(drop, inputs, take) {
  for (const input of inputs) {
    const chosen = () => {
      const files = [...input.files].map((file) => ({ file, name: inside(file.webkitRelativePath || file.name) }));
      input.value = "";
      if (files.length) take(files);
    };
    input.addEventListener("change", chosen);
    chosen(); // whoever was faster than this script
  }
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const files = await dropped(event.dataTransfer);
    if (files.length) take(files);
  });
}

// The chosen folder itself is no part of a name: the command line names files likewise.
function inside(path) {
  return path.includes("/") ? path.slice(path.indexOf("/") + 1) : path;
}

async function dropped(transfer) {
  // Entries are only there until the event is over, so all are taken before anything is awaited.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, name: inside(entry.fullPath.slice(1)) });
    return;
  }
  const reader = entry.createReader();
  const next = () => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
  // A reader hands out some entries at a time and none at the end.
  for (let some = await next(); some.length; some = await next()) {
    for (const one of some) await walk(one, found);
  }
}

export function readable(bytes) {
  let size = bytes;
  for (const unit of ["bytes", "kB", "MB"]) {
    if (size < 1000) return `${size.toFixed(0)} ${unit}`;
    size /= 1000;
  }
  return `${size.toFixed(1)} GB`;
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// One line of the list; `onRemove` gives it a button that takes the file out again.
export function entry(list, { file, name }, onRemove) {
  const item = document.createElement("li");
  const title = element("span", "name", name);
  const size = element("span", "soft small figures", readable(file.size));
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.hidden = true;
  bar.setAttribute("aria-label", `Progress of ${name}`);
  const told = element("p", "told");
  item.append(title, size, bar, told);
  let remove;
  if (onRemove) {
    remove = element("button", "quiet small remove", "Leave out");
    remove.type = "button";
    remove.setAttribute("aria-label", `Leave ${name} out`);
    remove.addEventListener("click", () => {
      item.remove();
      onRemove();
    });
    size.after(remove);
  }
  list.append(item);
  return {
    item,
    name: title,
    progress(fraction) {
      bar.hidden = false;
      bar.value = fraction;
      size.textContent = fraction < 1 ? `${readable(fraction * file.size)} of ${readable(file.size)}` : readable(file.size);
    },
    busy(on) {
      if (remove) remove.hidden = on;
    },
    tell(sentence, bad = false) {
      told.textContent = sentence;
      told.classList.toggle("bad", bad);
    },
  };
}

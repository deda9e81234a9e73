// The inbox by keyboard: j and k move, Enter opens, e marks as read or unread.

const lines = [...document.querySelectorAll("#lines > li")];

function link(line) {
  return line.querySelector("a");
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = lines.findIndex((line) => line.contains(document.activeElement));
  const key = event.key.toLowerCase();
  if (key === "j" || key === "k") {
    const next = lines[at < 0 ? 0 : at + (key === "j" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    link(next).focus();
    next.scrollIntoView({ block: "nearest" });
  } else if (key === "e" && at >= 0) {
    event.preventDefault();
    lines[at].querySelector("form button").click();
  }
});

// The list of kept clips: what waits, what was sent, what the site would not take.

import { readable } from "../upload/chosen.js";
import { extension } from "./clips.js";

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}

function button(text, label, act) {
  const made = element("button", "quiet small", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function stateOf(row, connected) {
  if (row.state === "sent") return ["state good", "Sent"];
  if (row.state === "refused") return ["state bad", "Not taken"];
  if (row.share > 0 && row.share < 1 && connected) return ["state live", `${Math.floor(100 * row.share)} % sent`];
  return ["state warn", connected ? "Waits for its turn" : "Waits for a connection"];
}

function line(row, clips) {
  const who = `${row.animal}, ${row.time}`;
  const item = element("li", "clip");
  item.dataset.state = row.state;
  const [className, words] = stateOf(row, clips.connected);
  const at = new Date(row.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  item.append(element("p", "name", element("strong", "", who), " ", element("span", className, words)));
  item.append(element("p", "small soft figures", `${at}, ${readable(row.size)}`));
  if (row.sentence) item.append(element("p", row.state === "refused" ? "small wrong-text" : "small", row.sentence));
  const acts = element("p", "row-actions");
  if (row.state === "sent") {
    const link = element("a", "", "See its score");
    link.href = `/score/${row.token}/`;
    link.setAttribute("aria-label", `See its score: ${who}`);
    acts.append(link, button("Take off the list", `Take off the list: ${who}`, () => clips.forget(row.id)));
  } else {
    const save = element("a", "", "Save as a file");
    save.href = URL.createObjectURL(row.blob);
    save.download = `${who}.${extension(row.type)}`;
    save.setAttribute("aria-label", `Save as a file: ${who}`);
    acts.append(save);
    if (row.state === "refused") {
      acts.append(button("Try again", `Try again: ${who}`, () => clips.retry(row.id)));
      acts.append(
        button("Delete", `Delete: ${who}`, () => {
          if (confirm(`Delete the clip of ${who}? It was not sent and cannot be brought back.`)) clips.forget(row.id);
        }),
      );
    }
  }
  item.append(acts);
  return item;
}

// What is the same as before is left as it is: people may be about to press something in it.
export function show(list, clips) {
  const rows = clips.rows.toReversed();
  for (const old of [...list.children]) {
    if (!rows.some((row) => row.id === old.dataset.id)) free(old);
  }
  rows.forEach((row, place) => {
    const face = JSON.stringify([row.state, row.sentence, stateOf(row, clips.connected)]);
    const old = [...list.children].find((one) => one.dataset.id === row.id);
    if (old?.dataset.face === face) return;
    const made = line(row, clips);
    Object.assign(made.dataset, { id: row.id, face });
    if (old) {
      old.after(made);
      free(old);
    } else list.insertBefore(made, list.children[place] ?? null);
  });
}

function free(item) {
  const save = item.querySelector("a[download]");
  if (save) URL.revokeObjectURL(save.href);
  item.remove();
}

export function summary(clips) {
  const count = (state) => clips.rows.filter((row) => row.state === state).length;
  const [waiting, sent, refused] = ["waiting", "sent", "refused"].map(count);
  if (!clips.rows.length) return "Nothing kept yet.";
  const parts = [];
  if (waiting) parts.push(`${waiting} ${waiting === 1 ? "waits" : "wait"}${clips.connected ? "" : " for a connection; they are sent by themselves, also when this page is opened again later"}`);
  if (sent) parts.push(`${sent} sent`);
  if (refused) parts.push(`${refused} not taken`);
  return `${parts.join(", ")}.`;
}

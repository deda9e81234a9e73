// Send the chosen files one after the other, then let `after` add each to the version.

import { Refusal, sendFile } from "../upload/upload.js";

export async function sendAll(rows, { form, purpose, after, told }) {
  let done = 0;
  for (const row of rows) {
    try {
      const upload = await sendFile(row.file, {
        purpose,
        target: form.dataset.version,
        lab: form.dataset.lab,
        told: (share) => row.shown.progress(share),
      });
      await after(upload, row);
      row.sent = true;
      row.shown.item.remove();
      done += 1;
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
      row.shown.tell(problem.message, true);
    }
    told(`${done} of ${rows.length} sent`);
  }
  return done;
}

export function refresh(id, address) {
  globalThis.htmx.ajax("GET", address, { target: `#${id}`, swap: "outerHTML" });
}

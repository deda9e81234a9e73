// The upload protocol in the browser: open, ask for addresses, PUT the parts, complete.

const LANES = 3;
const BATCH = 16;
const TRIES = 3;

export class Refusal extends Error {}

function token() {
  return JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

export async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(`/api/${path}`, {
      method,
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": token() },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refusal("The site cannot be reached; check the connection and send again.");
  }
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(told.detail ?? "The site did not answer as it should; try again.");
  return told;
}

// XMLHttpRequest, not fetch: it alone tells how much of a part has left the machine.
function put(url, blob, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onload = () =>
      request.status < 300 ? resolve() : reject(new Refusal(`The storage refused a part (${request.status}).`));
    request.onerror = () => reject(new Refusal("The connection broke while the file was being sent."));
    request.send(blob);
  });
}

async function sendPart(file, upload, address, onSent) {
  const start = (address.part - 1) * upload.part_size;
  const piece = file.slice(start, start + upload.part_size);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await put(address.url, piece, onSent);
      onSent(piece.size);
      return;
    } catch (problem) {
      if (attempt === TRIES) throw problem;
      onSent(0);
    }
  }
}

// Send one file; `told(fraction)` is called as it goes. Returns the completed upload.
export async function sendFile(file, { purpose, target = "", lab = "", told = () => {} }) {
  const upload = await ask("POST", "uploads", { name: file.name, size: file.size, purpose, target, lab });
  const sent = new Map();
  const count = () => told([...sent.values()].reduce((sum, size) => sum + size, 0) / Math.max(file.size, 1));
  for (let first = 1; first <= upload.part_count; first += BATCH) {
    const last = Math.min(first + BATCH - 1, upload.part_count);
    const parts = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const { addresses } = await ask("POST", `uploads/${upload.id}/addresses`, { parts });
    const waiting = [...addresses];
    const lane = async () => {
      for (let address = waiting.shift(); address; address = waiting.shift()) {
        const { part } = address;
        await sendPart(file, upload, address, (bytes) => {
          sent.set(part, bytes);
          count();
        });
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }
  await ask("POST", `uploads/${upload.id}/complete`, {});
  told(1);
  return upload;
}

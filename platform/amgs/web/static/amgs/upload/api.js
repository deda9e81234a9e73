// Questions to the site's API, and its refusals as sentences.

export class Refusal extends Error {
  constructor(sentence, told = {}, status = 0) {
    super(sentence);
    this.field = told.field;
    this.details = told.details ?? [];
    this.status = status;
  }
}

// The site was not reached, or was not well: the same question may be answered later.
export class NotReached extends Refusal {}

function token() {
  return JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

export function isSignedIn() {
  return document.body.hasAttribute("data-signed-in");
}

export async function ask(method, path, body, more = {}) {
  let answer;
  try {
    answer = await fetch(`/api/${path}`, {
      method,
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": token(), ...more },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new NotReached("The site cannot be reached; check the connection and send again.");
  }
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => null);
  if (answer.ok && told !== null) return told;
  // Of an answer that broke off nobody knows what it said.
  if (answer.ok) throw new NotReached("The connection broke; check it and send again.");
  const sentence = told?.detail ?? "The site did not answer as it should; try again.";
  const later = answer.status >= 500 || answer.status === 429;
  throw new (later ? NotReached : Refusal)(sentence, told ?? {}, answer.status);
}

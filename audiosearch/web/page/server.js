// What is asked of the server, and what is said meanwhile. No text of a tag is ever taken for HTML.

export const $ = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export function say(text, failed = false) {
  $("status").textContent = text;
  $("status").className = failed ? "failed" : "";
}

/** Ask for something under /api, with the key where one is needed. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/api/${path}`, options);
  } catch {
    throw new Error("The server does not answer: is it still running?");
  }
  if (response.status === 401 && (await openWithKey())) return ask(path, options);
  if (!response.ok) {
    const problem = await response.json().catch(() => ({ error: response.statusText, hint: "" }));
    const sentence = problem.error.replace(/[^.]$/, "$&.");
    throw new Error(`${sentence[0].toUpperCase()}${sentence.slice(1)} ${problem.hint}`.trim());
  }
  return response;
}

export const json = async (path, options) => (await ask(path, options)).json();
export const sent = (value) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

async function openWithKey() {
  const dialog = $("key");
  $("key-wrong").hidden = true;
  for (;;) {
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
    await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
    if (dialog.returnValue !== "open") return false;
    const headers = { "X-API-Key": $("key-text").value };
    const opened = await fetch("/api/session", { method: "POST", headers }).catch(() => ({ ok: false }));
    if (opened.ok) return true;
    $("key-wrong").hidden = false;
  }
}

let nBusy = 0;

/** Do something that takes a while, and say what became of it. */
export async function busy(text, work) {
  say(text);
  nBusy += 1;
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (problem) {
    say(problem.message, true);
  } finally {
    nBusy -= 1;
    if (!nBusy) document.body.removeAttribute("aria-busy");
  }
}

/** Return what tells whether nothing of the same kind was begun after this. */
export function latest() {
  let newest = 0;
  return () => {
    const own = ++newest;
    return () => own === newest;
  };
}

// Addresses of what the page shows: "#find?words=rain", "#playlist?seeds=3", "#map?track=9".
//
// The part after # never reaches the server or other sites.

const VIEWS = ["find", "playlist", "map"];
const SCROLL_PAUSE_MS = 150;

const listeners = new Map();

/** Return the view and the parameters of an address such as "#find?words=rain". */
export function parseAddress(hash = location.hash) {
  const [view, query] = hash.replace(/^#/, "").split(/\?(.*)/s);
  return { view: VIEWS.includes(view) ? view : VIEWS[0], parameters: new URLSearchParams(query ?? "") };
}

/** Return the address of a view, for a link. */
export function addressOf(view, parameters = new URLSearchParams()) {
  const query = String(parameters);
  return query ? `#${view}?${query}` : `#${view}`;
}

/** Register a function that shows a view; it gets the address's parameters each time they change. */
export const onAddress = (view, show) => listeners.set(view, show);

/**
 * Show an address.
 *
 * @param isReplaced whether the browser's Back button skips the address shown before
 */
export function go(view, parameters, { isReplaced = false } = {}) {
  write(addressOf(view, parameters), isReplaced);
  showAddress();
}

/** Show a view as it was shown last. */
export const goBackTo = (view) => go(view, parseAddress(linkOf(view).hash).parameters);

/** Change the address of a view that shows it already. While another view is shown, only the link to it changes. */
export function setAddress(view, parameters, { isReplaced = true } = {}) {
  const address = addressOf(view, parameters);
  linkOf(view).href = address;
  if (parseAddress().view === view) write(address, isReplaced);
}

function write(address, isReplaced) {
  if (address !== location.hash) history[isReplaced ? "replaceState" : "pushState"](null, "", address);
}

const linkOf = (view) => document.querySelector(`nav a[data-view="${view}"]`);

// Each view keeps its position, and so does each entry of the browser's history.

history.scrollRestoration = "manual";
const positions = new Map(); // of the views
let scrollTimer = 0;

addEventListener("scroll", () => {
  stopTimer();
  scrollTimer = setTimeout(keepPosition, SCROLL_PAUSE_MS);
});

// Before a link leads away
addEventListener("click", () => scrollTimer && keepPosition(), { capture: true });

function keepPosition() {
  stopTimer();
  keepInEntry({ scrollY });
}

function stopTimer() {
  clearTimeout(scrollTimer);
  scrollTimer = 0;
}

/** Keep facts about what the current entry of the browser's history shows, such as {nRows}. */
export const keepInEntry = (facts) => history.replaceState({ ...history.state, ...facts }, "");

/** Return what is kept of the current entry of the history; {scrollY} too, once the page has been scrolled. */
export const keptInEntry = () => history.state ?? {};

/** Show the view that the address names, or else the first one. */
export function showAddress() {
  stopTimer();
  const { view, parameters } = parseAddress();
  const isOther = document.body.dataset.view !== view;
  if (isOther) positions.set(document.body.dataset.view, scrollY);
  for (const name of VIEWS) {
    document.getElementById(name).hidden = name !== view;
    if (name === view) linkOf(name).setAttribute("aria-current", "page");
    else linkOf(name).removeAttribute("aria-current");
  }
  document.body.dataset.view = view;
  if (isOther) scrollTo(0, positions.get(view) ?? 0);
  linkOf(view).href = addressOf(view, parameters); // the way back from another view
  listeners.get(view)?.(parameters);
}

addEventListener("hashchange", showAddress);

// Dragging rows of a list to another position, with a mouse, a pen or a finger.

const THRESHOLD_PX = 6; // a pointer that moves less has clicked
const EDGE_PX = 90; // the page scrolls while a row is this close to its upper or lower edge
const MAX_SCROLL_PX = 14; // per drawn frame

/**
 * Let the rows of a list be dragged: by their grips, and with a mouse anywhere outside their buttons.
 *
 * @param onMove function that gets the old and the new position
 */
export function makeDraggable(list, onMove) {
  list.addEventListener("pointerdown", (event) => {
    const row = event.target.closest(".row");
    const isGrip = event.target.closest(".grip") !== null;
    if (!row || event.button || !event.isPrimary) return;
    if (isGrip || (event.pointerType === "mouse" && !event.target.closest("button, a"))) waitForDrag(list, row, event, onMove);
  });
}

function waitForDrag(list, row, { pageY, clientY, pointerId }, onMove) {
  const controller = new AbortController();
  const rows = [...list.children];
  const from = rows.indexOf(row);
  const drag = { list, row, rows, from, to: from, startY: pageY, firstClientY: clientY, clientY, isStarted: false };
  const listen = (name, handle) => {
    const handleOwn = (event) => (event.pointerId ?? pointerId) === pointerId && handle(event); // keys have no pointer
    addEventListener(name, handleOwn, { signal: controller.signal, capture: true });
  };
  const finish = (isMoved) => {
    controller.abort();
    if (!drag.isStarted) return;
    drag.isStarted = false;
    list.classList.remove("is-sorting");
    row.classList.remove("is-dragged");
    for (const moved of rows) moved.style.transform = "";
    const isSameList = list.children[from] === row && list.children.length === rows.length;
    if (isMoved && isSameList && drag.to !== from) onMove(from, drag.to);
  };
  listen("pointermove", (event) => {
    drag.clientY = event.clientY;
    if (!drag.isStarted && Math.abs(event.pageY - pageY) < THRESHOLD_PX) return;
    if (!drag.isStarted) start(drag);
    place(drag);
  });
  listen("pointerup", () => finish(true));
  listen("pointercancel", () => finish(false));
  listen("keydown", (event) => {
    if (event.key !== "Escape" || !drag.isStarted) return;
    event.stopPropagation();
    finish(false);
  });
}

function start(drag) {
  drag.isStarted = true;
  drag.height = drag.row.getBoundingClientRect().height;
  drag.list.classList.add("is-sorting");
  drag.row.classList.add("is-dragged");
  getSelection().removeAllRanges();
  requestAnimationFrame(() => scrollAtEdge(drag));
}

/** Move the dragged row under the pointer, and those that it passes out of its way. */
function place(drag) {
  const { rows, row, from, height } = drag;
  const limit = (steps) => Math.max(-from, Math.min(rows.length - 1 - from, steps));
  const offset = limit((drag.clientY + scrollY - drag.startY) / height) * height;
  drag.to = from + Math.round(offset / height);
  row.style.transform = `translateY(${offset}px)`;
  rows.forEach((other, index) => {
    if (other === row) return;
    const isPassed = Math.min(from, drag.to) <= index && index <= Math.max(from, drag.to);
    other.style.transform = isPassed ? `translateY(${drag.to > from ? -height : height}px)` : "";
  });
}

function scrollAtEdge(drag) {
  if (!drag.isStarted) return;
  const style = getComputedStyle(document.documentElement);
  const paddingOf = (side) => Number.parseFloat(style[`scrollPadding${side}`]) || 0;
  const [upper, lower] = [paddingOf("Top"), innerHeight - paddingOf("Bottom")];
  const depth = Math.max(0, drag.clientY - (lower - EDGE_PX)) - Math.max(0, upper + EDGE_PX - drag.clientY);
  if (depth * (drag.clientY - drag.firstClientY) > 0) {
    scrollBy(0, Math.max(-1, Math.min(1, depth / EDGE_PX)) * MAX_SCROLL_PX);
    place(drag);
  }
  requestAnimationFrame(() => scrollAtEdge(drag));
}

// Changes that can be undone, one after another.

import { showStatus } from "../common/status.js";
import { change } from "./store.js";

const MAX_STEPS = 100;

const steps = []; // {text, undo}
let running = Promise.resolve();

/**
 * Show what was done, and let it be undone.
 *
 * @param text such as "Removed Yesterday."
 * @param undo function that takes it back; it may be asynchronous
 */
export function addStep(text, undo) {
  keep({ text, undo });
  showStatus(text, false, { text: "Undo", run: undoStep });
}

function keep(step) {
  steps.push(step);
  if (steps.length > MAX_STEPS) steps.shift();
  change();
}

/** Run a task that never fails after those that run, so that undoing and saving don't get in each other's way. */
export const inTurn = (task) => (running = running.then(task));

/** Undo the last step. */
export const undoStep = () => inTurn(undoLast);

async function undoLast() {
  const step = steps.pop();
  if (!step) return;
  try {
    await step.undo();
    showStatus(`Undone: ${step.text}`);
  } catch (error) {
    const tryAgain = () => {
      keep(step);
      undoStep();
    };
    showStatus(error.message, true, { text: "Try again", run: tryAgain });
  }
  change();
}

/** Return the text of the step that is undone next, or null. */
export const nextUndo = () => steps.at(-1)?.text ?? null;

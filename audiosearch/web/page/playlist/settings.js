// The settings of the form as parameters of an address: the seeds, and what differs from the defaults.

import { byId } from "../common/dom.js";
import { LIST_NAMES, setValues, valuesOf } from "./fields.js";
import { applyRules } from "./rules.js";
import { setSkipped, skippedNames } from "./skipped.js";
import { playlist } from "./store.js";

export const form = byId("playlist-form");

const settings = () => [...form.elements].filter((field) => field.name && field.type !== "file");
const isChosen = (field) => field.type !== "radio" || field.checked;
const valueOf = (field) => (field.type === "checkbox" ? (field.checked ? "yes" : "no") : field.value);

function defaultOf(field) {
  if (field.type === "checkbox") return field.defaultChecked ? "yes" : "no";
  if (field.type === "radio") return [...form.elements[field.name]].find((other) => other.defaultChecked).value;
  return field.tagName === "SELECT" ? "" : field.defaultValue;
}

/** Return the parameters of the form as text. Those that others switch off are not among them. */
export function readSettings(seeds = playlist.seeds) {
  const parameters = new URLSearchParams(seeds.map(({ id }) => ["track", id]));
  const isChanged = (field) => !field.disabled && isChosen(field) && valueOf(field) !== defaultOf(field);
  for (const field of settings().filter(isChanged)) parameters.set(field.name, valueOf(field));
  for (const name of LIST_NAMES) for (const value of valuesOf(name)) parameters.append(name, value);
  for (const name of skippedNames()) parameters.append("skip", name);
  return String(parameters);
}

/** Fill in the form, but for the seeds. */
export function fillForm(parameters) {
  for (const field of settings()) {
    const value = parameters.get(field.name) ?? defaultOf(field);
    if (field.type === "radio") field.checked = field.value === value;
    else if (field.type === "checkbox") field.checked = value === "yes";
    else field.value = value;
  }
  for (const name of ["kind", "unit"]) if (!form.elements[name].value) form.elements[name][0].checked = true;
  for (const name of LIST_NAMES) setValues(name, parameters.getAll(name));
  setSkipped(parameters.getAll("skip"));
  applyRules();
}

/** Return how many settings under "Advanced" differ from the defaults. */
export function countAdvanced() {
  const names = new Set(new URLSearchParams(readSettings([])).keys());
  return [...names].filter((name) => !["kind", "unit", "n", "minutes"].includes(name)).length;
}

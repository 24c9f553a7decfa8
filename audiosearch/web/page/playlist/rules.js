// Problems of the settings, shown beside their fields, and settings that switch each other off.

import { loadDefaults } from "../common/defaults.js";
import { byId } from "../common/dom.js";
import { parseRange } from "../common/format.js";
import { RANGE_NAMES } from "./fields.js";
import { playlist } from "./store.js";

const KINDS = {
  similar: "Tracks that sound most like the starting tracks.",
  drift: "Each track sounds like the one before it.",
  journey: "Even steps from the first starting track to the last one.",
};
const NOT_IN_JOURNEYS = {
  diversity: "A journey takes even steps.", vary: "A journey is the same each time.", random_seed: "A journey is the same each time.",
  seeds: "A journey always includes them.", whiten: "A journey doesn't use it.",
};
const MIN_SEEDS = 2; // of a journey

let limits = { max_seeds: Infinity, max_waypoints: Infinity };
loadDefaults().then((defaults) => (limits = defaults), () => {}); // page.js reports the error

const { elements: fields } = byId("playlist-form");

const isJourney = () => fields.kind.value === "journey";

/** Switch settings off that have no effect with the others, and show problems of the rest. */
export function applyRules() {
  byId("kind-help").textContent = KINDS[fields.kind.value];
  byId("swap-seeds").hidden = !isJourney() || playlist.seeds.length < MIN_SEEDS;
  byId("seeds").classList.toggle("is-journey", isJourney());
  for (const [name, reason] of Object.entries(NOT_IN_JOURNEYS)) setEnabled(name, !isJourney(), reason);
  setEnabled("artist_gap", fields.max_per_artist.value !== "1", "Each artist comes only once.");
  for (const [unit, name] of [["tracks", "n"], ["minutes", "minutes"]]) {
    const isUsed = fields.unit.value === unit;
    [fields[name].hidden, fields[name].disabled] = [!isUsed, !isUsed];
  }
  showProblems();
}

function setEnabled(name, isEnabled, reason) {
  fields[name].disabled = !isEnabled;
  const help = byId(`playlist-${name}-help`);
  help.textContent = isEnabled ? help.dataset.text : reason;
  help.closest(".setting").classList.toggle("is-off", !isEnabled);
}

/** A random seed varies the playlist; a playlist that doesn't vary has no random seed. */
export function followInput({ name }) {
  if (name === "random_seed" && fields.random_seed.value) fields.vary.checked = true;
  if (name === "vary" && !fields.vary.checked) fields.random_seed.value = "";
}

// Problems

function problemOf(field) {
  if (field.disabled) return "";
  if (RANGE_NAMES.includes(field.name)) {
    if (parseRange(field.value) !== null) return "";
    return field.name.endsWith("year") ? "Enter years like 1990-1999." : "Enter a length like 1:00-5:00.";
  }
  if (field.type !== "number" || field.validity.valid) return "";
  const [min, max] = [field.min, field.max].map((limit) => Number(limit).toLocaleString("en"));
  const number = field.step === "any" ? "a number" : "a whole number";
  const hasMax = field.max && Number(field.max) < Number.MAX_SAFE_INTEGER;
  return hasMax ? `Enter ${number} from ${min} to ${max}.` : `Enter ${number}, ${min} or more.`;
}

function problemOfSeeds() {
  const nSeeds = playlist.seeds.length;
  if (isJourney()) return problemOfJourney(nSeeds);
  return nSeeds > limits.max_seeds ? `A playlist takes at most ${limits.max_seeds} starting tracks. Remove some.` : "";
}

function problemOfJourney(nSeeds) {
  const maxSeeds = limits.max_waypoints + MIN_SEEDS;
  const nTracks = fields.unit.value === "tracks" && fields.n.value ? Number(fields.n.value) : Infinity;
  if (nSeeds === 1) return "A journey needs at least two starting tracks. Add another one.";
  if (nSeeds > maxSeeds) return `A journey takes at most ${maxSeeds} starting tracks. Remove some.`;
  return nSeeds > nTracks ? "A journey has at least as many tracks as starting tracks. Make it longer." : "";
}

function showProblem(field, target, problem) {
  field.setAttribute("aria-invalid", String(Boolean(problem)));
  if (target.textContent !== problem) target.textContent = problem;
  target.hidden = !problem;
}

function showProblems() {
  for (const field of fields) {
    const target = field.name && byId(`playlist-${field.name}-problem`);
    if (target) showProblem(field, target, problemOf(field));
  }
  showProblem(byId("playlist-n"), byId("length-problem"), problemOf(fields.n) || problemOf(fields.minutes));
  byId("playlist-minutes").setAttribute("aria-invalid", String(Boolean(problemOf(fields.minutes))));
  showProblem(byId("add-seed"), byId("seeds-problem"), problemOfSeeds());
}

/** Return the first field with a problem, or null. Without seeds it is the one that adds them. */
export function firstProblem() {
  if (!playlist.seeds.length) showProblem(byId("add-seed"), byId("seeds-problem"), "Add a track that the playlist should sound like.");
  return byId("playlist-form").querySelector("[aria-invalid=true]:not(:disabled)");
}

// The settings under "Advanced": each a field with its label and a line of help.

import { byId, createChip, createElement } from "../common/dom.js";
import { suggest } from "../common/suggestions.js";

const number = (name, label, help, properties = {}) => ({
  name, label, help, type: "number", min: "1", step: "1", data: { max: "max_playlist_tracks" }, ...properties,
});

const GROUPS = {
  Variety: [
    {
      name: "diversity", label: "Diversity", help: "Further right, the tracks differ more from each other.",
      type: "range", min: "0", max: "1", step: "0.05", data: { value: "diversity" },
    },
    { name: "vary", label: "Vary", help: "Make a different playlist each time.", type: "checkbox" },
    number("random_seed", "Random seed", "The same number makes the same varied playlist again.", {
      min: "0", max: String(Number.MAX_SAFE_INTEGER), data: {}, placeholder: "Any",
    }),
  ],
  "Artists and albums": [
    number("max_per_artist", "Max tracks per artist", "Leave it empty for no limit.", { placeholder: "No limit" }),
    number("max_per_album", "Max tracks per album", "Leave it empty for no limit.", { placeholder: "No limit" }),
    number("artist_gap", "Space between songs by the same artist", "Number of other tracks that come in between.", {
      min: "0", data: { max: "max_playlist_tracks", value: "artist_gap" }, required: true,
    }),
  ],
  "How it is made": [
    {
      name: "seeds", label: "Include the starting tracks", help: "They come first in the list.",
      type: "checkbox", data: { checked: "keep_seeds" },
    },
    {
      name: "whiten", label: "Improved ranking", help: "Automatic: used when the library is large enough.",
      options: { "": "automatic", yes: "always", no: "never" },
    },
  ],
};

// Label, the help for tracks that are wanted, and for those that are left out.
const FILTERS = {
  artist: ["Artist", "Tracks by any of these artists.", "No tracks by these artists."],
  album: ["Album", "Tracks of any of these albums.", "No tracks of these albums."],
  genre: ["Genre", "Tracks of any of these genres.", "No tracks of these genres."],
  sound: ["Sound", "What is heard in them, such as rain or guitar.", "Nothing in which this is heard, such as speech."],
  under: ["Folder", "Tracks in any of these folders, such as jazz or /music/jazz.", "No tracks in these folders, such as /music/talks."],
};
const RANGES = {
  year: ["Years", "1990-1999", "Also 2000- or -1989, and 1990..1999."],
  seconds: ["Length", "1:00-5:00", "In minutes and seconds. Also 5:00- or -0:30."],
};

/** Names of the filters that have several values, and of those that are ranges. */
export const [LIST_FILTERS, RANGE_FILTERS] = [Object.keys(FILTERS), Object.keys(RANGES)];

/** Names of the settings for these filters: of tracks that are wanted, and that are left out. */
export const [LIST_NAMES, RANGE_NAMES] = [LIST_FILTERS, RANGE_FILTERS].map((names) => [...names, ...names.map((name) => `not_${name}`)]);

const values = new Map(); // of LIST_NAMES

export const valuesOf = (name) => values.get(name) ?? [];

export function setValues(name, newValues) {
  values.set(name, [...new Set(newValues)]);
  const chips = valuesOf(name).map((value) => createChip(value, `Remove ${value}`, () => removeValue(name, value)));
  byId(`playlist-${name}-values`).replaceChildren(...chips);
}

function removeValue(name, value) {
  setValues(name, valuesOf(name).filter((other) => other !== value));
  announce(name);
}

/** Tell the form that a setting has changed. */
function announce(name) {
  byId(`playlist-${name}`).focus();
  byId("playlist-form").dispatchEvent(new Event("change", { bubbles: true }));
}

/** Add values. They can't be both wanted and left out. */
function addValues(name, texts) {
  byId(`playlist-${name}`).value = "";
  if (!texts.length) return;
  const opposite = name.startsWith("not_") ? name.slice("not_".length) : `not_${name}`;
  setValues(opposite, valuesOf(opposite).filter((value) => !texts.includes(value)));
  setValues(name, [...valuesOf(name), ...texts]);
  announce(name);
}

/** Return the values of a text; semicolons separate them. */
const valuesIn = (text) => text.split(";").map((value) => value.trim()).filter(Boolean);

function createControl({ name, type, options, data = {}, label, help, ...properties }) {
  const control = options
    ? createElement("select", {}, ...Object.entries(options).map(([value, text]) => createElement("option", { value }, text)))
    : createElement("input", { type, autocomplete: "off", ...properties });
  Object.assign(control.dataset, data);
  return Object.assign(control, { name, id: `playlist-${name}` });
}

function createSetting(setting) {
  const control = createControl(setting);
  const { id } = control;
  control.setAttribute("aria-describedby", `${id}-help ${id}-problem`);
  const label = createElement("label", { htmlFor: id }, setting.label);
  const help = createElement("small", { id: `${id}-help`, className: "help" }, setting.help);
  help.dataset.text = setting.help;
  const problem = createElement("small", { id: `${id}-problem`, className: "problem", role: "alert", hidden: true });
  const field = setting.isText ? createElement("span", { className: "field" }, control) : control;
  return createElement("div", { className: `setting${setting.isText ? " is-wide" : ""}` }, label, field, help, problem);
}

function createFilters(prefix) {
  const lists = Object.entries(FILTERS).map(([name, [label, wanted, unwanted]]) => {
    const [help, placeholder] = prefix ? [unwanted, "None"] : [wanted, "Any"];
    const setting = createSetting({ name: `${prefix}${name}-text`, label, help, placeholder, type: "text", maxLength: 200, isText: true });
    const input = setting.querySelector("input");
    [input.id, input.name] = [`playlist-${prefix}${name}`, ""]; // the address has its values, not the text
    setting.querySelector("label").htmlFor = input.id;
    setting.append(createElement("ul", { id: `${input.id}-values`, className: "values" }));
    setting.querySelector(".values").setAttribute("aria-label", label);
    return setting;
  });
  const ranges = Object.entries(RANGES).map(([name, [label, placeholder, help]]) =>
    createSetting({ name: prefix + name, label, help, placeholder, type: "text", data: { maxLength: "max_range_length" } }),
  );
  return [...lists, ...ranges];
}

const createGroup = (legend, settings) =>
  createElement("fieldset", { className: "settings" }, createElement("legend", {}, legend), ...settings);

const groups = Object.entries(GROUPS).map(([legend, settings]) => createGroup(legend, settings.map(createSetting)));
byId("advanced-settings").prepend(...groups);
byId("advanced-settings").append(
  createGroup("Only these tracks", createFilters("")),
  createGroup("Leave these tracks out", createFilters("not_")),
);

for (const name of LIST_NAMES) {
  const input = byId(`playlist-${name}`);
  const addTyped = () => addValues(name, valuesIn(input.value));
  suggest(input, {
    field: name.replace("not_", "").replace("under", "folder"),
    onChoose: ({ text }) => addValues(name, [text]),
    onEnter: addTyped,
  });
  input.addEventListener("change", addTyped);
}

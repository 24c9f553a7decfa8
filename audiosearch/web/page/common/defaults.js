// Defaults and limits, such as the number of hits. The server is their only source.

import { fetchJson } from "./api.js";

// <input data-max="max_seeds"> gets the default named max_seeds as its property max. The properties
// defaultValue and defaultChecked don't overwrite what the user has entered.
const PROPERTY_OF = { value: "defaultValue", checked: "defaultChecked", max: "max", maxLength: "maxLength" };

let request = null;

/** Return the server's defaults. The first call fetches them and fills in the forms. */
export function loadDefaults() {
  request ??= fetchJson("defaults").then(
    (defaults) => {
      fillForms(defaults);
      return defaults;
    },
    (error) => {
      request = null; // the next call tries again
      throw error;
    },
  );
  return request;
}

function fillForms(defaults) {
  for (const input of document.querySelectorAll("input")) {
    for (const [attribute, property] of Object.entries(PROPERTY_OF)) {
      const name = input.dataset[attribute];
      if (name !== undefined) input[property] = defaults[name];
    }
  }
}

// The Find view: shows the search in the address.

import { onAddress } from "../common/address.js";
import { byId } from "../common/dom.js";
import { showCards } from "./cards.js";
import { hasMoments } from "./clip_support.js";
import "./dropping.js";
import { showFilters } from "./filters.js";
import "./microphone.js";
import { queryOf } from "./query.js";
import { showResults } from "./results.js";
import { showWords } from "./search_field.js";

let shown = null; // the parameters of the search that is shown

onAddress("find", (parameters) => {
  if (shown === String(parameters)) return; // back from another view
  shown = String(parameters);
  const query = queryOf(parameters);
  showWords(query);
  showFilters(query);
  showCards(query);
  byId("moments-switch").hidden = !hasMoments || !query.clips.length;
  byId("moments").checked = query.hasMoments;
  showResults(query);
});

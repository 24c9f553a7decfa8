// Actions offered beside every track. page.js registers them, so that no view imports another one.

const actions = [];

/** Register an action: the text of its button, and a function that gets the track. */
export const addTrackAction = (text, run) => actions.push([text, run]);

/** Return pairs of a button's text and its function, for `createTrackItem`. */
export const trackActions = (track) => actions.map(([text, run]) => [text, () => run(track)]);

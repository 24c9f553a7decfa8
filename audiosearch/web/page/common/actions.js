// Actions offered for every track. page.js registers them, so that no view imports another one.

const actions = [];

/**
 * Register an action.
 *
 * @param action
 *   name: of its icon
 *   text: of its button or link
 *   run: function that gets the track; or href: function that returns a link for it
 *   isOffered: function that tells whether a track has the action. Default: every track has it
 *   isQuick: whether it also has a button beside the track, where there is room
 */
export const addTrackAction = (action) => actions.push({ isOffered: () => true, isQuick: false, ...action });

export const trackActions = (track) => actions.filter((action) => action.isOffered(track));

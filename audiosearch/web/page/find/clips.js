// Tracks and uploads that a search is made with, loaded once each.

import { fetchJson } from "../common/api.js";
import { clipKey } from "./query.js";

const clips = new Map(); // promises by kind and id

/** Return an upload as the player and the rows take it. */
const fromUpload = ({ id, name, seconds, peaks }) => ({ upload: id, name, file: name, title: name, seconds, peaks, sounds: [] });

/** Keep an upload as the server describes it. */
export const keepUpload = (upload) => clips.set(clipKey({ kind: "upload", id: upload.id }), Promise.resolve(fromUpload(upload)));

/** Return the track or upload of a clip. */
export function loadClip(clip) {
  const key = clipKey(clip);
  if (!clips.has(key)) {
    const request = clip.kind === "upload" ? fetchJson(`uploads/${clip.id}`).then(fromUpload) : fetchJson(`tracks/${clip.id}`);
    clips.set(key, request);
    request.catch(() => clips.delete(key)); // the next call tries again
  }
  return clips.get(key);
}

"""A "sounds like" playlist: tracks around one song, as an M3U8 file for any player."""

import tempfile
from pathlib import Path

from audiosearch import add
from audiosearch.demo import write_sounds
from audiosearch.playlist_files.formats import Entry, PlaylistFormat, playlist_text
from audiosearch.models.registry import ModelRequest
from audiosearch.playlists import Constraints, PlaylistOptions, PlaylistRequest, playlist

with tempfile.TemporaryDirectory() as folder:
    write_sounds(Path(folder))
    add(Path(folder) / "index", [Path(folder) / "sounds"], model="compact")

    seed = str(Path(folder) / "sounds" / "drum" / "drum-1.wav")
    shape = PlaylistOptions(n_tracks=5, keep_seeds=True)
    found = playlist(Path(folder) / "index", PlaylistRequest(seeds=(seed,)), shape, Constraints(), ModelRequest())

    entries = [Entry(track.path, seconds=track.seconds) for track in found.tracks]
    text = playlist_text(entries, found.name, PlaylistFormat.M3U8)
    (Path(folder) / "like-drum-1.m3u8").write_bytes(text)
    print(text.decode())

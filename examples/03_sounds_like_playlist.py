"""Make a playlist of tracks that sound like one sound, as an M3U8 file for any player."""

import tempfile
from pathlib import Path

from audiosearch import add
from audiosearch.demo import write_sounds
from audiosearch.playlist_files import Entry, PlaylistFormat, playlist_text
from audiosearch.playlists import PlaylistOptions, PlaylistRequest, playlist

with tempfile.TemporaryDirectory() as folder:
    write_sounds(Path(folder))
    add(Path(folder) / "index", [Path(folder) / "sounds"], model="compact")

    seed = str(Path(folder) / "sounds" / "drum" / "drum-1.wav")
    request = PlaylistRequest(seeds=(seed,), options=PlaylistOptions(n_tracks=5))
    result = playlist(Path(folder) / "index", request)

    entries = [Entry.from_track(track) for track in result.tracks]
    text = playlist_text(entries, result.name, PlaylistFormat.M3U8)
    (Path(folder) / "like-drum-1.m3u8").write_bytes(text)
    print(text.decode())

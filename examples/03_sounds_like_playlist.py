"""A "sounds like" playlist: the tracks nearest to one song, as an M3U file for any player."""

import tempfile
from pathlib import Path

from audiosearch import Index, add, similar
from audiosearch.demo import write_sounds
from audiosearch.search import Ranking

with tempfile.TemporaryDirectory() as folder:
    write_sounds(Path(folder))
    add(Path(folder) / "index", [Path(folder) / "sounds"], model="compact")

    with Index(Path(folder) / "index") as index:
        seed = Path(folder) / "sounds" / "drum" / "drum-1.wav"
        answer = similar(index, seed, k=5, ranking=Ranking(include_self=True))

    lines = ["#EXTM3U"]
    for hit in answer.hits:
        lines += [f"#EXTINF:{hit.track.seconds:.0f},{Path(hit.track.path).stem}", hit.track.path]
    playlist = Path(folder) / "like-drum-1.m3u8"
    playlist.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(playlist.read_text(encoding="utf-8"))

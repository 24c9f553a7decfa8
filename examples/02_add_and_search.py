"""Index a folder, then search it with a clip that is not in it."""

import tempfile
from pathlib import Path

from audiosearch import add, similar
from audiosearch.demo import write_sounds

with tempfile.TemporaryDirectory() as folder:
    sounds, queries = write_sounds(Path(folder))
    index = Path(folder) / "index"

    outcomes = add(index, [Path(folder) / "sounds"], model="compact")
    print(f"{len(outcomes)} files: {outcomes[0].status.value}")

    clip = next(query.path for query in queries if query.kind == "bell")
    for hit in similar(index, clip, k=3).hits:
        print(f"{hit.rank}. {Path(hit.track.path).stem}  {hit.similarity:.2f}")

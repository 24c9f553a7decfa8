"""Embed audio files: similar sounds get similar vectors of 128 numbers."""

import tempfile
from pathlib import Path

from audiosearch import Embedder
from audiosearch.demo import write_sounds

with tempfile.TemporaryDirectory() as folder:
    sounds, _ = write_sounds(Path(folder))

    embedder = Embedder("compact")  # or "vggish" or "auto"
    siren, other_siren, rain = (
        embedder.embed(sound.path).vector
        for sound in sounds
        if sound.path.stem in {"siren-1", "siren-2", "rain-1"}
    )

print(f"{siren.shape[0]} values, of length {(siren @ siren) ** 0.5:.3f}")
print(f"siren and siren: cosine {siren @ other_siren:.2f}")
print(f"siren and rain:  cosine {siren @ rain:.2f}")

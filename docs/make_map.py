"""Make the picture of README.md: synthesize 1,600 sounds, add them, draw their map.

Each sound is a mix of the demo's eight kinds, in which one is the loudest.
Run it as ``python docs/make_map.py``. It needs the extra ``map`` and about a minute. The picture
differs a little from run to run, because files are added in the order in which they are decoded.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from PIL import Image

from audiosearch.demo import KINDS, RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

PICTURE = Path(__file__).with_name("map.png")
N_SOUNDS = 1_600
N_COLORS = 128  # of the picture
CONCENTRATION = 0.04  # of the kinds in a sound: the smaller, the purer


def write_sounds(folder: Path) -> None:
    """Write the sounds as 16-bit wav files, in folders named for the loudest kind in each."""
    rng = np.random.default_rng(1)
    names = list(KINDS)
    for name in names:
        (folder / name).mkdir(parents=True)
    for number in range(N_SOUNDS):
        shares = rng.dirichlet(np.full(len(names), CONCENTRATION))
        waveform = sum(share * _sound(name, rng) for name, share in zip(names, shares, strict=True))
        waveform *= 0.8 / np.abs(waveform).max()
        path = folder / names[shares.argmax()] / f"{number}.wav"
        soundfile.write(path, waveform, RATE_HZ, subtype="PCM_16")


def _sound(kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Synthesize a sound as loud as the others: low frequencies count less, as to the ear."""
    waveform = KINDS[kind](rng)
    emphasized = waveform[1:] - 0.9 * waveform[:-1]
    return waveform / np.abs(emphasized).mean()


def main() -> None:
    """Make the picture."""
    audiosearch = [sys.executable, "-m", "audiosearch"]
    with tempfile.TemporaryDirectory() as name:
        sounds, index = Path(name) / "sounds", Path(name) / "index"
        write_sounds(sounds)
        add = ["add", str(sounds), "--model", "compact", "--index", str(index)]
        subprocess.run([*audiosearch, *add], check=True)
        title = f"{N_SOUNDS:,} sounds, colored by folder"
        draw = ["map", "--color-by", "folder", "--title", title, "--index", str(index)]
        subprocess.run([*audiosearch, *draw, "-o", str(PICTURE)], check=True)
    with Image.open(PICTURE) as picture:  # a palette makes the file a third as large
        small = picture.convert("RGB").quantize(N_COLORS, dither=Image.Dither.NONE)
    small.save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()

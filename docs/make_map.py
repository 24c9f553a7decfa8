"""Make the picture in README.md: synthesize 1,600 sounds, add them, draw their map.

Each sound is a mix of the eight kinds of the demo. One of them is the loudest.
Run it as ``python docs/make_map.py``. It needs the extra ``map`` and about a minute. The picture
differs slightly from run to run, because files are added in the order in which they are decoded.
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
N_COLORS = 128  # colors in the picture
CONCENTRATION = 0.04  # of the Dirichlet distribution: a smaller one makes purer sounds


def write_sounds(folder: Path) -> None:
    """Write the sounds as 16-bit wav files. Each is in the folder named after its loudest kind."""
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
    """Synthesize a sound of one kind, scaled so that all kinds are about equally loud.

    Low frequencies count less towards the loudness, as they do for the ear.
    """
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
    with Image.open(PICTURE) as picture:  # a palette reduces the file to a third of its size
        small = picture.convert("RGB").quantize(N_COLORS, dither=Image.Dither.NONE)
    small.save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()

"""A library of sounds, and `audiosearch serve` on it, for tests."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from sounds import encode, melody, noise, tone, write
from tracks import heard

from audiosearch import Index, add

EVIL = "<img src=x onerror=alert(1)>"

#: `audiosearch` with other limits of requests.
PROGRAM = """
from functools import partial
from audiosearch.__main__ import main
from audiosearch.web import app
app.Limits = partial(app.Limits, **{limits})
main()
"""


@dataclass(frozen=True)
class Served:
    """A server, and what it serves."""

    url: str
    folder: Path
    ids: dict[str, int]  # of tracks, by their files' names
    pid: int
    said: list[str]  # lines on standard error, after the address

    def clip(self, name: str) -> Path:
        """A sound that is not in the library, like one that is."""
        return self.folder / "clips" / name


def library(folder: Path) -> dict[str, int]:
    """Make sounds in many formats, and an index of them; returns ids by file name."""
    music, clips = folder / "music", folder / "clips"
    music.mkdir(parents=True)
    clips.mkdir()
    for number in range(4):
        write(music / f"hiss{number}.flac", noise(4.0, seed=number))
        write(music / f"tone{number}.wav", tone(300 + 20 * number, 4.0))
        write(music / f"tune{number}.ogg", melody(4.0, seed=number), format="OGG", subtype="VORBIS")
    write(music / "low.mp3", tone(110, 4.0, 44_100), 44_100)
    write(music / "loud.aiff", np.repeat(tone(900, 4.0)[:, np.newaxis], 2, axis=1))
    encode(music / "sung.m4a", melody(4.0, 44_100, seed=9), 44_100, container="ipod", codec="aac")
    write(clips / "hiss.flac", noise(3.0, seed=20))
    write(clips / "tone.wav", tone(310, 3.0))
    (clips / "text.mp3").write_text("no sound")
    add(folder / "index", [music], model="compact", n_jobs=1)
    with Index(folder / "index") as index:
        for track in list(index):
            if track.path.endswith("hiss0.flac"):
                fields = {"title": EVIL, "artist": EVIL, "album": EVIL}
                sounds = heard(**{"Hiss": 0.9, EVIL: 0.8})
                index.storage.update(replace(track, **fields, sounds=sounds, tagger="t"))
        return {os.path.basename(track.path): track.id for track in index}


def recordings(folder: Path) -> dict[str, int]:
    """Make three recordings of 15 s, and an index of their moments; returns ids by file name.

    ``clip.wav`` is what the first one has from 7 to 9 s.
    """
    music = folder / "music"
    music.mkdir(parents=True)
    for number in range(3):
        parts = [noise(5.0, seed=number), melody(6.0, seed=number), tone(300 + 200 * number, 4.0)]
        write(music / f"long{number}.wav", np.concatenate(parts))
    samples, _ = soundfile.read(music / "long0.wav", dtype="float32")
    write(folder / "clip.wav", samples[7 * 16_000 : 9 * 16_000])
    add(folder / "index", [music], model="compact", moments=True, n_jobs=1)
    with Index(folder / "index") as index:
        return {os.path.basename(track.path): track.id for track in index}


def wait_until(is_done: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until a function returns true; fail after a time."""
    end = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextlib.contextmanager
def serving(
    folder: Path,
    ids: dict[str, int],
    *options: str,
    index: str | None = None,
    limits: dict[str, float] | None = None,
    env: dict[str, str] | None = None,
    n_files: int | None = None,
    program: Sequence[str] = ("-m", "audiosearch"),
) -> Iterator[Served]:
    """Serve a library, or another index, until the end of the block.

    Limits are those of `audiosearch.web.limits.Limits`. The server may open `n_files` files at
    once. The program is that of Python's command line.
    """
    if limits:
        program = ["-c", PROGRAM.format(limits=limits)]
    command = [sys.executable, *program, "serve", "--port", "0", *options]
    if n_files is not None:
        command = ["sh", "-c", f'ulimit -n {n_files} && exec "$@"', "sh", *command]
    with subprocess.Popen(
        [*command, "--index", index or folder / "index"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (env or {}),
    ) as process:
        first, said = process.stderr.readline(), []
        # Otherwise a server that says much waits for a reader.
        reader = threading.Thread(target=said.extend, args=[process.stderr], daemon=True)
        reader.start()
        try:
            url = re.search(r"http://[^;\s]+/", first).group()
            yield Served(url.rstrip("/"), folder, ids, process.pid, said)
        finally:
            process.terminate()
            reader.join()

"""Libraries of beets in temporary folders, and beets' command line in this process."""

from __future__ import annotations

import contextlib
import io
import os
import random
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import beets
import beetsplug
import numpy as np
import soundfile
from beets import plugins, ui
from beets.library import Item, Library
from sounds import melody

SOURCE = Path(__file__).parents[1] / "audiosearch" / "players" / "beetsplug"
GENRES = ("Jazz", "Rock", "Folk")


@dataclass(frozen=True)
class Output:
    """Output of a command, and its exit code."""

    stdout: str
    stderr: str
    code: int

    @property
    def lines(self) -> list[str]:
        """Lines of standard output."""
        return self.stdout.splitlines()


class BeetsLibrary:
    """A library of beets in a folder.

    Parameters
    ----------
    folder : Path
        It gets the configuration, the database and the music.
    settings : str
        Lines of YAML: the section of the plugin, indented by two.
    more : str
        Further sections.
    """

    def __init__(self, folder: Path, settings: str = "", more: str = "") -> None:
        self.folder = folder
        self.music = folder / "music"
        self.music.mkdir(parents=True, exist_ok=True)
        self.configure(settings, more)

    def configure(self, settings: str = "", more: str = "") -> None:
        """Write the configuration."""
        lines = [
            f"directory: {self.music}",
            f"library: {self.folder / 'library.db'}",
            "plugins: audiosearch",
            "import: {autotag: no, copy: yes, quiet: yes}",
            f"audiosearch:\n  model: compact\n{settings}",
            more,
        ]
        (self.folder / "config.yaml").write_text("\n".join(lines) + "\n")

    @property
    def index(self) -> Path:
        """Default location of the index."""
        return self.folder / "audiosearch"

    def run(self, *arguments: object) -> Output:
        """Run a command of beets, with all its plugins loaded again."""
        beets.config.clear()
        plugins._instances.clear()
        plugins.BeetsPlugin.listeners.clear()
        plugins.BeetsPlugin._raw_listeners.clear()
        plugins.log.handlers.clear()
        if str(SOURCE) not in beetsplug.__path__:  # where an installation has put the plugin
            beetsplug.__path__ = [str(SOURCE), *beetsplug.__path__]
        stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        code = 0
        with (
            mock.patch.dict(os.environ, BEETSDIR=str(self.folder)),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            try:
                ui.main([str(argument) for argument in arguments])
            except SystemExit as exc:
                code = exc.code or 0
        texts = []
        for stream in (stdout, stderr):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())
        assert "Traceback" not in texts[1], texts[1]
        return Output(*texts, code)

    def items(self, *query: str) -> list[Item]:
        """Return the items that match the parts of a query."""
        library = Library(str(self.folder / "library.db"), str(self.music))
        try:
            items = list(library.items(list(query)))
            for item in items:
                item.items()  # reads the flexible attributes
            return items
        finally:
            library._close()


def write_songs(folder: Path, n_songs: int, *, first: int = 0, seconds: float = 1.0) -> list[Path]:
    """Write tagged songs, ten to an album."""
    paths = []
    for number in range(first, first + n_songs):
        album = number // 10
        path = folder / f"LP {album}" / f"{number:03}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = melody(seconds, seed=number) * np.float32(random.Random(number).uniform(0.2, 1))
        with soundfile.SoundFile(path, "w", 16_000, 1, format="FLAC") as file:
            file.title, file.artist = f"Song {number}", f"Band {album}"
            file.album, file.genre = f"LP {album}", GENRES[number % 3]
            file.tracknumber = str(number % 10 + 1)
            file.write(samples)
        paths.append(path)
    return paths

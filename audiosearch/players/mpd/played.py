"""Tracks that the radio has played, remembered in a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from audiosearch.atomic import atomic_path
from audiosearch.errors import PlayerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CLOCK_SECONDS = 60.0  # by which clocks are set back without being wrong
_MAX_LINES = 20_000  # half of a longer file is forgotten


@dataclass(frozen=True, slots=True)
class Play:
    """A track that was played, or taken out of the queue instead.

    Attributes
    ----------
    at : float
        Time when it started, in seconds since 1970.
    path : str
        Path of the track in the index.
    is_skipped : bool
        Whether the listener left it early.
    """

    at: float
    path: str
    is_skipped: bool = False


class Played:
    """Tracks that were played on one player, oldest first.

    Each is appended to a file at once, as a line of JSON, so that a restart forgets none.

    Parameters
    ----------
    file : path-like

    Raises
    ------
    PlayerError
        If the file can't be read or written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        with _reported_errors(file):
            with file.open("a+b") as opened:
                opened.seek(0)
                content = opened.read()
                if content and not content.endswith(b"\n"):  # the last line was cut off
                    opened.write(b"\n")
            lines = content.splitlines()
            self._plays = list(_plays(lines))
            if len(lines) > _MAX_LINES:
                self._plays = self._plays[-_MAX_LINES // 2 :]
                with atomic_path(file) as draft:
                    draft.write_text("".join(map(_line, self._plays)), encoding="utf-8")

    def add(self, play: Play) -> None:
        """Remember a track."""
        self._plays.append(play)
        with _reported_errors(self.file), self.file.open("a", encoding="utf-8") as lines:
            lines.write(_line(play))

    def since(self, at: float) -> list[Play]:
        """Return what was played since a time, oldest first: the last play of each path.

        Plays in the future, from when the clock was wrong, would count for years: they don't.
        """
        now = time.time() + _CLOCK_SECONDS
        last = {play.path: play for play in self._plays if at <= play.at <= now}
        return sorted(last.values(), key=lambda play: play.at)


def played_file(player: str) -> Path:
    """Return the file about a player, given its address without a password."""
    from platformdirs import user_state_path

    name = hashlib.blake2b(os.fsencode(player), digest_size=8).hexdigest()
    return user_state_path("audiosearch", appauthor=False) / f"played-{name}.jsonl"


@contextlib.contextmanager
def only_radio(file: Path, player: str) -> Iterator[None]:
    """Let no other radio use a file of `Played`, nor its player, while the block runs.

    Raises
    ------
    PlayerError
        If another radio uses it, or the folder can't be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(f"{file}.lock", timeout=0)
    with _reported_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as exc:
            raise PlayerError(
                f"Another radio fills the queue of {player}.", hint="Stop it first."
            ) from exc
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _reported_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise PlayerError(
            f"Can't remember what is played in {file}: {exc.strerror}.",
            hint="Make the folder writable, or set XDG_STATE_HOME to another one.",
        ) from exc


def _line(play: Play) -> str:
    return json.dumps(asdict(play)) + "\n"


def _plays(lines: list[bytes]) -> Iterator[Play]:
    """Read lines, without damaged ones: the last one may have been cut off."""
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            values = json.loads(line)
            yield Play(float(values["at"]), str(values["path"]), bool(values["is_skipped"]))

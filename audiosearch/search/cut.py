"""Write stretches of recordings as FLAC files."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from audiosearch import child_process, system
from audiosearch.atomic import atomic_path
from audiosearch.audio.file_stat import size_and_mtime_of
from audiosearch.audio.local_file import open_local
from audiosearch.audio.opened_file import open_regular
from audiosearch.embedding.decoder_process import ENVIRONMENT, time_limit
from audiosearch.errors import AudioError, LibraryError, UsageError
from audiosearch.json_input import parse_json
from audiosearch.library.track import artist_and_title
from audiosearch.paths import new_name, why_missing
from audiosearch.times import position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.audio.opened_file import OpenedFile

# Characters that a file system or a shell gives a meaning, or that aren't visible.
_UNSAFE = re.compile('[/\\\\:*?"<>|\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+')
_MAX_LABEL_BYTES = 150  # of a file's name; file systems limit a name to 255 bytes
_MAX_ANSWER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class CutRequest:
    """A stretch of a recording to write.

    Attributes
    ----------
    path : str
        Path of the recording.
    start, end : float
        In seconds from the start of the recording.
    title, artist : str or None
        Tags of the recording, for the name of the new file.
    real_path : str
        Path without symbolic links that the recording must have; empty for any.
    size_and_mtime : tuple of (int, int) or None
        Size in bytes and modification time in ns that the recording had when its track was added;
        None if it isn't a track.
    """

    path: str
    start: float
    end: float
    title: str | None = None
    artist: str | None = None
    real_path: str = ""
    size_and_mtime: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Name of a file for the stretch, without suffix: label and times.

        Examples
        --------
        >>> CutRequest("/music/a.mp3", 62.4, 3_725.0, "AC/DC live").name
        'AC_DC live 1m02.4s-1h02m05.0s'
        >>> CutRequest("/music/nul.1.wav", 1.0, 2.0).name
        'nul_.1 0m01.0s-0m02.0s'
        """
        label = artist_and_title(self.artist, self.title or PurePath(self.path).stem)
        safe = " ".join(_UNSAFE.sub("_", label).split()).strip(" .-")
        short = safe.encode()[:_MAX_LABEL_BYTES].decode(errors="ignore").rstrip(" .")
        return new_name(f"{short or 'stretch'} {_time(self.start)}-{_time(self.end)}")


class StretchFolder:
    """A folder into which stretches are written. Those of the same name get numbers.

    Parameters
    ----------
    folder : Path
        It is created if it doesn't exist.
    force : bool
        Replace existing files.

    Raises
    ------
    UsageError
        If the folder can't be created.
    """

    def __init__(self, folder: Path, *, force: bool = False) -> None:
        self._folder, self._force = folder, force
        self._written: set[str] = set()  # names in lower case, because some file systems ignore it
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise UsageError(
                f"Can't create the folder {folder}: {exc.strerror}.",
                hint="Choose another folder with -o.",
            ) from exc

    def write(self, stretch: CutRequest) -> tuple[Path, list[str]]:
        """Write a stretch. Return the path of its file, and phrases about what is wrong with it.

        Raises
        ------
        AudioError
            If it can't be read or decoded.
        LibraryError
            If the file exists, or can't be written.
        """
        path = self._folder / f"{self._new_name(stretch.name)}.flac"
        if not self._force and os.path.lexists(path):
            raise LibraryError(
                f"{path} exists.", hint="Choose another folder with -o, or replace it with --force."
            )
        with _opened(stretch) as (source, remarks):
            try:
                with atomic_path(path) as draft, draft.open("rb+", buffering=0) as target:
                    warnings = [*remarks, *_cut(stretch, source, target.fileno())]
            except OSError as exc:
                raise LibraryError(
                    f"Can't write {path}: {exc.strerror}.", hint="Choose another folder with -o."
                ) from exc
        return path, warnings

    def _new_name(self, name: str) -> str:
        number, new = 1, name
        while new.lower() in self._written:
            number += 1
            new = f"{name} ({number})"
        self._written.add(new.lower())
        return new


def _time(seconds: float) -> str:
    """Return a time without characters that file systems forbid, such as 1h02m05.0s."""
    parts = position(seconds).split(":")
    return "".join(map("".join, zip(parts, "hms"[-len(parts) :], strict=True)))


@contextlib.contextmanager
def _opened(stretch: CutRequest) -> Iterator[tuple[OpenedFile, list[str]]]:
    """Yield the recording, and phrases about what is wrong with it."""
    path = stretch.path
    with open_local(path) as local:
        try:
            source = open_regular(
                local.path, real_path=stretch.real_path if local.is_original else ""
            )
        except OSError as exc:
            is_missing = isinstance(exc, FileNotFoundError)
            reason = why_missing(path) if is_missing else f"it can't be read ({exc.strerror})"
            raise AudioError(path, reason, hint="Check the path and its read permission.") from exc
        with source:
            expected = stretch.size_and_mtime if local.is_original else None
            is_changed = expected not in {None, size_and_mtime_of(source.status)}
            yield source, ["its source file has changed since it was added"] * is_changed


def _cut(stretch: CutRequest, source: OpenedFile, descriptor: int) -> list[str]:
    """Cut in another process, because a decoder may crash. Return what is wrong as phrases."""
    limit_seconds = time_limit(source.status.st_size)
    (target, _), inheritance = system.inherited(descriptor, source.fileno())
    with (
        tempfile.TemporaryFile() as output,  # a pipe could fill the memory of this process
        child_process.start(
            "audiosearch.audio.cut",
            *(source.name, target, repr(stretch.start), repr(stretch.end)),
            variables=ENVIRONMENT,
            **inheritance,
            stdout=output,
            stderr=None if os.environ.get("AUDIOSEARCH_DEBUG") else subprocess.DEVNULL,
        ) as process,
    ):
        try:
            process.wait(limit_seconds)
        except subprocess.TimeoutExpired as exc:
            reason = "decoding it takes too long"
            raise AudioError(stretch.path, reason, hint="Cut a shorter stretch.") from exc
        finally:
            process.kill()
        output.seek(0)
        answer = _parsed(output.read(_MAX_ANSWER_BYTES))
    if isinstance(warnings := answer.get("warnings"), list):
        return list(map(str, warnings))
    raise AudioError(
        stretch.path,
        str(answer.get("reason") or "its decoder crashed"),
        hint=str(answer.get("hint") or "Export the file again from a program that can play it."),
    )


def _parsed(output: bytes) -> dict[str, Any]:
    """Return the answer of the process, which a malformed file may have taken control of."""
    with contextlib.suppress(ValueError):
        if isinstance(answer := parse_json(output), dict):
            return answer
    return {}

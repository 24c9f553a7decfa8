"""Which files in a folder are audio files that somebody wants."""

from __future__ import annotations

import os
import re
import warnings
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

from audiosearch.audio.decode import SUFFIXES
from audiosearch.errors import AudioError, UsageError
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.types import StrPath

IGNORE_FILE = ".audiosearchignore"


def find_audio(
    paths: StrPath | Iterable[StrPath],
    *,
    exclude: Sequence[str] = (),
    suffixes: AbstractSet[str] = SUFFIXES,
) -> list[str]:
    """Return the absolute paths of files, and of the audio files in folders, each once.

    Folders are searched recursively, through links, in alphabetical order; hidden files and
    folders are passed over. A file that was named is returned whatever it is called, and even
    where others are and it is not: its turn is when files are opened.

    Parameters
    ----------
    paths : str, path-like, or iterable of them
        Files and folders.
    exclude : sequence of str
        Patterns as in ``.gitignore``, relative to each folder, of what to leave out. A file
        ``.audiosearchignore`` in a folder holds more of them, for that folder.
    suffixes : set of str
        In lower case, with their dots: what audio files' names end in.

    Raises
    ------
    AudioError
        Where folders were named and not one such file is in them, or nothing is where a file
        was named.
    UsageError
        Where a pattern is none.
    """
    found: dict[str, None] = {}
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    names = [os.fspath(path) for path in paths]
    for name in filter(is_url, names):
        hint = (
            "`audiosearch add --ray` reads URLs; it needs pip install 'audiosearch[ray]', or in a "
            "checkout '.[ray]'"
        )
        raise AudioError(name, "it is a URL, and what reads files here reads none", hint=hint)
    given = [os.path.abspath(name) for name in names]
    for path in given:
        found |= dict.fromkeys(_walk(path, exclude, suffixes) if os.path.isdir(path) else [path])
    if not found:
        raise AudioError(
            ", ".join(given),
            "no audio file is in there",
            hint="Audio is known by suffixes such as .mp3, .flac, .ogg, .m4a and .wav.",
        )
    if all(map(is_gone, found)):
        raise AudioError(", ".join(found), "there is no such file", hint="Check the path.")
    return list(found)


def is_gone(path: str) -> bool:
    """Return whether nothing is at a path; what cannot be looked at is not gone, nor is a URL."""
    if is_url(path):
        return False
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _walk(root: str, exclude: Sequence[str], suffixes: AbstractSet[str]) -> Iterator[str]:
    seen = set()
    unreadable: list[OSError] = []
    ignored = {root: [Ignored(root, exclude)]}
    for current, folders, names in os.walk(root, followlinks=True, onerror=unreadable.append):
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in seen:  # a link back up
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        rules = ignored.pop(current)
        if os.path.isfile(os.path.join(current, IGNORE_FILE)):
            rules = [*rules, Ignored(current, _lines(os.path.join(current, IGNORE_FILE)))]

        def is_wanted(name: str, path: str, rules: list[Ignored] = rules) -> bool:
            return not name.startswith(".") and not any(path in rule for rule in rules)

        folders[:] = sorted(
            name for name in folders if is_wanted(name, os.path.join(current, name, ""))
        )
        ignored |= {os.path.join(current, name): rules for name in folders}
        for name in sorted(names):
            path = os.path.join(current, name)
            if os.path.splitext(name)[1].lower() in suffixes and is_wanted(name, path):
                yield path
    yield from (error.filename for error in unreadable)


class Ignored:
    """Patterns that hold in one folder and below."""

    def __init__(self, folder: str, patterns: Iterable[str]) -> None:
        self._prefix = os.path.join(folder, "")
        lines = list(patterns)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of patterns that future versions will refuse
                self._spec = GitIgnoreSpec.from_lines(lines)
        except (ValueError, re.error) as exc:
            raise UsageError(
                f"One of the patterns for {folder} is none: {', '.join(lines)}.",
                hint=f"--exclude and {IGNORE_FILE} take patterns as in a .gitignore.",
            ) from exc

    def __contains__(self, path: str) -> bool:
        return self._spec.match_file(path.removeprefix(self._prefix))


def _lines(path: str) -> list[str]:
    """Return the patterns of an ignore file; of one that cannot be read, an error's way out."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            return [line for line in file.read().splitlines() if line not in ("!", "\\")]
    except OSError as exc:
        raise AudioError(path, "it cannot be read", hint="Check that you may read it.") from exc

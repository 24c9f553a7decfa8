"""Find audio files in folders."""

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

_SUFFIX_HINT = (
    "Audio files are recognized by suffixes such as .mp3, .flac, .ogg, .m4a and .wav; "
    "use --ext for other suffixes."
)


def find_audio(
    paths: StrPath | Iterable[StrPath],
    *,
    exclude: Sequence[str] = (),
    suffixes: AbstractSet[str] = SUFFIXES,
) -> list[str]:
    """Return the absolute paths of the given files and of all audio files in the given folders.

    Folders are searched recursively and in alphabetical order. Symbolic links are followed;
    hidden files and folders are skipped. A file given by name is returned with any suffix. A
    missing file is returned too, as long as other files exist; opening it later raises the
    error.

    Parameters
    ----------
    paths : str, path-like, or iterable of them
        Files and folders.
    exclude : sequence of str
        Patterns of files and folders to leave out, as in a ``.gitignore``, relative to each
        folder. A file ``.audiosearchignore`` in a folder holds more patterns for that folder.
    suffixes : set of str
        Suffixes of audio files, in lower case with the dot.

    Returns
    -------
    list of str
        Each path once.

    Raises
    ------
    AudioError
        If there is no audio file at all.
    UsageError
        If a pattern is invalid.
    """
    files: dict[str, None] = {}
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    names = [os.fspath(path) for path in paths]
    for name in filter(is_url, names):
        hint = (
            "Use `audiosearch add --ray`. It needs pip install 'audiosearch[ray]', or in a "
            "checkout '.[ray]'."
        )
        raise AudioError(name, "it is a URL, which can only be added with --ray", hint=hint)
    absolute_paths = [os.path.abspath(name) for name in names]
    for path in absolute_paths:
        is_folder = os.path.isdir(path)
        files |= dict.fromkeys(_walk(path, exclude, suffixes) if is_folder else [path])
    if not files:
        raise no_audio_files(", ".join(absolute_paths))
    if all(map(is_missing, files)):
        raise AudioError(", ".join(files), "there is no such file", hint="Check the path.")
    return list(files)


def no_audio_files(folder: str) -> AudioError:
    """Return the error for a folder without audio files."""
    return AudioError(folder, "it contains no audio files", hint=_SUFFIX_HINT)


def is_missing(path: str) -> bool:
    """Return whether no file exists at a path.

    Returns False for a URL, and for a path that can't be looked up.
    """
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
    """Yield the audio files below a folder, then the folders that can't be read."""
    seen = set()
    unreadable: list[OSError] = []
    patterns_by_folder = {root: [IgnorePatterns(root, exclude)]}
    for current, folders, names in os.walk(root, followlinks=True, onerror=unreadable.append):
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in seen:  # a link back to a parent folder
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        patterns = patterns_by_folder.pop(current)
        ignore_file = os.path.join(current, IGNORE_FILE)
        if os.path.isfile(ignore_file):
            patterns = [*patterns, IgnorePatterns(current, _read_patterns(ignore_file))]

        def is_included(name: str, path: str, ignored: list[IgnorePatterns] = patterns) -> bool:
            return not name.startswith(".") and not any(path in patterns for patterns in ignored)

        folders[:] = sorted(
            name for name in folders if is_included(name, os.path.join(current, name, ""))
        )
        patterns_by_folder |= {os.path.join(current, name): patterns for name in folders}
        for name in sorted(names):
            path = os.path.join(current, name)
            if os.path.splitext(name)[1].lower() in suffixes and is_included(name, path):
                yield path
    yield from (error.filename for error in unreadable)


class IgnorePatterns:
    """Patterns of files to leave out, in one folder and below; ``path in patterns`` tests a path.

    Parameters
    ----------
    folder : str
        Folder that the patterns are relative to.
    patterns : iterable of str
        Lines as in a ``.gitignore``.

    Raises
    ------
    UsageError
        If a pattern is invalid.
    """

    def __init__(self, folder: str, patterns: Iterable[str]) -> None:
        self._prefix = os.path.join(folder, "")
        lines = list(patterns)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about patterns that later versions will reject
                self._spec = GitIgnoreSpec.from_lines(lines)
        except (ValueError, re.error) as exc:
            raise UsageError(
                f"One of the patterns for {folder} is invalid: {', '.join(lines)}.",
                hint=f"Write patterns for --exclude and {IGNORE_FILE} as in a .gitignore.",
            ) from exc

    def __contains__(self, path: str) -> bool:
        return self._spec.match_file(path.removeprefix(self._prefix))


def _read_patterns(path: str) -> list[str]:
    """Return the patterns in an ignore file.

    Raises
    ------
    AudioError
        If the file can't be read.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            return [line for line in file.read().splitlines() if line not in ("!", "\\")]
    except OSError as exc:
        raise AudioError(path, "it can't be read", hint="Check its read permission.") from exc

"""Find audio files in folders."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from audiosearch import system
from audiosearch.audio.decode import SUFFIXES
from audiosearch.audio.ignore_patterns import IGNORE_FILE, IgnorePatterns, read_patterns
from audiosearch.errors import AudioError
from audiosearch.paths import absolute, is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from audiosearch.types import StrPath

_SUFFIX_HINT = (
    "Audio files are recognized by suffixes such as .mp3, .flac, .ogg, .m4a and .wav; "
    "use --ext for other suffixes."
)


@dataclass(frozen=True, slots=True)
class AudioFiles:
    """Audio files that were found.

    Attributes
    ----------
    paths : list of str
        Absolute paths, each once.
    folder_aliases : list of str
        Other paths, by links, of folders that were read.
    folder_links : list of str
        Paths of links to folders that were followed.
    """

    paths: list[str]
    folder_aliases: list[str]
    folder_links: list[str] = field(default_factory=list)


class PartOfFolders:
    """Some files and folders, with everything below these folders.

    Parameters
    ----------
    paths : iterable of str
        Absolute paths.

    Examples
    --------
    >>> part = PartOfFolders(["/music/jazz"])
    >>> part.covers("/music/jazz/a.mp3"), part.covers("/music"), part.touches("/music")
    (True, False, True)
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._above = {folder for path in self._paths for folder in folders_above(path)}

    def covers(self, path: str) -> bool:
        """Return whether a path is in the part."""
        return path in self._paths or any(map(self._paths.__contains__, folders_above(path)))

    def touches(self, path: str) -> bool:
        """Return whether a path is in the part, or a folder above something in it."""
        return path in self._above or self.covers(path)


def folders_above(path: str) -> Iterator[str]:
    """Yield the folders above a path, the nearest one first."""
    while (parent := os.path.dirname(path)) != path:
        yield parent
        path = parent


def discover(
    paths: StrPath | Iterable[StrPath],
    *,
    exclude: Sequence[str] = (),
    suffixes: AbstractSet[str] = SUFFIXES,
) -> AudioFiles:
    """Find the given files and all audio files in the given folders.

    Folders are searched recursively and in alphabetical order. Symbolic links are followed; a
    folder that is reached twice is read once. Hidden files and folders are skipped. A file given
    by name is returned with any suffix. A missing file is returned too, as long as other files
    exist; opening it later raises the error.

    Parameters
    ----------
    paths : str, path-like, or iterable of them
        Files and folders.
    exclude : sequence of str
        Patterns of files and folders to leave out, as in a ``.gitignore``, relative to each
        folder. A file ``.audiosearchignore`` in a folder holds more patterns for that folder.
    suffixes : set of str
        Suffixes of audio files, in lower case with the dot.

    Raises
    ------
    AudioError
        If there is no audio file at all.
    UsageError
        If a pattern is invalid.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    names = [os.fspath(path) for path in paths]
    for name in filter(is_url, names):
        raise AudioError(name, "it is a URL", hint="Add it with `audiosearch add`.")
    absolute_paths = [absolute(name) for name in names]
    found = find_files(absolute_paths, exclude=exclude, suffixes=suffixes)
    if not found.paths:
        raise no_audio_files(", ".join(absolute_paths))
    if all(map(is_missing, found.paths)):
        raise AudioError(", ".join(found.paths), "there is no such file", hint="Check the path.")
    return found


def find_files(
    paths: Iterable[str],
    *,
    exclude: Sequence[str] = (),
    suffixes: AbstractSet[str] = SUFFIXES,
    part: PartOfFolders | None = None,
) -> AudioFiles:
    """Find files like `discover`, or none.

    Parameters
    ----------
    paths : iterable of str
        Absolute paths of files and folders.
    exclude, suffixes : sequence of str, set of str
        See `discover`.
    part : PartOfFolders, optional
        Part of the folders to search. Default: all of them.
    """
    walk = _Walk(exclude, suffixes, part)
    files: dict[str, None] = {}
    for path in paths:
        files |= dict.fromkeys(walk.files(path) if os.path.isdir(path) else [path])
    files |= dict.fromkeys(walk.linked_files())
    return AudioFiles(list(files), walk.folder_aliases, [folder for folder, _ in walk.links])


def no_audio_files(folder: str) -> AudioError:
    """Return the error for a folder without audio files."""
    return AudioError(folder, "it contains no audio files", hint=_SUFFIX_HINT)


def is_missing(path: str) -> bool:
    """Return whether no file exists at a path: nothing does, or a folder.

    Returns False for a URL, for a path that can't be looked up, and for a folder that can't be
    read, which stands for the files in it.
    """
    if is_url(path):
        return False
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
        if is_folder:
            os.scandir(path).close()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a NUL in the path
        return True
    except OSError:
        return False
    return is_folder


class _Walk:
    """Walk over folders. A folder that is reached twice, also by links, is read once.

    Folders behind links are read last, so that a folder below another one is read there.

    Parameters
    ----------
    exclude : sequence of str
        Patterns of files and folders to leave out, relative to each folder given to `files`.
    suffixes : set of str
        Suffixes of audio files.
    part : PartOfFolders or None
        Part of the folders to read; None for all of them.

    Attributes
    ----------
    folder_aliases : list of str
        Other paths of folders that were read.
    links : list of (str, list of IgnorePatterns)
        Links to folders, with the patterns of what to leave out there.
    """

    def __init__(
        self, exclude: Sequence[str], suffixes: AbstractSet[str], part: PartOfFolders | None
    ) -> None:
        self._exclude = exclude
        self._suffixes = suffixes
        self._part = part
        self._real_folders: set[str] = set()  # by path: inodes may be 0 on exFAT, SMB and FUSE
        self.folder_aliases: list[str] = []
        self.links: list[tuple[str, list[IgnorePatterns]]] = []

    def files(self, root: str) -> Iterator[str]:
        """Yield the audio files below a folder, but nothing behind links."""
        patterns = [IgnorePatterns(root, self._exclude)]
        if os.path.realpath(root) == root:
            yield from self._files(root, patterns)
        else:
            self.links.append((root, patterns))

    def linked_files(self) -> Iterator[str]:
        """Yield the audio files in the folders behind the links that were found."""
        for folder, patterns in self.links:  # grows in the meantime
            yield from self._files(folder, patterns)

    def _files(self, root: str, root_patterns: list[IgnorePatterns]) -> Iterator[str]:
        """Yield the audio files below a folder, and the folders that can't be read."""
        pending = [(root, root_patterns)]
        while pending:
            folder, patterns = pending.pop()
            if self._part is not None and not self._part.touches(folder):
                continue
            real_folder = os.path.realpath(folder)
            if real_folder in self._real_folders:
                self.folder_aliases.append(folder)
                continue
            self._real_folders.add(real_folder)
            ignore_file = os.path.join(folder, IGNORE_FILE)
            if os.path.isfile(ignore_file):
                patterns = [*patterns, IgnorePatterns(folder, read_patterns(ignore_file))]
            entries = _entries(folder)
            if entries is None:
                yield folder
                continue
            included = [
                entry
                for entry in entries
                if (self._part is None or self._part.touches(entry.path))
                and _is_included(entry, patterns)
            ]
            yield from (entry.path for entry in included if self._is_audio(entry))
            folders = [entry for entry in included if _is_folder(entry)]
            self.links += [(entry.path, patterns) for entry in folders if entry.is_symlink()]
            pending += [(e.path, patterns) for e in reversed(folders) if not e.is_symlink()]

    def _is_audio(self, entry: os.DirEntry[str]) -> bool:
        suffix = os.path.splitext(entry.name)[1].lower()
        return suffix in self._suffixes and not _is_folder(entry)


def _entries(folder: str) -> list[os.DirEntry[str]] | None:
    """Return the entries of a folder, ordered by name; None if it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_included(entry: os.DirEntry[str], patterns: list[IgnorePatterns]) -> bool:
    path = os.path.join(entry.path, "") if _is_folder(entry) else entry.path
    return not system.is_hidden(entry) and not any(path in ignored for ignored in patterns)

"""State of files to be added, and the plan that `add --dry-run` shows. Nothing is changed."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from audiosearch.audio.discovery import is_missing
from audiosearch.audio.file_stat import read_file_stat
from audiosearch.audio.opened_file import open_regular
from audiosearch.audio.packets import audio_hash
from audiosearch.embedding.reader import LOCAL_READER
from audiosearch.errors import AudioError
from audiosearch.library.file_state import FileStates, State
from audiosearch.library.index import Index, Track
from audiosearch.paths import real_paths

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from audiosearch.embedding.reader import Reader
    from audiosearch.library.file_state import KnownFile
    from audiosearch.types import StrPath


def states(
    directory: StrPath,
    paths: Sequence[str],
    *,
    folder_aliases: Sequence[str] = (),
    reader: Reader = LOCAL_READER,
) -> list[tuple[str, State]]:
    """Return the path and state of each file, in the order of the files.

    Files that can't be looked up are left out. If there is no index, all files are new. A file is
    opened only if it is new and the index has tracks whose files are missing.

    Parameters
    ----------
    directory : str or path-like
        Location of the index.
    paths : sequence of str
        Absolute paths.
    folder_aliases : sequence of str
        Other paths of folders with these files.
    reader : Reader
        Looks up sizes and modification times.
    """
    with contextlib.ExitStack() as stack:
        index = stack.enter_context(Index(directory)) if Index.exists(directory) else None
        file_states = FileStates(index, paths, folder_aliases)
        found = {
            file.real_path: (file.path, state)
            for file, state in find_states(index, file_states, reader)
            if isinstance(state, State)
        }
        new = [path for path, state in found.values() if state is State.NEW]
        moved = _moved(index, new) if index else set()
    ordered = [found[file.real_path] for file in file_states.files if file.real_path in found]
    return [(path, State.MOVED if path in moved else state) for path, state in ordered]


def find_states(
    index: Index | None, file_states: FileStates, reader: Reader
) -> Iterator[tuple[KnownFile, State | AudioError]]:
    """Yield each file with its state, or with the reason why it can't be looked up.

    New files come last.

    Parameters
    ----------
    index : Index or None
    file_states : FileStates
        States of the files in this index.
    reader : Reader
        Looks up sizes and modification times.
    """
    new: dict[KnownFile, tuple[int, int]] = {}
    for file in file_states.files:
        try:
            current = reader.size_and_mtime(file.path)
        except AudioError as exc:
            yield file, exc
            continue
        state = file_states.state(file, *current)
        if state is State.NEW:
            new[file] = current
        else:
            yield file, state
    new_files = file_states.find_by_size(index, new) if index else list(new)
    for file, current in zip(new_files, new.values(), strict=True):
        yield file, file_states.state(file, *current)


def _moved(index: Index, new: Sequence[str]) -> set[str]:
    """Return the new files that have the content or the audio of tracks whose files are missing."""
    paths = [path for path in new if os.path.isfile(path)]
    missing = _missing_tracks(index) if paths else []
    ids_by_hash: dict[str, list[int]] = {}
    for track in missing:
        for digest in filter(None, (track.content_hash, track.audio_hash)):
            ids_by_hash.setdefault(digest, []).append(track.id)
    sizes = {track.size for track in missing}
    found: dict[int, str] = {}  # path by id of the track
    for path in paths:
        if len(found) == len(missing):
            break
        ids = (i for digest in _hashes(path, sizes) for i in ids_by_hash.get(digest, ()))
        track_id = next((i for i in ids if i not in found), None)
        if track_id is not None:
            found[track_id] = path
    return set(found.values())


def _missing_tracks(index: Index) -> list[Track]:
    fields = index.fields(("id", "path"))
    paths = real_paths([path for _, path in fields])
    missing = [i for (i, _), path in zip(fields, paths, strict=True) if is_missing(path)]
    return list(index.storage.tracks(missing))


def _hashes(path: str, sizes: Container[int]) -> Iterator[str]:
    """Yield the hash of a file's content if it has one of the sizes, and the hash of its audio."""
    with contextlib.suppress(AudioError, OSError), open_regular(path) as file:
        if file.status.st_size in sizes:
            yield read_file_stat(file).content_hash
        yield audio_hash(file.name)

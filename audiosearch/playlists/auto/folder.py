"""A folder with a file for each playlist, in place of those of the last run."""

from __future__ import annotations

import contextlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blake3 import blake3

from audiosearch.atomic import atomic_path
from audiosearch.errors import UsageError
from audiosearch.json_input import parse_json
from audiosearch.library.track import fold
from audiosearch.paths import new_name
from audiosearch.playlist_files import Entry, PathStyle, PlaylistFormat, playlist_text
from audiosearch.soundmap.characteristic import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.playlists.builder import Playlist

#: File in the folder with the names and digests of the files that were written.
MANIFEST: Final = ".audiosearch-auto.json"

_WRITERS = 8  # files that reach the disk at the same time
_MAX_NAME_BYTES = 180  # file systems allow 255, some of which the suffix and a draft need
# Characters that file systems of phones, players and Windows refuse.
_FORBIDDEN = re.compile('[<>:"/\\\\|?*\0-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class WrittenFolder:
    """Result of writing playlists to a folder.

    Attributes
    ----------
    written : list of str
        Names of the files, in the order of the playlists.
    removed : list of str
        Names of the files of former playlists that were removed.
    """

    written: list[str]
    removed: list[str]


def file_stem(name: str) -> str:
    """Return the name of a playlist as the name of a file, without suffix.

    Examples
    --------
    >>> file_stem("R&B / Soul, 1990s"), file_stem("..."), file_stem("Con.1")
    ('R&B - Soul, 1990s', 'Playlist', 'Con_.1')
    """
    text = _FORBIDDEN.sub("-", name).encode(errors="replace")[:_MAX_NAME_BYTES]
    return new_name(text.decode(errors="ignore").strip(". ") or "Playlist")


def write_folder(
    folder: Path,
    playlists: Sequence[Playlist],
    file_format: PlaylistFormat = PlaylistFormat.M3U8,
    paths: PathStyle = PathStyle(),  # noqa: B008
) -> WrittenFolder:
    """Write a file for each playlist, and remove the files of former ones that fell out.

    Files that somebody else wrote, or changed since, are not touched: a name that one of them has
    gets a number.

    Parameters
    ----------
    folder : Path
        It is created if it doesn't exist.
    playlists : sequence of Playlist
        With different names.
    file_format : PlaylistFormat
    paths : PathStyle
        Style of the paths in the files.

    Raises
    ------
    UsageError
        If a file can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        former = {name for name, digests in _manifest(folder) if _digest(folder / name) in digests}
        used = {fold(path.name) for path in folder.iterdir() if path.name not in former}
        contents: dict[str, bytes] = {}
        for playlist in playlists:
            name = _unused(file_stem(playlist.name), f".{file_format.value}", used)
            entries = [Entry.from_track(t, paths.apply(t.path)) for t in playlist.tracks]
            contents[name] = playlist_text(entries, playlist.name, file_format)
        return _replace(folder, former, contents)
    except OSError as exc:
        raise UsageError(
            f"Can't write playlists to {folder}: {exc.strerror or exc}.",
            hint="Choose another folder.",
        ) from exc


def _replace(folder: Path, former: set[str], contents: dict[str, bytes]) -> WrittenFolder:
    """Write files, and remove former ones. If that is interrupted, the next run goes on."""
    digests = {name: [blake3(content).hexdigest()] for name, content in contents.items()}
    old = {name: [str(_digest(folder / name))] for name in former}
    both = {name: [*old.get(name, []), *digests.get(name, [])] for name in {*old, *digests}}
    _write_manifest(folder, both)
    changed = [name for name in contents if old.get(name) != digests[name]]
    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(lambda name: _write(folder / name, contents[name]), changed))
    removed = sorted(former - contents.keys())
    for name in removed:
        (folder / name).unlink(missing_ok=True)
    _write_manifest(folder, digests)
    return WrittenFolder(list(contents), removed)


def _unused(stem: str, suffix: str, used: set[str]) -> str:
    """Return the name of a file, with a number if the name is used, and add it to the used ones."""
    used_stems = {name.removesuffix(suffix) for name in used if name.endswith(suffix)}
    name = f"{numbered(stem, used_stems)}{suffix}"
    used.add(fold(name))
    return name


def _manifest(folder: Path) -> list[tuple[str, list[Any]]]:
    """Return the names of the files that were written, and digests that they may have."""
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, KeyError):
        files = parse_json((folder / MANIFEST).read_bytes())["files"]
        return [(n, list(d)) for n, d in files.items() if n == Path(n).name != MANIFEST]
    return []


def _write_manifest(folder: Path, digests: dict[str, list[str]]) -> None:
    _write(folder / MANIFEST, json.dumps({"files": digests}, indent=1).encode())


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as draft:
        draft.write_bytes(content)


def _digest(path: Path) -> str | None:
    """Return the digest of a file; None if there is none."""
    with contextlib.suppress(OSError):
        if path.is_file() and not path.is_symlink():
            return str(blake3(path.read_bytes()).hexdigest())
    return None

"""Entries of a playlist file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.playlist_files.text import TooLarge, is_usable_path, readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.library.track import Track

MAX_ENTRIES = 100_000  # of one playlist file, those that can't be read included
_MAX_WARNINGS = 20  # entries of one playlist that are named one by one
_MAX_NAME_LENGTH = 200  # characters of an entry in a warning


@dataclass(frozen=True, slots=True)
class Entry:
    """One track in a playlist file.

    Attributes
    ----------
    path : str
        Path or URL: absolute, or relative to the folder of the playlist.
    title, artist, album : str or None
        Tags; None if they are unknown.
    seconds : float
        Duration in seconds; 0 if it is unknown.
    alternatives : tuple of str
        Paths that the file may mean instead, the likeliest first. For example, a percent sign
        in a text file may be part of a name or encode a character.
    """

    path: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    seconds: float = 0.0
    alternatives: tuple[str, ...] = ()

    @classmethod
    def from_track(cls, track: Track, path: str | None = None) -> Entry:
        """Return the entry of a track of the index.

        Parameters
        ----------
        track : Track
        path : str, optional
            Path to write instead of the path of the track: see `PathStyle.apply`.
        """
        return cls(path or track.path, track.title, track.artist, track.album, track.seconds)


@dataclass(frozen=True, slots=True)
class PlaylistFile:
    """Contents of a playlist file. It can be used like a sequence of its entries.

    Attributes
    ----------
    name : str
        Path or name of the file.
    entries : tuple of Entry
    warnings : tuple of str
        Sentences about faults of the file, and about entries that were skipped.
    folder : str or None
        Absolute path of the folder that relative paths refer to. None if the playlist comes from
        another machine, so that its paths don't refer to files here.
    """

    name: str
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()
    folder: str | None = None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, position: int) -> Entry:
        return self.entries[position]


def check_n_entries(n_entries: int) -> None:
    """Raise `TooLarge` if a playlist file has more than `MAX_ENTRIES` entries."""
    if n_entries > MAX_ENTRIES:
        raise TooLarge(f"it has more than {MAX_ENTRIES:,} entries")


def make_entry(
    paths: Iterable[str],
    *,
    title: str | None = None,
    artist: str | None = None,
    album: str | None = None,
    seconds: float = 0.0,
) -> Entry | str:
    """Return the entry with the first usable path, or a warning if there is none.

    Parameters
    ----------
    paths : iterable of str
        Paths that the entry may mean, the likeliest first.
    title, artist, album, seconds
        See `Entry`.
    """
    paths = tuple(dict.fromkeys(paths))
    usable = [path for path in paths if is_usable_path(path)]
    if usable:
        return Entry(usable[0], title, artist, album, seconds, tuple(usable[1:]))
    name = next((text for text in (*paths, title, artist) if text and text.strip()), "(no title)")
    return f"an entry names no file: {readable(name[:_MAX_NAME_LENGTH])[:_MAX_NAME_LENGTH]}"


def warnings_about(playlist: str, faults: list[str]) -> list[str]:
    """Return warnings about the first faults of a playlist, and the number of the remaining ones.

    Parameters
    ----------
    playlist : str
        Name of the playlist.
    faults : list of str
        Phrases, one for each fault.
    """
    warnings = [f"{playlist}: {fault}" for fault in faults[:_MAX_WARNINGS]]
    if len(faults) > _MAX_WARNINGS:
        warnings.append(f"{playlist}: and {len(faults) - _MAX_WARNINGS:,} more like this")
    return warnings

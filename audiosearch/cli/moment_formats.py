"""Stretches of tracks in the formats of other programs: Audacity, Raven, and VLC's playlists.

References
----------
.. [1] Audacity Manual, "Importing and Exporting Labels",
   https://manual.audacityteam.org/man/importing_and_exporting_labels.html
.. [2] Raven Pro User's Manual: selection tables. Several files are as BirdNET writes them.
.. [3] VLC's options of an entry in m3u files: ``start-time`` and ``stop-time``, as on its command
   line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from audiosearch.cli.output import Format, MomentFormat, show_rows, write_bytes
from audiosearch.errors import UsageError
from audiosearch.playlist_files import Entry
from audiosearch.playlist_files.m3u8 import CONTROL_CHARACTERS, single_line, write

if TYPE_CHECKING:
    from audiosearch.library.track import Track

_HEARD_HZ = 8_000  # frequencies up to this one are heard; shown where a track's rate is unknown


@dataclass(frozen=True, slots=True)
class LabeledStretch:
    """A stretch of a track with a label.

    Attributes
    ----------
    track : Track
    start, end : float
        In seconds from the start of the track.
    label : str
    columns : mapping of str to Any
        Further columns of a selection table: name and value. All stretches have the same ones.
    """

    track: Track
    start: float
    end: float
    label: str
    columns: Mapping[str, Any]


def plain_format(output: MomentFormat, *, needs: str) -> Format:
    """Return the format of rows that aren't stretches.

    Parameters
    ----------
    output : MomentFormat
    needs : str
        Option that prints stretches.

    Raises
    ------
    UsageError
        If the format is one of stretches.
    """
    if output in _WRITERS:
        raise UsageError(
            f"--format {output.value} needs {needs}.",
            hint=f"Add {needs}, or use --format table, json, jsonl, csv or paths.",
        )
    return Format(output.value)


def show_stretches(
    rows: Sequence[Mapping[str, Any]],
    stretches: Sequence[LabeledStretch],
    *,
    output: MomentFormat,
    **options: Any,
) -> None:
    """Print stretches: as rows, or in the format of another program.

    Parameters
    ----------
    rows : sequence of mappings
        For `show_rows`.
    stretches : sequence of LabeledStretch
        For the other formats.
    output : MomentFormat
    **options
        Further arguments of `show_rows`.
    """
    if output in _WRITERS:
        write_bytes(_WRITERS[output](stretches))
    else:
        show_rows(rows, output=Format(output.value), **options)


def audacity_labels(stretches: Sequence[LabeledStretch]) -> bytes:
    """Return a label track: a line with start, end and label for each stretch.

    Labels name their file if there are several, because a label track belongs to one file.
    """
    paths = {stretch.track.path for stretch in stretches}
    names = {os.path.basename(path) for path in paths}
    lines = []
    for stretch in stretches:
        path = stretch.track.path
        name = path if len(names) < len(paths) else os.path.basename(path)
        label = f"{stretch.label} {name}" if len(paths) > 1 else stretch.label
        lines.append(f"{stretch.start:.6f}\t{stretch.end:.6f}\t{single_line(label)}")
    return _lines(lines)


def raven_table(stretches: Sequence[LabeledStretch]) -> bytes:
    """Return a selection table of all files, opened in Raven one after the other.

    Begin and end are times since the start of the first file. The path and the offset in a file
    tell where it is in that file.
    """
    offsets: dict[str, float] = {}
    total = 0.0
    rows: list[str] = []
    for number, stretch in enumerate(stretches, start=1):
        track = stretch.track
        if track.path not in offsets:
            offsets[track.path] = total
            total += track.seconds
        before = offsets[track.path]
        cells = {
            "Selection": number,
            "View": "Spectrogram 1",
            "Channel": 1,
            "Begin Time (s)": f"{before + stretch.start:.3f}",
            "End Time (s)": f"{before + stretch.end:.3f}",
            "Low Freq (Hz)": "0.0",
            "High Freq (Hz)": f"{track.sample_rate_hz / 2 or _HEARD_HZ:.1f}",
            "Begin File": os.path.basename(track.path),
            "Begin Path": track.path,
            "File Offset (s)": f"{stretch.start:.3f}",
            **stretch.columns,
        }
        if not rows:
            rows.append("\t".join(cells))
        rows.append("\t".join(_cell(value) for value in cells.values()))
    return _lines(rows)


def vlc_playlist(stretches: Sequence[LabeledStretch]) -> bytes:
    """Return an M3U8 playlist in which VLC starts and stops each entry at its times."""
    entries = [
        replace(Entry.from_track(stretch.track), seconds=stretch.end - stretch.start)
        for stretch in stretches
    ]
    return write(entries, "Moments", options=[list(_vlc_options(each)) for each in stretches])


def _vlc_options(stretch: LabeledStretch) -> Iterator[str]:
    yield f"#EXTVLCOPT:start-time={stretch.start:.3f}"
    yield f"#EXTVLCOPT:stop-time={stretch.end:.3f}"


def _cell(value: Any) -> str:
    """Return a value as a cell: without the tabs and line breaks that end one."""
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else CONTROL_CHARACTERS.sub(" ", str(value))


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


_WRITERS = {
    MomentFormat.AUDACITY: audacity_labels,
    MomentFormat.RAVEN: raven_table,
    MomentFormat.M3U8: vlc_playlist,
}

"""Tables on a terminal, laid out for its width."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.filesize import decimal
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from audiosearch import defaults
from audiosearch.cli.escaping_console import stdout
from audiosearch.cli.text import SOUNDS, duration, joined_names, position, printable

if TYPE_CHECKING:
    from rich.console import Console

Cells = Mapping[str, str]

_MIN_PATH_WIDTH = 40  # with less room, a path gets a line of its own
_MIN_LABEL_WIDTH = 10
_GAP = 2  # between columns
_TAGS = ("title", "artist", "album")
_OWN_LINES = {"reason", "path"}
# Functions that write the values of columns.
_WRITERS: dict[str, Callable[[Any], str]] = {
    "seconds": lambda seconds: duration(seconds) if seconds else "",
    "at": position,
    "start": position,
    "end": position,
    "size": decimal,
    SOUNDS: lambda sounds: joined_names(sounds[: defaults.SOUNDS_SHOWN]),
}


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows on standard output. Columns without any value are left out.

    Each row is one line under a header. If that leaves too little room for the paths, sounds are
    left out too. If that isn't enough, each row is a line with numbers and tags, and a line with
    the path.
    """
    console = stdout()
    shown = [c for c in columns if not rows or any(row[c] not in (None, []) for row in rows)]
    numbers = {c for c in shown if all(type(row[c]) in (int, float, type(None)) for row in rows)}
    cells = [{column: _cell(column, row[column]) for column in shown} for row in rows]
    if rows and "path" in shown:
        needed = min(_MIN_PATH_WIDTH, max(cell_len(row["path"]) for row in cells))
        room = _room_for_paths(cells, shown, console.width)
        if room < needed and SOUNDS in shown:
            shown.remove(SOUNDS)
            room = _room_for_paths(cells, shown, console.width)
        if room < needed:
            _print_two_lines_each(console, cells, shown, numbers)
            return
        cells = [row | {"path": _shortened(row["path"], room)} for row in cells]
    _print_one_line_each(console, cells, shown, numbers)


def _room_for_paths(cells: Sequence[Cells], columns: Sequence[str], width: int) -> int:
    """Return the width that is left for paths if all other columns get the width they need."""
    widths = [
        max([cell_len(column), *(cell_len(row[column]) for row in cells)])
        for column in columns
        if column != "path"
    ]
    return width - sum(widths) - len(columns) * (_GAP + 1)


def _print_one_line_each(
    console: Console, cells: Sequence[Cells], columns: Sequence[str], numbers: set[str]
) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, _GAP, 0, 0))
    for column in columns:
        # Numbers and paths stay on one line. Other texts wrap.
        table.add_column(
            column.replace("_", " "),
            justify="right" if column in numbers else "left",
            overflow="fold",
            no_wrap=column in numbers or column == "path",
        )
    for row in cells:
        table.add_row(*(Text(row[column]) for column in columns))
    console.print(table)


def _print_two_lines_each(
    console: Console, cells: Sequence[Cells], columns: Sequence[str], numbers: set[str]
) -> None:
    """Print rows without a header. Texts that have a line of their own may wrap."""
    columns = _with_label(columns)
    rows = [{**row, "id": f"#{row.get('id')}", "label": _label(row)} for row in cells]
    beside = [column for column in columns if column not in _OWN_LINES]
    widths = {c: max(cell_len(row[c]) for row in rows) for c in beside}
    if "label" in widths:
        rest = sum(width + _GAP for column, width in widths.items() if column != "label")
        widths["label"] = max(_MIN_LABEL_WIDTH, min(widths["label"], console.width - rest))
    for row in rows:
        fitted = [_fitted(row[c], widths[c], is_right=c in numbers) for c in beside]
        line = (" " * _GAP).join(fitted)
        if cell_len(line.rstrip()) > console.width:  # too narrow to align columns
            line = (" " * _GAP).join(filter(None, (text.strip() for text in fitted)))
        if line.strip():
            console.print(Text(line.rstrip()), no_wrap=True, overflow="ellipsis")
        path = _without_folders(row["path"], console.width - _GAP)
        for text in filter(None, (row.get("reason"), path)):
            console.print(Padding(Text(text, overflow="fold"), (0, 0, 0, _GAP), expand=False))


def _with_label(columns: Sequence[str]) -> list[str]:
    """Return the columns with one column in place of those of tags."""
    names = ["label" if column in _TAGS else column for column in columns]
    return list(dict.fromkeys(names))


def _label(row: Cells) -> str:
    """Return the tags of a row as one text. A file without a title has its name in place of it."""
    title, *others = (row.get(column) for column in _TAGS)
    return " · ".join(filter(None, [title or os.path.basename(row["path"]), *others]))


def _fitted(text: str, width: int, *, is_right: bool) -> str:
    """Pad a text, or shorten it, to a width."""
    if cell_len(text) > width:
        return set_cell_size(text, width - 1) + "…"
    return set_cell_size(" " * (width - cell_len(text)) + text if is_right else text, width)


def _shortened(path: str, width: int) -> str:
    """Shorten a path on the left to a width."""
    path = _without_folders(path, width)
    while cell_len(path) > width:
        path = "…" + path[2:]
    return path


def _without_folders(path: str, width: int) -> str:
    """Leave out as many of a path's first folders as needed to fit a width; never the name."""
    shortened = path
    while cell_len(shortened) > width and os.sep in path:
        path = path.partition(os.sep)[2]
        shortened = f"…{os.sep}{path}"
    return shortened


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column in _WRITERS:
        return _WRITERS[column](value)
    if column == "path":
        value = value.removeprefix(os.getcwd() + os.sep)
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))

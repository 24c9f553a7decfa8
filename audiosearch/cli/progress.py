"""Progress bars: of files that are added, of downloads and conversions."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from audiosearch.cli.console import printable, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from audiosearch.ingest import Outcome


class IngestProgress:
    """Count, rate, times real time, time left and current file, on a terminal only."""

    def __init__(self, console: Console, paths: Sequence[str]) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[file]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._paths = paths
        self._task = self._bar.add_task("add", total=len(paths), pace="", file=self._file(0))
        self._started = perf_counter()
        self._n_done = 0
        self._sound_seconds = 0.0

    def __enter__(self) -> IngestProgress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def advance(self, outcome: Outcome) -> None:
        """Count one file."""
        self._n_done += 1
        self._sound_seconds += outcome.seconds
        elapsed = perf_counter() - self._started
        pace = f"{self._n_done / elapsed:.1f} files/s, {self._sound_seconds / elapsed:.0f}x"
        self._bar.update(self._task, advance=1, pace=pace, file=self._file(self._n_done))

    def _file(self, i: int) -> str:
        return printable(os.path.basename(self._paths[i])) if i < len(self._paths) else ""


class _SizeIfKnown(DownloadColumn):
    """Bytes done of bytes there are; nothing for a conversion, which counts none."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


class DownloadBars:
    """One bar a download or conversion; off a terminal, one line at its start."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            _SizeIfKnown(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> DownloadBars:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def show(self, what: str, done: int, total: int | None) -> None:
        """Show how far something is."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
            if self._bars.disable:
                say(f"{what} ...")
        self._bars.update(self._tasks[what], completed=done, total=total)

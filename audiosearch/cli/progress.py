"""The progress bar of ``add``."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from audiosearch.cli.console import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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

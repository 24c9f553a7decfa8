"""Progress bars for files being embedded, downloads and conversions."""

from __future__ import annotations

import contextlib
import math
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from audiosearch.cli.console import say, stderr
from audiosearch.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console


_REST_WIDTH = 64  # characters of all but the name of the file


class _Speed(ProgressColumn):
    """Column of files per second and speed relative to real time."""

    def __init__(self, audio_seconds: Callable[[], float]) -> None:
        super().__init__(Column(no_wrap=True))
        self._audio_seconds = audio_seconds

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or math.inf
        times = self._audio_seconds() / elapsed
        return Text(f"{task.completed / elapsed:.1f} files/s, {times:.0f} x real time")


class _TimeLeft(ProgressColumn):
    """Column of the time left, if the rest takes as long for its size as what is done."""

    def __init__(self, seconds_left: Callable[[float], float | None]) -> None:
        super().__init__(Column(no_wrap=True))
        self._seconds_left = seconds_left

    def render(self, task: Task) -> Text:
        seconds = self._seconds_left(task.elapsed or 0.0)
        text = "-:--:--" if seconds is None else str(timedelta(seconds=round(seconds)))
        return Text(text, style="progress.remaining")


class IngestProgress:
    """Progress bar for embedding files, on a terminal only.

    It shows the count, files per second, speed relative to real time, time left and the last file.
    """

    def __init__(self, console: Console, files: DecodedFiles) -> None:
        self._files = files
        self._size = self._size_done = self._started = 0.0
        self._bar = Progress(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(bar_width=12),
            _Speed(lambda: files.audio_seconds),
            _TimeLeft(self._seconds_left),
            TextColumn(
                "{task.fields[file]}",
                markup=False,
                table_column=Column(no_wrap=True, max_width=max(1, console.width - _REST_WIDTH)),
            ),
            console=console,
            transient=True,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("add", total=len(files), file="")

    def __enter__(self) -> IngestProgress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def advance(self, path: str) -> None:
        """Count one finished file."""
        self._size_done += self._files.sizes.get(path, 0.0)
        self._bar.update(self._task, advance=1, file=printable(os.path.basename(path)))

    def _seconds_left(self, elapsed: float) -> float | None:
        """Return the time left, given the time since the start; None before a file is done."""
        if not self._size:
            self._size, self._started = float(sum(self._files.sizes.values())), elapsed
        if not self._size_done:
            return None
        return (elapsed - self._started) * (self._size / self._size_done - 1)


class DecodedFiles(Protocol):
    """Files that are decoded one after the other."""

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio decoded so far."""

    @property
    def sizes(self) -> Mapping[str, float]:
        """Sizes of the files that are to be decoded, by path, in bytes or any other unit.

        They are known before the first file is done.
        """

    def __len__(self) -> int: ...


@contextlib.contextmanager
def file_progress(files: DecodedFiles, *, kept: str) -> Iterator[IngestProgress]:
    """Show a progress bar while files are decoded.

    Parameters
    ----------
    files : DecodedFiles
    kept : str
        The results that Ctrl-C doesn't lose, with a verb.

    Raises
    ------
    typer.Exit
        After Ctrl-C, with status 130.
    """
    try:
        with IngestProgress(stderr(), files) as bar:
            yield bar
    except KeyboardInterrupt:
        say(f"Interrupted. {kept} kept; run the same command to continue.")
        raise typer.Exit(130) from None


class _SizeIfKnown(DownloadColumn):
    """Column of bytes done out of the total; empty for a conversion, which has no total."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


class DownloadBars:
    """A bar per download or conversion. Without a terminal: one line when it starts."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _SizeIfKnown(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> DownloadBars:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def show(self, what: str, done: int, total: int | None) -> None:
        """Update the bar of one download or conversion.

        Parameters
        ----------
        what : str
            Its name, shown beside the bar.
        done : int
            Bytes so far.
        total : int or None
            Bytes in all, if known.
        """
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(printable(what), total=total)
            if self._bars.disable:
                say(f"{what} ...")
        self._bars.update(self._tasks[what], completed=done, total=total)

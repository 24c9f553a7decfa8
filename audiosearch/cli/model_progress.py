"""The callback that shows a model's download or conversion."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.cli.progress import DownloadBars
    from audiosearch.models.download import Progress


@contextlib.contextmanager
def model_progress() -> Iterator[Progress]:
    """Yield a progress callback for downloads and conversions. Its bars vanish at the end.

    Rich's progress bars are imported only once there is something to show.
    """
    with contextlib.ExitStack() as open_bars:
        bars: list[DownloadBars] = []

        def progress(what: str, done: int, total: int | None) -> None:
            if not bars:
                from audiosearch.cli.console import stderr
                from audiosearch.cli.progress import DownloadBars

                bars.append(open_bars.enter_context(DownloadBars(stderr())))
            bars[0].show(what, done, total)

        yield progress

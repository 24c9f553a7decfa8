"""Rich consoles that escape all text: only Rich's own styles and controls act on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console

from audiosearch.cli.streams import EscapingStream
from audiosearch.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment


class EscapingConsole(Console):
    """Console that escapes all text that it prints, once the text is laid out in lines and columns.

    An escape is longer than its character. So callers escape the texts of tables themselves, by
    `audiosearch.escapes.printable`.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of a renderable, with escaped text."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield segment._replace(text=printable(segment.text, keep="\n"))


def stdout() -> EscapingConsole:
    """Return a console on standard output."""
    stream = sys.stdout
    return EscapingConsole(file=stream.plain if isinstance(stream, EscapingStream) else stream)

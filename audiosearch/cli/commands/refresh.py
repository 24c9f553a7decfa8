"""``audiosearch refresh``."""

from __future__ import annotations

from audiosearch import defaults
from audiosearch.cli.options import IndexAt


def refresh(location: IndexAt = defaults.INDEX) -> None:
    """Read the tags of all files again, without embedding anything."""
    from audiosearch.cli.console import say
    from audiosearch.library.index import Index
    from audiosearch.maintenance import files

    with Index(location) as index:
        n_changed = sum(1 for _ in files.refresh(index))
    say(f"{n_changed} changed")

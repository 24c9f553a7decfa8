"""``audiosearch copy``."""

from __future__ import annotations

from typing import Annotated

import typer


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Index to copy.")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="Index to copy to. Created if missing.")
    ],
) -> None:
    """Copy a whole index to another folder, or to or from Milvus."""
    from rich.progress import Progress

    from audiosearch.cli.console import say, stderr
    from audiosearch.cli.text import counted
    from audiosearch.library.index import Index
    from audiosearch.maintenance.copy import copy as copy_index

    n_copied = 0
    with Index(source) as index:
        progress = copy_index(index, target)
        console = stderr()
        with Progress(
            console=console,
            transient=True,
            redirect_stderr=False,
            disable=not console.is_terminal,
        ) as bar:
            task = bar.add_task("Copying", total=index.n_tracks)
            for n_copied in progress:
                bar.update(task, completed=n_copied)
    say(f"{counted(n_copied, 'track')} copied")

"""``audiosearch watch``."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch import defaults, system
from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import (
    Excerpt,
    Exclude,
    Extensions,
    IndexAt,
    Jobs,
    ModelName,
    MomentHop,
    Moments,
    NoSounds,
    parse_suffixes,
)

if TYPE_CHECKING:
    from audiosearch.watching.report import Change, Note

_STYLES = {"added": "green", "failed": "bold red", "removed": "yellow"}


def watch(
    folders: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Folders to watch.")],
    location: IndexAt = defaults.INDEX,
    model: ModelName = "auto",
    *,
    network: NetworkOptions,
    excerpt: Excerpt = None,
    jobs: Jobs = None,
    nice: Annotated[
        int,
        typer.Option(
            min=0, max=19, metavar="N", help="Leave the processor to other programs: 19 most."
        ),
    ] = defaults.WATCH_NICE,
    poll: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            metavar="SECONDS",
            help="Look through the folders this often, for network folders: the system doesn't "
            "tell what other machines change there.",
        ),
    ] = None,
    exclude: Exclude = None,
    extensions: Extensions = None,
    no_sounds: NoSounds = False,
    moments: Moments = False,
    moment_hop: MomentHop = None,
) -> None:
    """Keep the index up to date with folders while their files change, until Ctrl-C."""
    from audiosearch.audio.decode import SUFFIXES
    from audiosearch.cli.console import say
    from audiosearch.watching.options import WatchOptions
    from audiosearch.watching.watch import Watch

    system.lower_priority(nice)
    signal.signal(signal.SIGTERM, _stop)
    with network.requested(model) as request:
        watching = Watch(
            location,
            folders,
            WatchOptions(
                exclude=exclude or [],
                suffixes=parse_suffixes(extensions) if extensions else SUFFIXES,
                request=request,
                excerpt_seconds=excerpt,
                moments=moments,
                moment_hop=moment_hop,
                sounds=not no_sounds,
                n_jobs=jobs,
                poll_seconds=poll,
            ),
        )
    try:
        for report in watching:
            _show(report)
    except KeyboardInterrupt:
        say("Stopped.")
        raise
    except SystemExit:
        say("Stopped.")


def _stop(*_: object) -> None:
    """End the process as Ctrl-C does, but with status 0: systemd stops services by SIGTERM."""
    raise SystemExit(0)


def _show(report: Change | Note) -> None:
    from audiosearch.cli.console import say, say_hint, warn
    from audiosearch.watching.report import Note

    if isinstance(report, Note):
        if report.hint is None:
            say(report.message)
            return
        warn(report.message)
    else:
        text = f"{report.path}: {report.message}" if report.message else report.path
        say(text, label=f"{report.status}: ", style=_STYLES.get(report.status, ""))
    if report.hint:
        say_hint(report.hint)

"""Run an `Ingest` with a progress bar and a report, for `add` and `demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiosearch.ingest.add import AddResult, Ingest


def run_ingest(ingest: Ingest) -> list[AddResult]:
    """Add the files with a progress bar, and report the results on standard error.

    Raises
    ------
    typer.Exit
        After Ctrl-C, with status 130. What was added so far stays in the index.
    """
    from time import perf_counter

    from audiosearch.cli.progress import file_progress

    results: list[AddResult] = []
    started = perf_counter()
    try:
        with file_progress(ingest, kept="The files added so far are") as bar:
            for result in ingest:
                results.append(result)
                bar.advance(result.path)
    finally:
        _report(results, perf_counter() - started)
    return results


def _report(results: list[AddResult], wall_seconds: float) -> None:
    from audiosearch.cli.console import say, say_failed, say_hint, warn
    from audiosearch.cli.text import counted, duration
    from audiosearch.ingest.add import Status

    failures: dict[str, list[AddResult]] = {}
    for result in results:
        if result.is_known_failure:
            continue
        if result.status is Status.FAILED:
            failures.setdefault(result.hint or "", []).append(result)
        elif result.message:
            warn(f"{result.path}: {result.message}")
    for hint, same_hint in failures.items():
        for result in same_hint:
            say_failed(f"{result.path}: {result.message}")
        say_hint(hint)
    counts = ", ".join(
        f"{count} {status.value}"
        for status in Status
        if (count := sum(result.status is status for result in results))
        or status not in (Status.MOVED, Status.RETAGGED)
    )
    audio_seconds = sum(result.seconds for result in results)
    speed = (
        f" ({duration(audio_seconds)} of audio, {audio_seconds / wall_seconds:.0f} times real time)"
    )
    say(counts + (speed if audio_seconds else ""))
    n_known = sum(result.is_known_failure for result in results)
    if n_known:
        failed = counted(n_known, "file that failed", "files that failed")
        say(
            f"Skipped {failed} before. `audiosearch failures` lists them, and --retry tries them "
            "again."
        )

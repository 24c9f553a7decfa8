"""Read a listening history, whichever program wrote it."""

from __future__ import annotations

import os
import time
import zipfile
import zlib
from typing import TYPE_CHECKING

from audiosearch.errors import LibraryError
from audiosearch.paths import why_missing
from audiosearch.plays.history import ListeningHistory, Recording, TooLarge, collect
from audiosearch.plays.listenbrainz import plays_in_json, plays_in_zip
from audiosearch.plays.mpd_log import plays_in_log

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

_HINT = "Use an export of ListenBrainz (.zip, .jsonl or .json), or the log of MPD."
_HEAD_BYTES = 1_000

# Exceptions that the readers raise for damaged files.
_MALFORMED = (
    *(ValueError, EOFError, RecursionError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, OverflowError),
)


def read_history(path: str) -> ListeningHistory:
    """Read an export of ListenBrainz, an answer of its HTTP interface, or a log of MPD.

    Raises
    ------
    LibraryError
        If the file can't be read, is damaged, or has no plays.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise _unreadable(path, "it is not a file")
        with open(path, "rb") as file:
            history = collect(path, _plays(file), now=time.time())
    except OSError as exc:
        is_missing = isinstance(exc, FileNotFoundError)
        reason = why_missing(path) if is_missing else str(exc.strerror or exc).lower()
        raise _unreadable(path, reason, hint="Check the path.") from exc
    except TooLarge as exc:
        raise _unreadable(path, str(exc), hint="Use a part of it.") from exc
    except _MALFORMED as exc:
        raise _unreadable(path, "it is damaged or cut off", hint="Export it again.") from exc
    if not history.times:
        left_out = "; ".join(history.warnings)
        message = (
            f"{left_out}; it contains no other plays." if left_out else f"{path} contains no plays."
        )
        raise LibraryError(message, hint=_HINT)
    return history


def _plays(file: io.BufferedReader) -> Iterator[tuple[Recording, float] | None]:
    """Return the plays in a file, whose first bytes tell the format."""
    head = file.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    if head.startswith(b"PK"):
        return plays_in_zip(file)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
        return plays_in_json(file)
    return plays_in_log(file, changed=os.fstat(file.fileno()).st_mtime)


def _unreadable(path: str, reason: str, *, hint: str = _HINT) -> LibraryError:
    return LibraryError(f"Can't read {path} as a listening history: {reason}.", hint=hint)

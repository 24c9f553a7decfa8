"""Size and modification time of files behind URLs, from the details that fsspec lists."""

from __future__ import annotations

import contextlib
import math
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from audiosearch.audio.file_stat import storable_ns

# Names under which filesystems list the modification time, and a digest of the content.
_TIME_KEYS = ("mtime", "LastModified", "last_modified", "updated", "Last-Modified", "created")
_DIGEST_KEYS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "checksum", "crc32c")
_SECOND_NS = 10**9


def url_size_and_mtime(details: dict[str, Any]) -> tuple[int, int]:
    """Return the size and modification time of a file behind a URL.

    Parameters
    ----------
    details : dict
        Details of the file, as ``info`` of an fsspec filesystem returns them.

    Returns
    -------
    size : int
        Size in bytes; 0 if it is unknown.
    mtime_ns : int
        Modification time in ns since 1970. Below a second, where object stores tell none, it is
        a number that changes with the content. So it is as a whole if the time is unknown.
    """
    size = int(details.get("size") or 0)
    digests = [str(details[key]) for key in _DIGEST_KEYS if details.get(key)]
    times = ((key, _nanoseconds(details.get(key))) for key in _TIME_KEYS)
    key, mtime_ns = next(((key, time) for key, time in times if time is not None), ("", None))
    if mtime_ns is None:
        return size, _number(digests or [str(size)])
    mtime_ns = storable_ns(mtime_ns)
    # Servers that share a website may have different ETags for a file, but the same time.
    if digests and mtime_ns % _SECOND_NS == 0 and key != "Last-Modified":
        mtime_ns += _number(digests) % _SECOND_NS
    return size, mtime_ns


def _number(texts: list[str]) -> int:
    """Return a number below 2^63 that depends on texts."""
    from blake3 import blake3

    return int.from_bytes(blake3("\n".join(texts).encode()).digest(length=8), "big") >> 1


def _nanoseconds(time: object) -> int | None:
    """Convert a time (seconds, a datetime or text) to nanoseconds since 1970."""
    if isinstance(time, str):
        time = _parse_time(time)
    if isinstance(time, datetime):
        if time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        since = time - datetime(1970, 1, 1, tzinfo=timezone.utc)
        return max(0, (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000)
    if isinstance(time, (int, float)) and math.isfinite(microseconds := time * 1e6):
        return max(0, round(microseconds) * 1_000)  # a float is no more precise
    return None


def _parse_time(text: str) -> datetime | None:
    """Parse a time in ISO 8601, or as in e-mail and HTTP headers."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        with contextlib.suppress(ValueError):
            return parse(
                text.replace("Z", "+00:00") if parse is not parsedate_to_datetime else text
            )
    return None

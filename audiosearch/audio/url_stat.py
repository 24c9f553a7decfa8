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
        Modification time in ns since 1970. If it is unknown, a number that changes with the
        content, as far as the details show it.
    """
    from blake3 import blake3

    size = int(details.get("size") or 0)
    times = (_nanoseconds(details.get(key)) for key in _TIME_KEYS)
    mtime_ns = next((time for time in times if time is not None), None)
    if mtime_ns is not None:
        return size, storable_ns(mtime_ns)
    digests = [str(details[key]) for key in _DIGEST_KEYS if details.get(key)] or [str(size)]
    return size, int.from_bytes(blake3("\n".join(digests).encode()).digest(length=8), "big") >> 1


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

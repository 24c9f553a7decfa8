"""JSON, and files with it, that another program may have written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def parse_json(text: str | bytes, **options: Any) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    text : str or bytes
    **options
        Options of `json.loads`.

    Raises
    ------
    ValueError
        If it isn't valid, is nested too deeply, or has a number with too many digits. The message
        is a phrase.
    """
    try:
        return json.loads(text, **options)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError as exc:  # from `int`
        raise ValueError("it has a number with too many digits") from exc


def read_limited(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it has more bytes than the limit. The message is a phrase.
    """
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes:,} bytes")
    return content

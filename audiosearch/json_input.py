"""JSON that another program may have written."""

from __future__ import annotations

import json
from typing import Any


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

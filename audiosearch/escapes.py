"""Escapes for the characters with which a text can act on a terminal, or look like another text.

These are control characters, line separators, characters that reorder or hide their neighbors, and
surrogates, which stand for bytes that aren't UTF-8. All characters that people write with stay as
they are, such as Arabic, Hebrew, joined emoji and all kinds of spaces.
"""

from __future__ import annotations

import functools
import re
from typing import Any

# Persian and Indic words and emoji need joiners (U+200C, U+200D); between other characters, they
# are invisible.
_JOINED = "\u0300-\u1fff\u2070-\ud7ff\ue000-\ufefe\uff00-\ufff8\U00010000-\U000dffff"
_UNSAFE = (
    "\U0001f3f4[\U000e0020-\U000e007e]{3,6}\U000e007f"  # a flag, such as Scotland's
    "|[\0-\x1f\x7f-\x9f\u2028\u2029"  # control characters and line separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of writing
    "\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # hidden
    "\ud800-\udfff]"
    f"|(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])"
)


@functools.cache
def _unsafe() -> re.Pattern[str]:
    """Compile the expression when it is first needed, because that takes 5 ms."""
    return re.compile(_UNSAFE)


def printable(text: str, *, keep: str = "") -> str:
    r"""Escape the characters of a text that a terminal would act on, as Python does.

    Parameters
    ----------
    text : str
    keep : str
        Characters to leave as they are, such as line breaks.

    Examples
    --------
    >>> print(printable("a" + chr(9) + "b" + chr(0x202E) + "c"))
    a\tb\u202ec
    """
    rest = text
    for character in keep:
        rest = rest.replace(character, "")
    if rest.isprintable():
        return text
    return _unsafe().sub(
        lambda match: match[0] if len(match[0]) > 1 or match[0] in keep else ascii(match[0])[1:-1],
        text,
    )


def json_text(value: Any, **options: Any) -> str:
    r"""Return JSON in which the same characters are escaped, so that readers restore them.

    Parameters
    ----------
    value
        Anything that JSON can represent. A number that is not finite is an error.
    **options
        As for `json.dumps`.

    Examples
    --------
    >>> print(json_text("é" + chr(0x9B) + chr(0x202E)))
    "é\u009b\u202e"
    """
    import json

    return escaped_json(json.dumps(value, ensure_ascii=False, allow_nan=False, **options))


def escaped_json(text: str) -> str:
    """Return a JSON text with these characters escaped."""
    return text if text.isprintable() else _unsafe().sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    characters = match[0]
    if characters == "\n" or len(characters) > 1:  # a line break between values
        return characters
    units = characters.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))

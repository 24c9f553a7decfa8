"""Patterns of files to leave out, as in a ``.gitignore``, matched in linear time."""

from __future__ import annotations

import itertools
import os
import re
import warnings
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from audiosearch.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IGNORE_FILE = ".audiosearchignore"
MAX_IGNORE_FILE_BYTES = 1_000_000
MAX_PATTERNS = 5_000  # in one ignore file; each is compared with each path
MAX_PATTERN_LENGTH = 4_096  # characters; Linux allows no longer path

_HINT = f"Write patterns for --exclude and {IGNORE_FILE} as in a .gitignore."

# Parts of the regular expressions of pathspec. In a pattern, a slash always separates segments, so
# no literal text and no set of characters looks like one of them.
_STARS = re.compile(r"((?:\[\^/\]\*)+)")  # a "*", or several
_SETS = re.compile(r"\\.|\[\^/\]|(\[\^?\]?[^\]]*\])", re.DOTALL)  # such as "[!a-c]", in the group
_ANY_FOLDERS = "(?:/.+)?"  # a "**" between two segments
_LEADING_FOLDERS = "^(?:.+/)?"  # a "**" at the start


class IgnorePatterns:
    """Patterns of files to leave out, in one folder and below; ``path in patterns`` tests a path.

    Parameters
    ----------
    folder : str
        Folder that the patterns are relative to.
    patterns : iterable of str
        Lines as in a ``.gitignore``.

    Raises
    ------
    UsageError
        If a pattern is invalid.
    """

    def __init__(self, folder: str, patterns: Iterable[str]) -> None:
        self._prefix = os.path.join(folder, "")
        lines = list(patterns)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about patterns that later versions will reject
                # Another backend may be installed, but can't run these regular expressions.
                self._spec = GitIgnoreSpec.from_lines(lines, _LinearPattern, backend="simple")
        except (ValueError, re.error) as exc:
            raise UsageError(
                f"One of the patterns for {folder} is invalid: {', '.join(lines)}.", hint=_HINT
            ) from exc

    def __contains__(self, path: str) -> bool:
        return self._spec.match_file(path.removeprefix(self._prefix).replace(os.sep, "/"))


def read_patterns(path: str) -> list[str]:
    """Return the patterns in an ignore file.

    Raises
    ------
    AudioError
        If the file can't be read, or holds too much.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_IGNORE_FILE_BYTES + 1)
    except OSError as exc:
        raise AudioError(path, "it can't be read", hint="Check its read permission.") from exc
    if len(content) > MAX_IGNORE_FILE_BYTES:
        raise AudioError(path, f"it is larger than {MAX_IGNORE_FILE_BYTES:,} bytes", hint=_HINT)
    lines = content.decode("utf-8-sig", errors="surrogateescape").splitlines()
    number = next((n for n, line in enumerate(lines, 1) if len(line) > MAX_PATTERN_LENGTH), None)
    if number is not None:
        reason = f"line {number:,} is longer than {MAX_PATTERN_LENGTH:,} characters"
        raise AudioError(path, reason, hint=_HINT)
    patterns = [line for line in lines if line not in ("", "!", "\\")]
    if len(patterns) > MAX_PATTERNS:
        reason = f"it has {len(patterns):,} patterns, and at most {MAX_PATTERNS:,} are read"
        raise AudioError(path, reason, hint="Use wildcards in place of single names.")
    return patterns


class _LinearPattern(GitIgnoreSpecPattern):
    """A pattern of pathspec with a regular expression that never tries a part twice."""

    @classmethod
    def pattern_to_regex(cls, pattern: str) -> tuple[str | None, bool | None]:  # type: ignore[override]
        """Return the regular expression of a pattern, and whether it leaves files out."""
        regex, include = super().pattern_to_regex(pattern)
        return (linear_regex(regex) if regex else regex), include


def linear_regex(regex: str) -> str:
    """Return pathspec's regular expression of a pattern, rewritten to match in linear time.

    A wildcard takes the shortest text that the part after it allows. That finds every match: a
    longer text would only leave less for the other wildcards. The last wildcard of a segment, and
    the last "**", have to reach the end, so they stay as they are. As in Git, and unlike in
    pathspec, no set of characters contains the slash.

    Examples
    --------
    >>> linear_regex("^[^/]*a[^/]*b$")
    '(?s)^(?=(?P<g0>[^/]*?a))(?P=g0)[^/]*b$'
    """
    regex = _SETS.sub(lambda match: f"(?!/){match[1]}" if match[1] else match[0], regex)
    numbers = itertools.count()

    def atomic(part: str) -> str:  # Python 3.11 has `(?>...)` for this
        name = f"g{next(numbers)}"
        return f"(?=(?P<{name}>{part}))(?P={name})"

    parts = regex.split(_ANY_FOLDERS)
    linear = [_linear_segments(part.removeprefix(_LEADING_FOLDERS), atomic) for part in parts]
    leading = parts[0].startswith(_LEADING_FOLDERS)
    if len(parts) == 1:
        return f"(?s){_LEADING_FOLDERS * leading}{linear[0]}"
    first = "^" + atomic(f"(?:.+?/)??{linear[0]}(?=/)") if leading else linear[0]
    middle = [atomic(f"(?:/.+?)??{part}(?=/)") for part in linear[1:-1]]
    return f"(?s){first}{''.join(middle)}{_ANY_FOLDERS}{linear[-1]}"


def _linear_segments(part: str, atomic: Callable[[str], str]) -> str:
    """Rewrite segments between two "**" so that only the last star of a segment can backtrack."""
    first, *pairs = _STARS.split(part)
    chunks = pairs[1::2]
    rewritten = [first]
    for number, chunk in enumerate(chunks, start=1):
        is_last = number == len(chunks) or "/" in chunk.replace("[^/]", "").replace("(?!/)", "")
        rewritten.append(f"[^/]*{chunk}" if is_last else atomic(f"[^/]*?{chunk}"))
    return "".join(rewritten)

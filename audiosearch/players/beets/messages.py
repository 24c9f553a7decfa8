"""Errors as users of beets read them: with the settings and commands of the plugin."""

from __future__ import annotations

import re

from audiosearch.errors import IndexNotFound, ModelMismatch

_EMBED = "Run `beet audiosearch` to embed the library."
_SETTINGS = "in the section `audiosearch` of `beet config -e`"
#: Patterns of what only the command line of audiosearch has, and what to write instead.
_REPLACEMENTS = (
    (re.compile(r"--(model|index)\b(?: [A-Z]+| \.\.\.)?"), rf"`\1` {_SETTINGS}"),
    (re.compile(r"--weights(?: FILE)?"), "the environment variable AUDIOSEARCH_WEIGHTS"),
    (re.compile(r"`audiosearch add[^`]*`"), "`beet audiosearch`"),
)
_COMMAND = re.compile(r"`audiosearch (?!model )([^`]*)`")


def sentences(error: Exception, location: str) -> str:
    """Return an error as one line, with its hint.

    Parameters
    ----------
    error : Exception
    location : str
        Location of the index.

    Examples
    --------
    >>> from audiosearch.errors import LibraryError
    >>> sentences(LibraryError("It is damaged.", hint="Run `audiosearch doctor`."), "/music/index")
    'It is damaged. Run `audiosearch doctor --index /music/index`.'
    """
    message = str(error)
    message += "" if message.endswith((".", "?", "!")) else "."
    if isinstance(error, IndexNotFound):
        return f"{message} {_EMBED}"
    if isinstance(error, ModelMismatch):
        return f"{message} Change `model` or `index` {_SETTINGS}."
    hint = getattr(error, "hint", "")
    for pattern, replacement in _REPLACEMENTS:
        hint = pattern.sub(replacement, hint)
    hint = _COMMAND.sub(lambda match: f"`audiosearch {match[1]} --index {location}`", hint)
    return f"{message} {hint}".strip()

"""Every failure a user can cause, each with a way out.

::

    AudiosearchError
    ├── UsageError                 the request itself makes no sense (exit 2)
    │   └── AmbiguousTrack         words that name several tracks
    ├── AudioError                 one file cannot become an embedding
    │   └── Unreachable            it cannot be had where it is wanted, and may be at another time
    ├── ModelError                 a model cannot be had, or cannot be run
    │   ├── DownloadError          a file cannot be fetched, or is not what was promised
    │   ├── WeightsError           a file is not what its model needs
    │   └── ModelUnavailable       the model's weights are not on this machine
    ├── MissingExtra               a package that only some commands need is not installed
    └── LibraryError               an index cannot do what was asked of it
        ├── IndexNotFound          no index where one was named
        ├── IndexUnwritable        the index, or its folder, cannot be written
        ├── ModelMismatch          the index holds another model's embeddings
        └── TrackNotFound          nothing is stored under that path or id
"""

from __future__ import annotations

from typing import Any


class AudiosearchError(Exception):
    """A failure worth one plain sentence, plus a hint on how to get past it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the hint when the error crosses a process boundary."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[AudiosearchError], args: tuple[Any, ...], state: dict[str, Any]
) -> AudiosearchError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(AudiosearchError):
    """What was asked for makes no sense, whatever the files hold."""

    exit_code = 2


class AmbiguousTrack(UsageError):
    """Words that name several tracks; ``candidates`` are a line each, best first."""

    def __init__(self, message: str, *, hint: str, candidates: list[str]) -> None:
        super().__init__(message, hint=hint)
        self.candidates = candidates


class AudioError(AudiosearchError):
    """A file that cannot become an embedding; ``reason`` is the sentence without its path."""

    def __init__(self, path: str, reason: str, *, hint: str) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path
        self.reason = reason

    def of(self, path: str) -> AudioError:
        """Return the same failure of the file at another path."""
        return type(self)(path, self.reason, hint=self.hint)


class Unreachable(AudioError):
    """A file that cannot be had where it is wanted; it is worth another try as it is."""


class ModelError(AudiosearchError):
    """A model that cannot be had, or cannot be run."""


class DownloadError(ModelError):
    """A download that failed, or brought something else than promised."""


class WeightsError(ModelError):
    """A weights file with the wrong names, shapes or contents."""


class ModelUnavailable(ModelError):
    """A model whose weights are not on this machine."""


class MissingExtra(AudiosearchError):
    """A package that only some commands need, and that is not installed.

    Parameters
    ----------
    what : str
        Who needs it: "`audiosearch map`".
    extra : str
        What installs it: ``pip install 'audiosearch[EXTRA]'``.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the package {package}, which is not installed.",
            hint=f"pip install 'audiosearch[{extra}]'; in a checkout, pip install '.[{extra}]'",
        )


class LibraryError(AudiosearchError):
    """An index that cannot do what was asked of it."""


class IndexNotFound(LibraryError):
    """A folder that holds no index."""


class IndexUnwritable(LibraryError):
    """An index, or its folder, that cannot be written."""


class ModelMismatch(LibraryError):
    """Embeddings of two models, which cannot be compared."""


class TrackNotFound(LibraryError):
    """A path or id under which nothing is stored."""

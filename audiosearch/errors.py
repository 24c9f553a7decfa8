"""Exceptions that a user can cause. Each has a message and a hint on what to do next.

::

    AudiosearchError
    ├── UsageError                 the request is invalid (exit code 2)
    │   └── AmbiguousTrack         a name matches several tracks
    ├── AudioError                 a file can't be embedded
    │   └── Unreachable            the file can't be read from here now; a later try may succeed
    ├── ModelError                 a model is unavailable or can't be run
    │   ├── DownloadError          a download failed or has the wrong content
    │   ├── WeightsError           a weights file doesn't fit its model
    │   └── ModelUnavailable       the model's weights are not on this machine
    ├── MissingExtra               an optional package is not installed
    ├── StorageFull                the disk for temporary files is full
    ├── TookTooLong                the time limit of a piece of work is over
    ├── PlayerError                a player or music server can't do what was asked
    │   └── PlayerUnreachable      it can't be reached now; a later try may succeed
    └── LibraryError               an index can't do what was asked
        ├── IndexNotFound          there is no index at the location
        ├── IndexUnwritable        the index or its folder can't be opened or written
        ├── NewerIndex             a newer version of audiosearch made or changed the index
        ├── OverMemoryLimit        a search needs more memory than `optimize` was told
        ├── ModelMismatch          the index holds another model's embeddings
        └── TrackNotFound          no track has this path or id
"""

from __future__ import annotations

import errno
from typing import Any


class AudiosearchError(Exception):
    """Base class: a one-sentence message, plus a hint on what to do next.

    Parameters
    ----------
    message : str
        One sentence that says what happened.
    hint : str
        Next step for the user, as a command where possible.

    Attributes
    ----------
    hint : str
    exit_code : int
        Exit code of the command line.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the hint when the error crosses a process boundary."""
        return rebuild, (type(self), self.args, self.__dict__)


def rebuild(
    error_type: type[AudiosearchError], args: tuple[Any, ...], state: dict[str, Any]
) -> AudiosearchError:
    """Make an error again from its pickle."""
    error = error_type.__new__(error_type, *args)
    error.__dict__.update(state)
    return error


class UsageError(AudiosearchError):
    """The request itself is invalid, regardless of the contents of any file."""

    exit_code = 2


class AmbiguousTrack(UsageError):
    """A name matches several tracks.

    Attributes
    ----------
    candidates : list of str
        One line per matching track, best match first.
    """

    def __init__(self, message: str, *, hint: str, candidates: list[str]) -> None:
        super().__init__(message, hint=hint)
        self.candidates = candidates


class AudioError(AudiosearchError):
    """A file can't be embedded.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        The message without the path.
    """

    def __init__(self, path: str, reason: str, *, hint: str) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path
        self.reason = reason

    def at(self, path: str) -> AudioError:
        """Return the same error for the file at another path."""
        return type(self)(path, self.reason, hint=self.hint)


class Unreachable(AudioError):
    """A file can't be read from this machine at the moment; a later try may succeed."""


class ModelError(AudiosearchError):
    """A model is unavailable or can't be run."""


class DownloadError(ModelError):
    """A download failed or has the wrong content."""


class WeightsError(ModelError):
    """A weights file has the wrong names, shapes or contents."""


class ModelUnavailable(ModelError):
    """The model's weights are not on this machine."""


class MissingExtra(AudiosearchError):
    """An optional package is not installed.

    Parameters
    ----------
    feature : str
        Feature that needs the package, as the subject of a sentence: "`audiosearch map`".
    package : str
        Name of the package.
    extra : str
        Extra that installs it: see `audiosearch.installation.install_command`.
    """

    def __init__(self, feature: str, package: str, extra: str) -> None:
        from audiosearch.installation import install_command

        super().__init__(
            f"{feature} needs the package {package}, which is not installed.",
            hint=install_command(extra),
        )


class StorageFull(AudiosearchError):
    """The disk for temporary files is full."""


class TookTooLong(AudiosearchError):
    """The time limit of a piece of work is over: see `audiosearch.time_limit`."""


class PlayerError(AudiosearchError):
    """A player or music server can't be reached, refuses, or can't do what was asked."""


class PlayerUnreachable(PlayerError):
    """A player or music server can't be reached at the moment; a later try may succeed."""


class LoginRefused(PlayerError):
    """A player or music server refuses the user or the password."""


class LibraryError(AudiosearchError):
    """An index can't do what was asked."""


class IndexNotFound(LibraryError):
    """There is no index at the given location."""


class IndexUnwritable(LibraryError):
    """The index or its folder can't be opened or written."""


class NewerIndex(LibraryError):
    """A newer version of audiosearch made or changed the index.

    Parameters
    ----------
    location : str
        Location of the index.
    version : str
        Things in the index that this version doesn't know, as a noun phrase.
    """

    def __init__(self, location: object, version: str) -> None:
        super().__init__(
            f"The index {location} belongs to a newer version of audiosearch: it has {version}.",
            hint="Install the latest version with `pip install --upgrade audiosearch`, or use "
            "another index with --index DIR.",
        )


class OverMemoryLimit(LibraryError):
    """A search needs more memory than the limit that `optimize` was given."""


class ModelMismatch(LibraryError):
    """Embeddings of different models can't be compared."""


class TrackNotFound(LibraryError):
    """No track of the index has the given path or id."""


class PlaylistNotFound(LibraryError):
    """No saved playlist of the index has the given name."""


class RefusedAnswer(Exception):
    """An answer of a server that isn't accepted; translated before a user sees it.

    The message is a phrase that follows the URL.
    """


def is_disk_full(error: OSError) -> bool:
    """Return whether an error says that a disk, or this user's or process's share, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

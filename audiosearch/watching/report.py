"""Reports of a watch: changes of the index, and notes."""

from __future__ import annotations

from dataclasses import dataclass

from audiosearch.errors import AudiosearchError, is_disk_full


@dataclass(frozen=True, slots=True)
class Change:
    """A file whose track has changed, or that can't be embedded.

    Attributes
    ----------
    path : str
    status : str
        "added", "moved", "retagged", "removed" or "failed".
    message : str or None
        Reason why the file failed, or why only part of it was embedded.
    hint : str or None
        Next step for a failed file.
    """

    path: str
    status: str
    message: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about the watch itself.

    Attributes
    ----------
    message : str
    hint : str or None
        Next step, if something is wrong.
    """

    message: str
    hint: str | None = None


def away_note(folder: str) -> Note:
    """Return the note that a folder is missing, or can't be opened."""
    return Note(
        f"{folder} is not there. Its tracks stay in the index, and it is watched again once it is "
        "back.",
        "If the folder moved, use `audiosearch relocate`.",
    )


def kept_note(folder: str) -> Note:
    """Return the note that a folder holds no audio files any more."""
    return Note(
        f"{folder} holds no audio files, perhaps because its disk is not mounted. Its tracks stay "
        "in the index.",
        "If you deleted the files, run `audiosearch prune`.",
    )


def problem_note(error: AudiosearchError | OSError) -> Note:
    """Return the note that something doesn't work for now."""
    if isinstance(error, AudiosearchError):
        return Note(f"{error} Trying again until it works.", error.hint)
    cause = "the disk is full" if is_disk_full(error) else error.strerror or str(error)
    return Note(f"Can't go on: {cause}. Trying again until it works.", "Check the disk.")

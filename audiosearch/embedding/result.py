"""Result of embedding one of many files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiosearch.audio.file_stat import FileStat
    from audiosearch.audio.tags import Tags
    from audiosearch.embedding.embedder import Embedding
    from audiosearch.errors import AudioError


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """Result of embedding one file.

    Attributes
    ----------
    path : str
    file_stat : FileStat or None
        Size, modification time and hashes; None if the file can't be opened.
    embedding : Embedding or None
        None for a file that failed, or whose content or audio is already known.
    tags : Tags or None
        Tags of the file; None if it failed, or its content is already known.
    duplicate_of : str or None
        Path of the file with the same content that was embedded instead.
    error : AudioError or None
        Reason why the file failed; None if it didn't.
    """

    path: str
    file_stat: FileStat | None = None
    embedding: Embedding | None = None
    tags: Tags | None = None
    duplicate_of: str | None = None
    error: AudioError | None = None

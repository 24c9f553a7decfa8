"""Find music and sounds by how they sound.

Names are loaded when they are first used, so that importing this package costs nothing.
"""

# Nothing is imported here, not even __future__: see `audiosearch.import_path`.
TYPE_CHECKING = False  # as in typing, whose import takes longer than this module
if TYPE_CHECKING:
    from typing import Any

    from audiosearch.embedding.embedder import Embedder
    from audiosearch.errors import (
        AudioError,
        AudiosearchError,
        DownloadError,
        IndexNotFound,
        IndexUnwritable,
        LibraryError,
        ModelError,
        ModelMismatch,
        ModelUnavailable,
        NewerIndex,
        TrackNotFound,
        UsageError,
        WeightsError,
    )
    from audiosearch.ingest.add import add
    from audiosearch.library.index import Index
    from audiosearch.models.log_mel import log_mel_patches
    from audiosearch.search.similar import similar
    from audiosearch.search.similar_moments import similar_moments
    from audiosearch.search.sounds import sounds

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(
        (
            "AudioError",
            "AudiosearchError",
            "DownloadError",
            "IndexNotFound",
            "IndexUnwritable",
            "LibraryError",
            "ModelError",
            "ModelMismatch",
            "ModelUnavailable",
            "NewerIndex",
            "TrackNotFound",
            "UsageError",
            "WeightsError",
        ),
        "audiosearch.errors",
    ),
    "Embedder": "audiosearch.embedding.embedder",
    "Index": "audiosearch.library.index",
    "add": "audiosearch.ingest.add",
    "log_mel_patches": "audiosearch.models.log_mel",
    "similar": "audiosearch.search.similar",
    "similar_moments": "audiosearch.search.similar_moments",
    "sounds": "audiosearch.search.sounds",
}

__all__ = [
    "AudioError",
    "AudiosearchError",
    "DownloadError",
    "Embedder",
    "Index",
    "IndexNotFound",
    "IndexUnwritable",
    "LibraryError",
    "ModelError",
    "ModelMismatch",
    "ModelUnavailable",
    "NewerIndex",
    "TrackNotFound",
    "UsageError",
    "WeightsError",
    "add",
    "log_mel_patches",
    "similar",
    "similar_moments",
    "sounds",
]


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

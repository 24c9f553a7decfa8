"""The user's cache folder: downloads, converted models, and what is known of local files.

::

    <cache>/downloads/<sha512, 16 digits>/<name>   verified downloads
    <cache>/models/<weights_digest>.tflite            models ready to run
    <cache>/known/<digest of a key>                digests of weights seen before
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch.atomic import atomic_path
from audiosearch.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_WEIGHTS_DIGEST = re.compile("[0-9a-f]{64}")


def cache_dir() -> Path:
    """Return the cache folder: ``AUDIOSEARCH_CACHE``, or the platform's usual place."""
    named = os.environ.get("AUDIOSEARCH_CACHE")
    if named:
        return Path(os.path.expanduser(named))
    from platformdirs import user_cache_path

    return user_cache_path("audiosearch", appauthor=False)


def model_path(weights_digest: str) -> Path:
    """Return where the model with that weights_digest is kept, once it is there.

    Raises
    ------
    ValueError
        Where it is no weights_digest: not 64 hexadecimal digits.
    """
    if not _WEIGHTS_DIGEST.fullmatch(weights_digest):
        message = f"{weights_digest!r} is not a weights digest"
        raise ValueError(message)
    return cache_dir() / "models" / f"{weights_digest}.tflite"


def known_digest(key: str) -> str | None:
    """Return the weights_digest remembered under a key."""
    try:
        text = _known_path(key).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return text if _WEIGHTS_DIGEST.fullmatch(text) else None


def remember_digest(key: str, weights_digest: str) -> None:
    """Remember a weights_digest under a key."""
    with cached_file(_known_path(key)) as draft:
        draft.write_text(weights_digest + "\n", encoding="ascii")


def files_key(paths: Sequence[Path]) -> str:
    """Return a key for files as they are now, from their paths, sizes and times of change.

    Raises
    ------
    OSError
        Where one of them cannot be found.
    """
    stats = [(path.resolve(), path.stat()) for path in paths]
    return "\n".join(f"{path}|{stat.st_size}|{stat.st_mtime_ns}" for path, stat in stats)


@contextlib.contextmanager
def cached_file(path: Path) -> Iterator[Path]:
    """Give a path whose file becomes ``path``, in the cache, when the block succeeds.

    Raises
    ------
    ModelError
        Where the cache cannot be written: no space, no right.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as draft:
            yield draft
    except OSError as exc:
        raise unwritable(exc) from exc


def unwritable(error: OSError) -> ModelError:
    """Put a failure to write the cache into a sentence."""
    return ModelError(
        f"The cache folder {cache_dir()} cannot be written: {error.strerror or error}.",
        hint="Make room there, or set AUDIOSEARCH_CACHE to a folder with space for 600 MB.",
    )


def _known_path(key: str) -> Path:
    name = hashlib.sha256(os.fsencode(key)).hexdigest()
    return cache_dir() / "known" / name

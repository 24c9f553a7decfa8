"""The user's cache folder: downloads, LiteRT models and digests of local files.

::

    <cache>/downloads/<sha512, 16 digits>/<name>   verified downloads
    <cache>/models/<weights digest>.tflite         LiteRT models
    <cache>/known/<digest of a key>                weights digests of local files
    <cache>/speedups/<digest of a key>             speed of OpenVINO divided by that of LiteRT
"""

from __future__ import annotations

import contextlib
import math
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
    """Return the cache folder: ``AUDIOSEARCH_CACHE``, or the platform's default."""
    named = os.environ.get("AUDIOSEARCH_CACHE")
    if named:
        return Path(os.path.expanduser(named))
    from platformdirs import user_cache_path

    return user_cache_path("audiosearch", appauthor=False)


def model_path(weights_digest: str) -> Path:
    """Return the path of a LiteRT model in the cache. The file may not exist yet.

    Parameters
    ----------
    weights_digest : str
        64 hexadecimal digits.

    Raises
    ------
    ValueError
        If it isn't a weights digest.
    """
    if not _WEIGHTS_DIGEST.fullmatch(weights_digest):
        message = f"{weights_digest!r} is not a weights digest"
        raise ValueError(message)
    return cache_dir() / "models" / f"{weights_digest}.tflite"


def recorded_digest(key: str) -> str | None:
    """Return the weights digest recorded under a key, or None."""
    try:
        with _record_path(key).open(encoding="ascii") as file:
            text = file.read(100).strip()
    except (OSError, ValueError):
        return None
    return text if _WEIGHTS_DIGEST.fullmatch(text) else None


def record_digest(key: str, weights_digest: str) -> None:
    """Record a weights digest under a key, for `recorded_digest`."""
    with cached_file(_record_path(key)) as draft:
        draft.write_text(weights_digest + "\n", encoding="ascii")


def recorded_speedup(key: str) -> float | None:
    """Return the ratio of two runtimes' speeds that is recorded under a key, or None."""
    try:
        speedup = float(_record_path(key, "speedups").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return speedup if math.isfinite(speedup) else None


def record_speedup(key: str, speedup: float) -> None:
    """Record the ratio of two runtimes' speeds under a key, for `recorded_speedup`."""
    with cached_file(_record_path(key, "speedups")) as draft:
        draft.write_text(f"{speedup:.3f}\n", encoding="ascii")


def files_key(paths: Sequence[Path]) -> str:
    """Return a key that changes with the path, size or modification time of any file.

    Raises
    ------
    OSError
        If a file can't be found.
    """
    stats = [(path.resolve(), path.stat()) for path in paths]
    return "\n".join(f"{path}|{stat.st_size}|{stat.st_mtime_ns}" for path, stat in stats)


@contextlib.contextmanager
def cached_file(path: Path) -> Iterator[Path]:
    """Yield the path of a draft that is renamed to a path in the cache if the block succeeds.

    Raises
    ------
    ModelError
        If the cache can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as draft:
            yield draft
    except OSError as exc:
        raise unwritable(exc) from exc


def unwritable(error: OSError) -> ModelError:
    """Return the error to raise if the cache can't be written."""
    return ModelError(
        f"Can't write to the cache folder {cache_dir()}: {error.strerror or error}.",
        hint="Free some space there, or set AUDIOSEARCH_CACHE to a folder with 600 MB free.",
    )


def _record_path(key: str, kind: str = "known") -> Path:
    import hashlib

    name = hashlib.sha256(os.fsencode(key)).hexdigest()
    return cache_dir() / kind / name

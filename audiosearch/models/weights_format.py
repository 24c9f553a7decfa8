"""Formats of weights files: a file becomes a LiteRT model in the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from audiosearch.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.models.download import Progress


@runtime_checkable
class WeightsFormat(Protocol):
    """A kind of weights file. `LiteRtFile` and `VggishCheckpoint` implement it."""

    @property
    def label(self) -> str:
        """One word for the file in ``audiosearch model status``."""
        ...

    def install(self, path: Path, *, dimension: int, progress: Progress) -> str:
        """Put the LiteRT model of a file into the cache and return its weights digest.

        Parameters
        ----------
        path : Path
        dimension : int
            Numbers in an embedding.
        progress : callable
            Called while a conversion runs.

        Raises
        ------
        WeightsError
            If the file is missing, isn't of this format, or has another dimension.
        ModelError
            If the conversion fails, or the cache can't be written.
        """
        ...

    def installed_digest(self, path: Path) -> str | None:
        """Return the weights digest of a file, or None if the cache doesn't hold its model.

        Raises
        ------
        WeightsError
            If the file is missing.
        """
        ...


class LiteRtFile:
    """A LiteRT file (.tflite): the cache gets a copy."""

    label = "tflite"

    def install(self, path: Path, *, dimension: int, progress: Progress) -> str:
        """Put a copy into the cache; see `WeightsFormat.install`."""
        from audiosearch.models.cache import files_key, record_digest, unwritable

        if (weights_digest := self.installed_digest(path)) is not None:
            return weights_digest
        progress(f"Checking {path.name}", 0, None)
        weights_digest, _, actual = copy_to_cache(path)
        if actual != dimension:
            raise WeightsError(
                f"{path} has embeddings of {actual} dimensions instead of {dimension}.",
                hint="Use the file that belongs to this model, or name the file with --model.",
            )
        try:
            record_digest(files_key([path]), weights_digest)
        except OSError as exc:
            raise unwritable(exc) from exc
        return weights_digest

    def installed_digest(self, path: Path) -> str | None:
        """Return the digest of a file that was copied; see `WeightsFormat.installed_digest`."""
        from audiosearch.models.cache import files_key, model_path, recorded_digest

        try:
            weights_digest = recorded_digest(files_key([path]))
        except OSError as exc:
            raise _unreadable(path, exc) from exc
        is_there = weights_digest and os.path.exists(model_path(weights_digest))
        return weights_digest if is_there else None


class VggishCheckpoint:
    """A TensorFlow checkpoint of VGGish: the cache gets its conversion."""

    label = "checkpoint"

    def install(self, path: Path, *, dimension: int, progress: Progress) -> str:  # noqa: ARG002
        """Convert the checkpoint; see `WeightsFormat.install`."""
        from audiosearch.models.vggish import converted_digest

        return converted_digest(path, progress)

    def installed_digest(self, path: Path) -> str | None:
        """Return the digest of an earlier conversion; see `WeightsFormat.installed_digest`."""
        from audiosearch.models.vggish import earlier_digest

        return earlier_digest(path)


def copy_to_cache(path: Path) -> tuple[str, bool, int]:
    """Check a LiteRT file, and copy it into the cache unless it is there.

    Returns
    -------
    weights_digest : str
    is_vggish : bool
        Whether the file holds VGGish's network.
    dimension : int
        Numbers in an embedding.

    Raises
    ------
    WeightsError
        If the file can't be read, or isn't a model that runs on log-mel patches.
    ModelError
        If the cache can't be written.
    """
    import shutil

    from audiosearch.models.cache import cached_file, model_path
    from audiosearch.models.digest import tflite_digest
    from audiosearch.models.runtime import Network

    try:
        weights_digest, is_vggish = tflite_digest(path)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    network = Network(path)
    network.try_out()
    if not os.path.exists(model_path(weights_digest)):
        with cached_file(model_path(weights_digest)) as draft:
            shutil.copyfile(path, draft)
    return weights_digest, is_vggish, network.dimension


def _unreadable(path: Path, error: OSError) -> WeightsError:
    return WeightsError(
        f"Can't read {path}: {error.strerror or error}.",
        hint="Check the path and the file's permissions.",
    )

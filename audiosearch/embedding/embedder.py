"""From a file to its embedding, in two halves: patches of a file, vectors of patches."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.decode import mono_blocks, open_recording, patch_waveform
from audiosearch.embedding.pooling import Pooling, RunningPool, unit
from audiosearch.errors import AudioError, UsageError
from audiosearch.models import registry
from audiosearch.models.front_end import PATCH_HOP_SECONDS, PATCH_SAMPLES, SAMPLE_RATE_HZ
from audiosearch.models.log_mel import log_mel_patches, patch_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.audio.recording import AudioInfo
    from audiosearch.models.postprocess import PcaPostprocessor
    from audiosearch.models.runtime import Network
    from audiosearch.types import Float32, StrPath

#: As many patches go through the network at a time: more is no faster, only larger.
BATCH_PATCHES = 32


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a file sounds like.

    Attributes
    ----------
    vector : ndarray of float32, shape (128,)
        Of unit length, unless asked for otherwise. From `Embedder.embed_patches`, the
        patches' own vectors: shape (n_patches, 128).
    info : AudioInfo
        What the decoder says of the file.
    seconds : float
        Length in seconds: as declared, or as far as the file decoded.
    warning : str or None
        Why the vector stands for less than the whole file, where it does.
    """

    vector: Float32
    info: AudioInfo
    seconds: float
    warning: str | None


class PatchReader:
    """A file as a stream of log-mel patches, read once from start to end.

    ``seconds`` and ``warning`` are known when the stream has ended.

    Parameters
    ----------
    path : str or path-like
    excerpt_seconds : float, optional
        Read only about that much, in patches evenly spaced over the file, by seeking.

    Raises
    ------
    AudioError
        On opening or on reading, where the file cannot be decoded.
    """

    def __init__(self, path: StrPath, *, excerpt_seconds: float | None = None) -> None:
        self.path = os.fspath(path)
        self._recording = open_recording(self.path)
        self._excerpt_seconds = excerpt_seconds
        self.info = self._recording.info
        self.seconds = self.info.seconds or 0.0
        self.warning: str | None = None

    def __enter__(self) -> PatchReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._recording.close()

    def __iter__(self) -> Iterator[Float32]:
        """Yield float32 patches of shape (n_patches, 96, 64), at least one in all.

        Raises
        ------
        AudioError
            Where not one sample decodes, or a sample is not finite.
        """
        starts = self._excerpt_starts()
        n_patches = 0
        for patches in self._excerpt(starts) if starts else patch_stream(self._waveform()):
            n_patches += len(patches)
            yield patches
        damage = self._recording.damage
        if not n_patches:
            raise AudioError(
                self.path,
                f"nothing of it decodes ({damage or 'it holds no samples'})",
                hint="Copy or download it again.",
            )
        if damage:
            used = "its readable parts" if starts else f"its first {self.seconds:.1f} s"
            self.warning = f"{damage}; {used} stand for it"

    def _waveform(self) -> Iterator[Float32]:
        n_samples = 0
        for block in mono_blocks(self._recording, self.path):
            n_samples += len(block)
            yield block
        self.seconds = n_samples / SAMPLE_RATE_HZ

    def _excerpt_starts(self) -> list[float]:
        """Return where each patch of the excerpt begins, in seconds; none for the whole file."""
        if self._excerpt_seconds is None:
            return []
        excerpt, whole = self._excerpt_seconds, self._recording.measured_seconds()
        if whole <= excerpt:
            return []
        self.seconds = whole
        n_patches = max(1, int(excerpt / PATCH_HOP_SECONDS))
        patch_seconds = PATCH_SAMPLES / SAMPLE_RATE_HZ
        step = whole / n_patches
        return [max(0.0, (i + 0.5) * step - patch_seconds / 2) for i in range(n_patches)]

    def _excerpt(self, starts: list[float]) -> Iterator[Float32]:
        for start in starts:
            waveform = patch_waveform(self._recording, self.path, at_seconds=start)
            if len(waveform):
                padding = PATCH_SAMPLES - len(waveform)
                yield log_mel_patches(np.pad(waveform, (0, padding)))


class Embedder:
    """Files in, vectors out, by one network that is loaded once.

    Parameters
    ----------
    model : str or Model
        A model, or its name as for `audiosearch.models.registry.resolve`.
    weights : path-like, optional
        A VGGish checkpoint, for a model given by name.
    excerpt_seconds : float, optional
        Embed only about that much of each file, in evenly spaced patches.
    postprocess : PcaPostprocessor, optional
        Applied to each patch's embedding before pooling; its 8-bit values are counted as
        float32 from there on.

    Raises
    ------
    ModelError
        Where the model cannot be had.

    Examples
    --------
    >>> embedder = Embedder("compact")
    >>> patches = np.zeros((3, 96, 64), dtype=np.float32)
    >>> next(embedder.vectors([patches])).shape
    (3, 128)
    """

    def __init__(
        self,
        model: str | registry.Model = registry.AUTO,
        *,
        weights: StrPath | None = None,
        excerpt_seconds: float | None = None,
        postprocess: PcaPostprocessor | None = None,
    ) -> None:
        check_excerpt(excerpt_seconds)
        if isinstance(model, str):
            model = registry.resolve(model, weights=weights)
        self.model = model
        self._network = model.load()
        self.excerpt_seconds = excerpt_seconds
        self._postprocess = postprocess

    def embed(
        self,
        path: StrPath,
        *,
        pooling: Pooling = Pooling.MEAN,
        normalize: bool = True,
    ) -> Embedding:
        """Embed a file.

        Parameters
        ----------
        path : str or path-like
        pooling : {"mean", "sum"}
        normalize : bool
            Scale the vector to length 1.

        Raises
        ------
        AudioError
            Where the file cannot become a finite vector with a direction.
        """
        pool = RunningPool()
        with PatchReader(path, excerpt_seconds=self.excerpt_seconds) as reader:
            for values in self._values(reader):
                pool.add(values)
        whole = pool.mean() if self._postprocess else file_embedding(self._network, pool)
        vector = unit_vector(reader.path, whole)
        if not normalize:
            vector = whole * pool.n_patches if Pooling(pooling) is Pooling.SUM else whole
        return Embedding(vector, reader.info, reader.seconds, reader.warning)

    def embed_patches(self, path: StrPath) -> Embedding:
        """Embed each patch of a file: neither pooled nor normalised.

        Raises
        ------
        AudioError
            Where the file cannot be decoded.
        """
        with PatchReader(path, excerpt_seconds=self.excerpt_seconds) as reader:
            vectors = np.concatenate(list(self.vectors(reader)))
        if not np.isfinite(vectors).all():
            raise _unusable(reader.path)
        return Embedding(vectors, reader.info, reader.seconds, reader.warning)

    def vectors(self, patches: Iterable[Float32]) -> Iterator[Float32]:
        """Turn a stream of patches into a stream of their embeddings, batch by batch.

        Parameters
        ----------
        patches : iterable of ndarray of float32, shape (n_patches, 96, 64)

        Yields
        ------
        ndarray of float32, shape (n_patches, 128)
        """
        for values in self._values(patches):
            yield values if self._postprocess else self._network.embeddings(values)

    def _values(self, patches: Iterable[Float32]) -> Iterator[Float32]:
        """Turn a stream of patches into one of what is to be pooled."""
        for batch in _batches(patches):
            values = self._network(batch)
            if self._postprocess:
                values = self._postprocess(self._network.embeddings(values)).astype(np.float32)
            yield values


def file_embedding(network: Network, pool: RunningPool) -> Float32:
    """Return the embedding of a file whose patches were pooled: float32, shape (128,)."""
    embedding: Float32 = network.embeddings(pool.mean()[np.newaxis])[0]
    return embedding


def unit_vector(path: str, embedding: Float32) -> Float32:
    """Scale a file's embedding to length 1.

    Raises
    ------
    AudioError
        Where it is not finite, or has no direction.
    """
    try:
        return unit(embedding)
    except ValueError as exc:
        raise _unusable(path) from exc


def _unusable(path: str) -> AudioError:
    return AudioError(
        path,
        "its samples give no usable embedding",
        hint="Samples should lie between -1 and 1: export it again.",
    )


def check_excerpt(seconds: float | None) -> None:
    """Check that an excerpt's length makes sense.

    Raises
    ------
    UsageError
        Where it is below a second, or no number.
    """
    if seconds is not None and not 1.0 <= seconds < math.inf:
        raise UsageError(
            f"An excerpt of {seconds:g} s was asked for.", hint="Ask for a second or more."
        )


def _batches(patches: Iterable[Float32]) -> Iterator[Float32]:
    """Regroup patches into batches of 32, the last one smaller."""
    waiting: list[Float32] = []
    for group in patches:
        for patch in group:
            waiting.append(patch)
            if len(waiting) == BATCH_PATCHES:
                yield np.stack(waiting)
                waiting = []
    if waiting:
        yield np.stack(waiting)

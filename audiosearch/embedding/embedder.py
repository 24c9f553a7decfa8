"""From an audio file to its embedding, one file at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from audiosearch.embedding.patch_reader import PatchReader, check_excerpt
from audiosearch.embedding.pooling import Pooling, RunningPool, unit
from audiosearch.errors import AudioError
from audiosearch.models import registry
from audiosearch.models.log_mel import patch_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.audio.recording import AudioInfo
    from audiosearch.models.moments import Moments
    from audiosearch.models.postprocess import PcaPostprocessor
    from audiosearch.models.sound import Sound
    from audiosearch.types import Float32, StrPath

#: Patches that go through the network at a time. Larger batches take more memory and no less time.
BATCH_PATCHES = 32


@dataclass(frozen=True, slots=True)
class Embedding:
    """Embedding of a file, and facts about the file.

    Attributes
    ----------
    vector : ndarray of float32, shape (dimension,)
        Embedding, scaled to unit length unless normalization was turned off. From
        `Embedder.embed_patches`: one embedding per patch, shape (n_patches, dimension), not
        normalized.
    info : AudioInfo
        Facts about the file, as its decoder reports them.
    seconds : float
        Length in seconds: as declared, or else as far as the file was decoded.
    warning : str or None
        Fault of the file, such as a missing end or silence; None if it has none.
    sounds : tuple of Sound
        Sounds that are heard in the file, best first, if a tagger listened to it.
    tagger : str
        Digest of the tagger; empty if none listened.
    moments : Moments or None
        The embedding of each patch, if they are kept.
    waveform : bytes
        See `audiosearch.audio.waveform.to_bytes`. Empty for an excerpt, and if a file is embedded
        alone.
    runtime : str
        Runtime and precision of the network, such as "litert f32", or those of several, such as
        "litert f32, openvino f32". Empty if a file is embedded alone.
    """

    vector: Float32
    info: AudioInfo
    seconds: float
    warning: str | None
    sounds: tuple[Sound, ...] = ()
    tagger: str = ""
    moments: Moments | None = None
    waveform: bytes = b""
    runtime: str = ""


class DecodedClip(Protocol):
    """Facts about a decoded file. `PatchReader` and `DecodeSummary` implement it."""

    @property
    def info(self) -> AudioInfo:
        """Facts about the file, as its decoder reports them."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""

    @property
    def warning(self) -> str | None:
        """Fault of the file, such as a missing end or silence; None if it has none."""


class PooledNetwork(Protocol):
    """A network that turns pooled values into embeddings. `Network` implements it."""

    def embeddings(self, values: Float32) -> Float32:
        """Return the embeddings of values."""


class Embedder:
    """Embeds files with one network, which is loaded once.

    Parameters
    ----------
    model : str or Model
        Model, or its name as for `audiosearch.models.registry.resolve`.
    weights : path-like, optional
        VGGish checkpoint, if ``model`` is a name.
    excerpt_seconds : float, optional
        Embed only about this much of each file, as evenly spaced patches.
    postprocess : PcaPostprocessor, optional
        Post-processing applied to each patch's embedding before pooling. Its 8-bit values are
        pooled as float32.

    Raises
    ------
    ModelError
        If the model is unavailable.
    UsageError
        If the excerpt is shorter than a second.

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
            Way to pool patches into one vector; matters only with ``normalize=False``.
        normalize : bool
            Scale the vector to unit length.

        Raises
        ------
        AudioError
            If the file can't be decoded, or its embedding is zero or not finite.
        """
        pool = RunningPool()
        with PatchReader(path, excerpt_seconds=self.excerpt_seconds) as reader:
            for values in self._values(reader):
                pool.add(values)
        pooled = pool.mean() if self._postprocess else pooled_embedding(pool, self._network)
        vector = _unit_vector(pooled, reader.path)
        if not normalize:
            vector = pooled * pool.n_patches if Pooling(pooling) is Pooling.SUM else pooled
        return Embedding(vector, reader.info, reader.seconds, reader.warning)

    def embed_patches(self, path: StrPath) -> Embedding:
        """Embed each patch of a file, without pooling or normalization.

        Returns
        -------
        Embedding
            Its vector has the shape (n_patches, dimension).

        Raises
        ------
        AudioError
            If the file can't be decoded, or an embedding is not finite.
        """
        with PatchReader(path, excerpt_seconds=self.excerpt_seconds) as reader:
            vectors = np.concatenate(list(self.vectors(reader)))
        if not np.isfinite(vectors).all():
            raise _unusable(reader.path)
        return Embedding(vectors, reader.info, reader.seconds, reader.warning)

    def embed_frames(self, frames: Iterable[Float32], name: str) -> Float32:
        """Embed a stream of log-mel frames.

        Parameters
        ----------
        frames : iterable of ndarray of float32, shape (n_frames, 64)
            At least 96 frames in all. The rest that doesn't fill a patch is dropped.
        name : str
            Name of the clip, for errors.

        Returns
        -------
        ndarray of float32, shape (dimension,)
            Of unit length.

        Raises
        ------
        AudioError
            If the embedding is zero or not finite.
        """
        pool = RunningPool()
        for values in self._values(patch_groups(frames)):
            pool.add(values)
        return _unit_vector(pooled_embedding(pool, self._network), name)

    def vectors(self, patches: Iterable[Float32]) -> Iterator[Float32]:
        """Embed a stream of patches, batch by batch.

        Parameters
        ----------
        patches : iterable of ndarray of float32, shape (n_patches, 96, 64)
            Natural log of mel magnitude plus 0.01; axes are patch, frame (10 ms), band.

        Yields
        ------
        ndarray of float32, shape (n_patches, dimension)
        """
        for values in self._values(patches):
            yield values if self._postprocess else self._network.embeddings(values)

    def _values(self, patches: Iterable[Float32]) -> Iterator[Float32]:
        """Yield the values to pool: the network's values, or post-processed embeddings."""
        for batch in _batches(patches):
            values = self._network(batch)
            if self._postprocess:
                values = self._postprocess(self._network.embeddings(values)).astype(np.float32)
            yield values


def clip_embedding(
    pool: RunningPool, network: PooledNetwork, *, clip: DecodedClip, path: str
) -> Embedding:
    """Return the embedding of a clip, given the pooled values of all its patches.

    Parameters
    ----------
    pool : RunningPool
        Values that the network returned for the clip's patches.
    network : PooledNetwork
    clip : DecodedClip
        Facts about the clip.
    path : str
        Path of the clip, for error messages.

    Returns
    -------
    Embedding
        Its vector has unit length and the shape (dimension,).

    Raises
    ------
    AudioError
        If the embedding is zero or not finite.
    """
    vector = _unit_vector(pooled_embedding(pool, network), path)
    return Embedding(vector, clip.info, clip.seconds, clip.warning)


def pooled_embedding(pool: RunningPool, network: PooledNetwork) -> Float32:
    """Return the embedding that a network computes from pooled values, before normalization.

    Returns
    -------
    ndarray of float32, shape (dimension,)
    """
    embedding: Float32 = network.embeddings(pool.mean()[np.newaxis])[0]
    return embedding


def _unit_vector(embedding: Float32, path: str) -> Float32:
    try:
        return unit(embedding)
    except ValueError as exc:
        raise _unusable(path) from exc


def _unusable(path: str) -> AudioError:
    return AudioError(
        path,
        "its samples give no usable embedding",
        hint="Export it again with samples between -1 and 1.",
    )


def _batches(patches: Iterable[Float32]) -> Iterator[Float32]:
    """Regroup patches into batches of 32; the last one may be smaller."""
    pending: list[Float32] = []
    for group in patches:
        for patch in group:
            pending.append(patch)
            if len(pending) == BATCH_PATCHES:
                yield np.stack(pending)
                pending = []
    if pending:
        yield np.stack(pending)

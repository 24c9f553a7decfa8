"""Batches of patches from many files: full batches keep the network fast on short files."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.tags import Tags
from audiosearch.embedding.decoder_worker import DecodeSummary
from audiosearch.embedding.embedder import BATCH_PATCHES, clip_embedding
from audiosearch.embedding.pooling import RunningPool
from audiosearch.embedding.result import EmbeddingResult
from audiosearch.embedding.running_moments import RunningMoments, patch_moments
from audiosearch.embedding.running_scores import RunningScores
from audiosearch.errors import AudioError
from audiosearch.models.front_end import PATCH_FRAMES, PATCH_HOP_SECONDS, frames_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.audio.file_stat import FileStat
    from audiosearch.models.runtime import Network
    from audiosearch.models.tagger import Tagger
    from audiosearch.types import Float32


@dataclass(slots=True, eq=False)
class FileInProgress:
    """A file being embedded.

    Attributes
    ----------
    path : str
    file_stat : FileStat or None
        None until it is read.
    pool : RunningPool
        Values of the patches that don't overlap.
    scores : RunningScores
        Scores of the sounds in these, if there is a tagger.
    moments : RunningMoments
        All patches, if moments are kept.
    runtimes : set of str
        Runtimes and precisions that the network has run on.
    n_pending : int
        Patches that wait for the network.
    n_done : int
        Patches that went through the network.
    end : DecodeSummary, Tags, AudioError or None
        Last message of the decoder; None until it arrives.
    """

    path: str
    file_stat: FileStat | None = None
    pool: RunningPool = field(default_factory=RunningPool)
    scores: RunningScores = field(default_factory=RunningScores)
    moments: RunningMoments = field(default_factory=RunningMoments)
    runtimes: set[str] = field(default_factory=set)
    n_pending: int = 0
    n_done: int = 0
    end: DecodeSummary | Tags | AudioError | None = None

    def add(self, values: Float32, scores: Float32 | None, *, step: int) -> None:
        """Add values and scores of the next patches that went through the network.

        Parameters
        ----------
        values : ndarray of float32, shape (n_patches, n_values)
        scores : ndarray of float32, shape (n_patches, n_classes), or None
            None if there is no tagger.
        step : int
            Every ``step``-th patch starts where the one before it ended.
        """
        disjoint = slice(-self.n_done % step, None, step)
        self.n_done += len(values)
        self.n_pending -= len(values)
        if len(values) > disjoint.start:
            self.pool.add(values[disjoint])
            if scores is not None:
                self.scores.add(scores[disjoint])

    def add_audio_hash(self, audio_hash: str) -> None:
        """Add the hash of the file's audio packets to its `FileStat`."""
        if self.file_stat is not None:
            self.file_stat = replace(self.file_stat, audio_hash=audio_hash)

    def result(self, batches: PatchBatches) -> EmbeddingResult:
        """Return the result of a file whose patches have all gone through the network."""
        end = self.end
        if isinstance(end, Tags):
            return EmbeddingResult(self.path, self.file_stat, tags=end)
        if not isinstance(end, DecodeSummary):
            return EmbeddingResult(self.path, self.file_stat, error=end)
        try:
            embedding = clip_embedding(self.pool, batches.network, clip=end, path=self.path)
        except AudioError as exc:
            return EmbeddingResult(self.path, self.file_stat, error=exc)
        runtime = ", ".join(sorted(self.runtimes))
        embedding = replace(embedding, waveform=end.waveform, runtime=runtime)
        if batches.tagger is not None:
            sounds = self.scores.sounds(batches.tagger.names, end.starts)
            embedding = replace(embedding, sounds=sounds, tagger=batches.tagger.digest)
        if batches.moment_hop is not None:
            embedding = replace(embedding, moments=self.moments.moments())
        return EmbeddingResult(self.path, self.file_stat, embedding, end.tags)


class PatchBatches:
    """Collects patches of many files and runs the network on `BATCH_PATCHES` at a time.

    Parameters
    ----------
    load : callable
        Loads the network, and the tagger if sounds are wanted; called when the first patch needs
        them.
    on_finished : callable
        Receives each file once all its patches have gone through the network.
    moment_hop : float, optional
        Seconds from one patch to the next, if the embeddings of patches are kept. Also an
        attribute.

    Attributes
    ----------
    n_pending : int
        Patches that wait for the network.
    n_done : int
        Patches that went through the network.
    """

    def __init__(
        self,
        load: Callable[[], tuple[Network, Tagger | None]],
        on_finished: Callable[[FileInProgress], None],
        *,
        moment_hop: float | None = None,
    ) -> None:
        self.moment_hop = moment_hop
        self._step = PATCH_FRAMES // frames_in(moment_hop or PATCH_HOP_SECONDS)
        self._load = load
        self._on_finished = on_finished
        self._pending: deque[tuple[FileInProgress, Float32]] = deque()
        self.n_pending = 0
        self.n_done = 0

    @cached_property
    def _loaded(self) -> tuple[Network, Tagger | None]:
        return self._load()

    @property
    def network(self) -> Network:
        """Network that embeds the patches. It is loaded when it is first used."""
        return self._loaded[0]

    @property
    def tagger(self) -> Tagger | None:
        """Tagger that listens to the patches; None if no sounds are wanted."""
        return self._loaded[1]

    def add(
        self, file: FileInProgress, message: Float32 | DecodeSummary | Tags | AudioError
    ) -> None:
        """Add a message of the decoder of a file, and run the network on all full batches.

        Parameters
        ----------
        file : FileInProgress
        message : ndarray of float32, shape (n_patches, 96, 64), DecodeSummary, Tags or AudioError
        """
        if isinstance(message, np.ndarray):
            self._pending.append((file, message))
            file.n_pending += len(message)
            self.n_pending += len(message)
            while self.n_pending >= BATCH_PATCHES:
                self._run(BATCH_PATCHES)
        else:
            file.end = message
            if not file.n_pending:
                self._on_finished(file)

    def flush(self) -> None:
        """Run the network on all pending patches, even if they don't fill a batch."""
        if self.n_pending:
            self._run(self.n_pending)

    def _run(self, n_patches: int) -> None:
        parts: list[tuple[FileInProgress, Float32]] = []
        n_missing = n_patches
        while n_missing:
            file, patches = self._pending.popleft()
            if len(patches) > n_missing:
                self._pending.appendleft((file, patches[n_missing:]))
            parts.append((file, patches[:n_missing]))
            n_missing -= len(parts[-1][1])
        batches = [patches for _, patches in parts]
        batch = batches[0] if len(batches) == 1 else np.concatenate(batches)
        runtime = str(self.network.runtime)
        values = self.network(batch)
        scores = self.tagger.scores(batch, values) if self.tagger else None
        moments = None
        if self.moment_hop is not None:
            vectors = self.network.embeddings(values)
            moments = patch_moments(batch, vectors, scores, step=self._step)
        self.n_pending -= n_patches
        self.n_done += n_patches
        start = 0
        for file, patches in parts:
            end = start + len(patches)
            of_file = None if scores is None else scores[start:end]
            file.add(values[start:end], of_file, step=self._step)
            file.runtimes.add(runtime)
            if moments is not None:
                file.moments.add(moments.part(start, end))
            start = end
            if file.end is not None and not file.n_pending:
                self._on_finished(file)

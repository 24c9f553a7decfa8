"""Training examples: a patch, the teacher's embedding of it, and its class."""

from __future__ import annotations

import logging
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES, PATCH_SAMPLES
from audiosearch.models.log_mel import log_mel_patches
from audiosearch.training.augment import MAX_SAMPLES, augment
from audiosearch.training.corpus import Clip, Corpus
from audiosearch.training.free_audio import Kind
from audiosearch.training.processes import process_pool
from audiosearch.training.teacher import TEACHER_DIMENSION, load_teacher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audiosearch.types import Float32

#: Share of the examples that are of each kind.
SHARES = {Kind.SPEECH: 0.25, Kind.MUSIC: 0.25, Kind.INSTRUMENT: 0.27, Kind.EFFECT: 0.23}
SHARD_SIZE = 2_048

log = logging.getLogger(__name__)

_T = TypeVar("_T")


def write(corpus: Path, teacher: Path, folder: Path, *, n_shards: int) -> None:
    """Write shards of 2,048 examples. Shards that exist aren't written again.

    Parameters
    ----------
    corpus : Path
        A folder that `audiosearch.training.corpus.write` wrote.
    teacher : Path
        ``yamnet.tflite``.
    folder : Path
        Folder for ``00000.npz`` and so on. Each holds the arrays ``patches`` (float16, shape
        (2048, 96, 64)), ``teacher`` (float16, shape (2048, 1024)) and ``label`` (int32, shape
        (2048,): the class as an index into the corpus's labels).
    n_shards : int
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05d}.npz" for number in range(n_shards)]
    missing = [path for path in paths if not path.exists()]
    with process_pool() as processes:
        for _ in processes.map(_write_shard, missing, repeat(corpus), repeat(teacher)):
            log.info("%d of %d shards", sum(path.exists() for path in paths), n_shards)


class Sampler:
    """Draws clips: each kind has its share, and each class of a kind has the same chance."""

    def __init__(self, corpus: Corpus, random: np.random.Generator) -> None:
        self._corpus, self._random = corpus, random
        classes: dict[Kind, dict[str, list[Clip]]] = {}
        for clip in corpus.clips:
            classes.setdefault(clip.kind, {}).setdefault(clip.label, []).append(clip)
        self._classes = {kind: list(clips.values()) for kind, clips in classes.items()}
        self._kinds = list(self._classes)
        shares = np.array([SHARES[kind] for kind in self._kinds])
        self._shares = shares / shares.sum()

    def draw(self) -> tuple[Clip, Float32]:
        """Return a random clip and up to 20,000 samples from a random position in it.

        Returns
        -------
        clip : Clip
        waveform : ndarray of float32, shape (n_samples,)
            Mono samples in [-1, 1] at 16 kHz.
        """
        kind = self._kinds[self._random.choice(len(self._kinds), p=self._shares)]
        clip = self._one_of(self._one_of(self._classes[kind]))
        latest = max(0, clip.length - PATCH_SAMPLES)
        start = int(self._random.integers(latest + 1))
        return clip, self._corpus.waveform(clip, start, MAX_SAMPLES)

    def _one_of(self, choices: Sequence[_T]) -> _T:
        return choices[int(self._random.integers(len(choices)))]


def _write_shard(path: Path, corpus_folder: Path, teacher_path: Path) -> None:
    corpus, teacher = _load_corpus(corpus_folder), load_teacher(teacher_path)
    random = np.random.default_rng(int(path.stem))
    sampler = Sampler(corpus, random)
    label_ids = {label: number for number, label in enumerate(corpus.labels)}
    patches = np.empty((SHARD_SIZE, PATCH_FRAMES, N_BANDS), dtype=np.float16)
    teacher_embeddings = np.empty((SHARD_SIZE, TEACHER_DIMENSION), dtype=np.float16)
    labels = np.empty(SHARD_SIZE, dtype=np.int32)
    for row in range(SHARD_SIZE):
        clip, waveform = sampler.draw()
        _, other = sampler.draw()
        patch = augment(waveform, other, random)
        patches[row] = log_mel_patches(patch)[0]
        teacher_embeddings[row] = teacher(patch)
        labels[row] = label_ids[clip.label]
    draft = path.with_suffix(".draft")
    with draft.open("wb") as stream:
        np.savez(stream, patches=patches, teacher=teacher_embeddings, label=labels)
    draft.replace(path)


_load_corpus = cache(Corpus)  # once per process

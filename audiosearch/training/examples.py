"""Examples to learn from: a patch, the teacher's teacher_embedding of it, and its class."""

from __future__ import annotations

import logging
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES, PATCH_SAMPLES
from audiosearch.models.log_mel import log_mel_patches
from audiosearch.training.augment import MOST_SAMPLES, augmented
from audiosearch.training.corpus import Clip, Corpus
from audiosearch.training.free_audio import Kind
from audiosearch.training.processes import pool
from audiosearch.training.teacher import TEACHER_SIZE, teacher_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audiosearch.types import Float32

#: How much of the examples each kind makes up.
SHARES = {Kind.SPEECH: 0.25, Kind.MUSIC: 0.25, Kind.INSTRUMENT: 0.27, Kind.EFFECT: 0.23}
SHARD_SIZE = 4_096

log = logging.getLogger(__name__)

_T = TypeVar("_T")


def write(corpus: Path, teacher: Path, folder: Path, *, n_shards: int) -> None:
    """Write shards of 4,096 examples; those that are there are left as they are.

    Parameters
    ----------
    corpus : Path
        A folder that `audiosearch.training.corpus.write` wrote.
    teacher : Path
        ``yamnet.tflite``.
    folder : Path
        Gets ``00000.npz`` and so on: patches, float16, (n, 96, 64); teacher, float16,
        (n, 1024); label, int32, (n,), the place of a class in the corpus's labels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05d}.npz" for number in range(n_shards)]
    missing = [path for path in paths if not path.exists()]
    with pool() as processes:
        for _ in processes.map(_write_shard, missing, repeat(corpus), repeat(teacher)):
            log.info("%d of %d shards", sum(path.exists() for path in paths), n_shards)


class Sampler:
    """Draws clips so that kinds have their shares, and classes of a kind the same chance."""

    def __init__(self, corpus: Corpus, random: np.random.Generator) -> None:
        self._corpus, self._random = corpus, random
        classes: dict[Kind, dict[str, list[Clip]]] = {}
        for clip in corpus.clips:
            classes.setdefault(clip.kind, {}).setdefault(clip.label, []).append(clip)
        self._classes = {kind: list(found.values()) for kind, found in classes.items()}
        self._kinds = list(self._classes)
        shares = np.array([SHARES[kind] for kind in self._kinds])
        self._shares = shares / shares.sum()

    def draw(self) -> tuple[Clip, Float32]:
        """Return a clip and up to 20,000 samples from anywhere in it."""
        kind = self._kinds[self._random.choice(len(self._kinds), p=self._shares)]
        clip = self._one_of(self._one_of(self._classes[kind]))
        latest = max(0, clip.length - PATCH_SAMPLES)
        start = int(self._random.integers(latest + 1))
        return clip, self._corpus.waveform(clip, start, MOST_SAMPLES)

    def _one_of(self, choices: Sequence[_T]) -> _T:
        return choices[int(self._random.integers(len(choices)))]


def _write_shard(path: Path, corpus_folder: Path, teacher_path: Path) -> None:
    corpus, teacher = _corpus_in(corpus_folder), teacher_in(teacher_path)
    random = np.random.default_rng(int(path.stem))
    sampler = Sampler(corpus, random)
    places = {label: place for place, label in enumerate(corpus.labels)}
    patches = np.empty((SHARD_SIZE, PATCH_FRAMES, N_BANDS), dtype=np.float16)
    opinions = np.empty((SHARD_SIZE, TEACHER_SIZE), dtype=np.float16)
    labels = np.empty(SHARD_SIZE, dtype=np.int32)
    for row in range(SHARD_SIZE):
        clip, waveform = sampler.draw()
        _, other = sampler.draw()
        patch = augmented(waveform, other, random)
        patches[row] = log_mel_patches(patch)[0]
        opinions[row] = teacher(patch)
        labels[row] = places[clip.label]
    draft = path.with_suffix(".draft")
    with draft.open("wb") as stream:
        np.savez(stream, patches=patches, teacher=opinions, label=labels)
    draft.replace(path)


_corpus_in = cache(Corpus)

"""A network for many files, which changes from LiteRT to OpenVINO if that is worth it.

OpenVINO takes two seconds to read a model, so LiteRT embeds the first 1,000 patches. Which of the
two is faster is then measured, once, and kept in the cache for this processor.
"""

from __future__ import annotations

import contextlib
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import AudiosearchError, ModelError
from audiosearch.models import openvino
from audiosearch.models.cache import record_speedup, recorded_speedup
from audiosearch.models.runtime import Network
from audiosearch.models.runtime_choice import F32, OPENVINO, RuntimeChoice
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from audiosearch.models.runtime import Computation
    from audiosearch.types import Float32

MIN_PATCHES = 1_000
_MIN_BATCH = 16  # patches; a smaller batch doesn't show the speed
_ROUNDS = 3
_MIN_COSINE = 0.99999  # between the values of both runtimes
_OPENVINO_F32 = RuntimeChoice(OPENVINO, F32)


class AutoNetwork(Network):
    """A network that starts with LiteRT, and uses OpenVINO after 1,000 patches if it is faster.

    Parameters
    ----------
    path : Path
        See `Network`.
    weights_digest : str
        The speeds of models with other digests are measured separately.
    n_threads : int, optional
        See `Network`.
    """

    def __init__(self, path: Path, weights_digest: str, *, n_threads: int | None = None) -> None:
        super().__init__(path, n_threads=n_threads)
        self._n_threads = n_threads or n_cores()
        self._key = "|".join(
            (
                *(processor(), str(self._n_threads), weights_digest),
                *(f"{name} {_version(name)}" for name in ("ai-edge-litert", "openvino")),
            )
        )
        self._n_patches = 0
        self._is_decided = False

    def __call__(self, patches: Float32) -> Float32:
        """Return the values of each patch: see `Network`."""
        values = super().__call__(patches)
        if not self._is_decided:
            self._n_patches += len(patches)
            if self._n_patches >= MIN_PATCHES and len(patches) >= _MIN_BATCH:
                self._is_decided = True
                self._use_the_faster(patches)
        return values

    def _use_the_faster(self, patches: Float32) -> None:
        ratio = recorded_speedup(self._key)
        if ratio is not None and ratio <= 1:
            return
        graph = self._openvino_graph()
        if graph is None:
            return
        if ratio is None:
            ratio = speedup(graph, self._values, patches)
            with contextlib.suppress(ModelError):  # it is measured again next time
                record_speedup(self._key, ratio)
        if ratio > 1:
            self._values, self.runtime = graph, _OPENVINO_F32

    def _openvino_graph(self) -> openvino.Graph | None:
        """Return the network on OpenVINO, or None if OpenVINO can't run it."""
        try:
            openvino.check(_OPENVINO_F32, self._path)
            return openvino.Graph(self._path, n_threads=self._n_threads, precision=F32)
        except AudiosearchError:
            return None


def processor() -> str:
    """Return the name of the processor."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def speedup(graph: Computation, reference: Computation, patches: Float32) -> float:
    """Return how many times as fast as the reference a graph is; 0 if its values differ.

    It compares processor time, because other processes decode at the same time.

    Parameters
    ----------
    graph, reference : Computation
        From patches to values.
    patches : ndarray of float32, shape (n_patches, 96, 64)
    """
    if not _lowest_cosine(graph(patches), reference(patches)) >= _MIN_COSINE:  # or it is NaN
        return 0.0
    seconds = [[_seconds(run, patches) for run in (reference, graph)] for _ in range(_ROUNDS)]
    of_reference, of_graph = np.min(seconds, axis=0)
    return float(of_reference / of_graph)


def _version(package: str) -> str:
    """Return the version of a package; empty if it wasn't installed by an installer."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _seconds(run: Computation, patches: Float32) -> float:
    started = time.process_time()
    run(patches)
    return time.process_time() - started


def _lowest_cosine(values: Float32, others: Float32) -> float:
    """Return the lowest cosine of two rows. Rows that are both zero, as of silence, are equal."""
    is_any = values.any(axis=1) | others.any(axis=1)
    values, others = values[is_any], others[is_any]
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(others, axis=1)
        return float(np.min((values * others).sum(axis=1) / lengths, initial=1.0))

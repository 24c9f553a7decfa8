"""Averages of the network's values over files, which the projection is fitted on."""

from __future__ import annotations

import logging
from contextlib import closing
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any

from audiosearch.audio.decode import mono_blocks, open_recording
from audiosearch.embedding.pooling import RunningPool
from audiosearch.errors import AudioError
from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES, SAMPLE_RATE_HZ
from audiosearch.models.log_mel import patch_stream
from audiosearch.training.network import Network
from audiosearch.training.processes import process_pool
from audiosearch.training.yamnet import load_yamnet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from audiosearch.types import Float32

#: Seconds of a file that are used, from its start.
MAX_SECONDS = 60

log = logging.getLogger(__name__)


def file_averages(paths: Sequence[Path], teacher: Path) -> list[Float32 | None]:
    """Return the averages of each file; None for a file that can't be decoded, with a warning.

    Parameters
    ----------
    paths : sequence of Path
    teacher : Path
        ``yamnet.tflite``.

    Returns
    -------
    list of ndarray of float32, shape (1114,), or None
    """
    with process_pool() as processes:
        return list(processes.map(_averages, paths, repeat(teacher), chunksize=16))


def patches_of(path: Path) -> Iterator[Float32]:
    """Yield the patches of the first minute of a file: float32, shape (n_patches, 96, 64).

    Raises
    ------
    AudioError
        If the file can't be decoded.
    """
    with closing(open_recording(str(path))) as recording:
        yield from patch_stream(_first(mono_blocks(recording, str(path))))


def _averages(path: Path, teacher: Path) -> Float32 | None:
    values = _values(teacher)
    pool = RunningPool()
    try:
        for patches in patches_of(path):
            pool.add(values(patches).numpy())
    except AudioError as exc:
        log.warning("%s", exc)
        return None
    return pool.mean() if pool.n_patches else None


def _first(blocks: Iterable[Float32]) -> Iterator[Float32]:
    n_samples = 0
    for block in blocks:
        yield block
        n_samples += len(block)
        if n_samples >= MAX_SECONDS * SAMPLE_RATE_HZ:
            return


@cache
def _values(teacher: Path) -> Callable[[Float32], Any]:
    """Return the network's function from patches to values, compiled once per process."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    shape = [tf.TensorSpec((None, PATCH_FRAMES, N_BANDS), tf.float32)]
    network = Network(load_yamnet(teacher).layers())
    compiled: Callable[[Float32], Any] = tf.function(network.values, input_signature=shape)
    return compiled

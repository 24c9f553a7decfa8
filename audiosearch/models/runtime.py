"""Running a network: LiteRT, log-mel patches in, embeddings out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import WeightsError
from audiosearch.params import EMBEDDING_SIZE, N_BANDS, PATCH_FRAMES

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.params import Float32


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Network:
    """A LiteRT model from patches to embeddings, loaded once.

    Not for use by two threads at once.

    Parameters
    ----------
    path : Path
        A LiteRT file with one input of shape (n, 96, 64) and one output of shape (n, 128),
        both float32.
    n_threads : int, optional
        As many as there are cores, unless given.

    Raises
    ------
    WeightsError
        Where the file is no LiteRT model, or has other inputs or outputs.
    """

    def __init__(self, path: Path, *, n_threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(os.fspath(path), num_threads=n_threads or n_cores())
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        except (ValueError, RuntimeError) as exc:
            raise WeightsError(
                f"{path} is not a LiteRT model that runs here.",
                hint="--model takes vggish, compact, or a .tflite file.",
            ) from exc
        signature = [
            [(tuple(d["shape"][1:]), d["dtype"]) for d in side] for side in (inputs, outputs)
        ]
        wanted = [[((PATCH_FRAMES, N_BANDS), np.float32)], [((EMBEDDING_SIZE,), np.float32)]]
        if signature != wanted:
            raise WeightsError(
                f"{path} does not turn log-mel patches into embeddings of {EMBEDDING_SIZE}.",
                hint="A model needs one input (n, 96, 64) and one output (n, 128), both float32.",
            )
        self._interpreter = interpreter
        self._path = path
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._n_patches = 0

    def __call__(self, patches: Float32) -> Float32:
        """Run the network.

        Parameters
        ----------
        patches : ndarray of float32, shape (n_patches, 96, 64)
            Natural log of mel magnitude plus 0.01.

        Returns
        -------
        ndarray of float32, shape (n_patches, 128)
        """
        if len(patches) != self._n_patches:
            self._interpreter.resize_tensor_input(self._input, patches.shape)
            self._interpreter.allocate_tensors()
            self._n_patches = len(patches)
        self._interpreter.set_tensor(self._input, patches)
        self._interpreter.invoke()
        embeddings: Float32 = self._interpreter.get_tensor(self._output)
        return embeddings

    def try_out(self) -> None:
        """Run two patches, then one, of silence.

        Raises
        ------
        WeightsError
            Where the network does not take batches of any size.
        """
        try:
            for n_patches in (2, 1):
                self(np.zeros((n_patches, PATCH_FRAMES, N_BANDS), dtype=np.float32))
        except (ValueError, RuntimeError) as exc:
            raise WeightsError(
                f"{self._path} cannot run on several patches at a time.",
                hint="Convert it with a batch of unknown size: shape (None, 96, 64).",
            ) from exc

"""Running a network: LiteRT, log-mel patches in, embeddings out.

Most networks turn each patch into an embedding, and a file's is the mean of its patches'. One
with a second signature, ``pooled``, gives for each patch values to be averaged over the file
instead, and makes an embedding of the averages: so it can tell how a sound varies.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import WeightsError
from audiosearch.models.front_end import EMBEDDING_SIZE, N_BANDS, PATCH_FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ai_edge_litert.interpreter import Interpreter

    from audiosearch.types import Float32

#: The name of the LiteRT signature from averages of a file's values to its embedding.
POOLED = "pooled"


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Network:
    """A LiteRT model, loaded once: patches to values, values to embeddings.

    Not for use by two threads at once.

    Parameters
    ----------
    path : Path
        A LiteRT file with one input of shape (n, 96, 64) and one output of shape (n, 128),
        both float32. With a signature ``pooled`` from (n, n_values) to (n, 128), the first is
        called ``serving_default``, and its output's shape is (n, n_values).
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
            self._values, self._pooled = _graphs(interpreter)
        except (ValueError, RuntimeError) as exc:
            raise WeightsError(
                f"{path} is not a LiteRT model that runs here.",
                hint="--model takes vggish, compact, or a .tflite file.",
            ) from exc
        values = self._values.output if self._pooled else _EMBEDDINGS
        found = [(graph.input, graph.output) for graph in (self._values, self._pooled) if graph]
        if found != [(_PATCHES, values), (values, _EMBEDDINGS)][: len(found)]:
            raise WeightsError(
                f"{path} does not turn log-mel patches into embeddings of {EMBEDDING_SIZE}.",
                hint="A model needs one input (n, 96, 64) and one output (n, 128), both float32; "
                "or (n, m), and a signature `pooled` from (n, m) to (n, 128).",
            )
        self._path = path

    def __call__(self, patches: Float32) -> Float32:
        """Return each patch's values.

        Parameters
        ----------
        patches : ndarray of float32, shape (n_patches, 96, 64)
            Natural log of mel magnitude plus 0.01.

        Returns
        -------
        ndarray of float32, shape (n_patches, n_values)
            Meant to be averaged over a file, and for `embeddings`.
        """
        return self._values(patches)

    def embeddings(self, values: Float32) -> Float32:
        """Return the embeddings that values stand for.

        Parameters
        ----------
        values : ndarray of float32, shape (n, n_values)
            Of a patch, or averaged over a file, each.

        Returns
        -------
        ndarray of float32, shape (n, 128)
        """
        return self._pooled(values) if self._pooled else values

    def try_out(self) -> None:
        """Run two patches, then one, of silence.

        Raises
        ------
        WeightsError
            Where the network does not take batches of any size.
        """
        try:
            for n_patches in (2, 1):
                self.embeddings(self(np.zeros((n_patches, PATCH_FRAMES, N_BANDS), np.float32)))
        except (ValueError, RuntimeError) as exc:
            raise WeightsError(
                f"{self._path} cannot run on several patches at a time.",
                hint="Convert it with a batch of unknown size: shape (None, 96, 64).",
            ) from exc


class _Graph:
    """What a LiteRT file computes, where it computes one thing: an array from an array."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self.input, self.output = _described(inputs), _described(outputs)
        self._from, self._to = inputs[0]["index"], outputs[0]["index"]
        self._n_rows = 0

    def __call__(self, rows: Float32) -> Float32:
        if len(rows) != self._n_rows:
            self._interpreter.resize_tensor_input(self._from, rows.shape)
            self._interpreter.allocate_tensors()
            self._n_rows = len(rows)
        self._interpreter.set_tensor(self._from, rows)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._to))


class _Signature:
    """One of several things that a LiteRT file computes, by its name."""

    def __init__(self, interpreter: Interpreter, name: str) -> None:
        self._runner = interpreter.get_signature_runner(name)
        inputs, outputs = self._runner.get_input_details(), self._runner.get_output_details()
        self.input, self.output = _described(inputs.values()), _described(outputs.values())
        self._name = next(iter(inputs))

    def __call__(self, rows: Float32) -> Float32:
        (found,) = self._runner(**{self._name: rows}).values()
        return np.asarray(found)


def _graphs(interpreter: Interpreter) -> tuple[_Graph | _Signature, _Signature | None]:
    """Return what makes values of patches, and, where there is one, embeddings of averages."""
    names = list(interpreter.get_signature_list())
    if POOLED not in names:
        return _Graph(interpreter), None
    return _Signature(interpreter, "serving_default"), _Signature(interpreter, POOLED)


def _described(tensors: Iterable[dict[str, Any]]) -> list[tuple[tuple[int, ...], type]]:
    """Return the shape, but for the first axis, and the type of each tensor."""
    return [(tuple(tensor["shape"][1:]), tensor["dtype"]) for tensor in tensors]


_PATCHES = [((PATCH_FRAMES, N_BANDS), np.float32)]
_EMBEDDINGS = [((EMBEDDING_SIZE,), np.float32)]

"""Running a network with LiteRT: log-mel patches in, embeddings out.

Most networks turn each patch into an embedding, and the embedding of a file is the mean over
its patches. A network with a second signature, ``pooled``, turns each patch into values that are
averaged over the file, and the averages into an embedding. Such an embedding can express how a
sound varies.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch import defaults
from audiosearch.errors import WeightsError
from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.models.signatures import POOLED, VALUES
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ai_edge_litert.interpreter import Interpreter

    from audiosearch.types import Float32


class Network:
    """A LiteRT model: patches to values, and averages of values to embeddings.

    Only one thread may use a network at a time.

    Parameters
    ----------
    path : Path
        A LiteRT file with one input of shape (n, 96, 64) and one output of shape
        (n, dimension), both float32. A file with a signature ``pooled`` from (n, n_values) to
        (n, dimension) also has a signature ``serving_default`` from (n, 96, 64) to
        (n, n_values).
    n_threads : int, optional
        Threads to run on. Default: the number of cores.

    Attributes
    ----------
    dimension : int
        Numbers in an embedding, from 2 to 4,096.

    Raises
    ------
    WeightsError
        If the file isn't a LiteRT model, or has other inputs or outputs.
    """

    dimension: int

    def __init__(self, path: Path, *, n_threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(os.fspath(path), num_threads=n_threads or n_cores())
            self._values, self._pooled = _graphs(interpreter)
        except (ValueError, RuntimeError) as exc:
            raise WeightsError(
                f"{path} isn't a LiteRT model that runs here.",
                hint="Convert the model to a .tflite file that needs no custom operators.",
            ) from exc
        self._path = path
        self.dimension = self._checked_dimension()

    def _checked_dimension(self) -> int:
        """Return the width of the embeddings after checking every input and output."""
        last = self._pooled or self._values
        is_chain = self._pooled is None or self._pooled.input == self._values.output
        is_vector = [(len(shape), dtype) for shape, dtype in last.output] == [(1, np.float32)]
        if self._values.input != _PATCHES or not is_chain or not is_vector:
            raise WeightsError(
                f"{self._path} doesn't turn log-mel patches into embeddings.",
                hint="A model needs one input (n, 96, 64) and one output (n, dimension), both "
                "float32; or an output (n, m) and a signature `pooled` from (n, m) to "
                "(n, dimension).",
            )
        dimension = int(last.output[0][0][0])
        if not defaults.MIN_DIMENSION <= dimension <= defaults.MAX_DIMENSION:
            raise WeightsError(
                f"{self._path} has embeddings of {dimension:,} dimensions.",
                hint=f"A model needs embeddings of {defaults.MIN_DIMENSION} to "
                f"{defaults.MAX_DIMENSION:,} dimensions.",
            )
        return dimension

    def __call__(self, patches: Float32) -> Float32:
        """Return the values of each patch.

        Parameters
        ----------
        patches : ndarray of float32, shape (n_patches, 96, 64)
            Natural log of mel magnitude plus 0.01.

        Returns
        -------
        ndarray of float32, shape (n_patches, n_values)
            To be averaged over a file, as input of `embeddings`.
        """
        return self._values(patches)

    def embeddings(self, values: Float32) -> Float32:
        """Turn values into embeddings.

        Parameters
        ----------
        values : ndarray of float32, shape (n, n_values)
            Each row belongs to a patch, or is the average over a file.

        Returns
        -------
        ndarray of float32, shape (n, dimension)
            Not normalized.
        """
        return self._pooled(values) if self._pooled else values

    def try_out(self) -> None:
        """Run two patches of zeros, then one.

        Raises
        ------
        WeightsError
            If the network can't run on any number of patches.
        """
        try:
            for n_patches in (2, 1):
                self.embeddings(self(np.zeros((n_patches, PATCH_FRAMES, N_BANDS), np.float32)))
        except (ValueError, RuntimeError) as exc:
            raise WeightsError(
                f"{self._path} can't run on several patches at a time.",
                hint="Convert the model with an unknown batch size: shape (None, 96, 64).",
            ) from exc


class _Graph:
    """The only computation in a LiteRT file. It turns one array into another."""

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


class Signature:
    """One of several computations in a LiteRT file, selected by name."""

    def __init__(self, interpreter: Interpreter, name: str) -> None:
        self._runner = interpreter.get_signature_runner(name)
        inputs, outputs = self._runner.get_input_details(), self._runner.get_output_details()
        self.input, self.output = _described(inputs.values()), _described(outputs.values())
        self._name = next(iter(inputs))

    def __call__(self, rows: Float32) -> Float32:
        """Return the output for an input: both with one row for each item."""
        (result,) = self._runner(**{self._name: rows}).values()
        return np.asarray(result)


def _graphs(interpreter: Interpreter) -> tuple[_Graph | Signature, Signature | None]:
    """Return the graph from patches to values, and the one from averages to embeddings, if any."""
    names = list(interpreter.get_signature_list())
    values = Signature(interpreter, VALUES) if len(names) > 1 else _Graph(interpreter)
    return values, Signature(interpreter, POOLED) if POOLED in names else None


def _described(tensors: Iterable[dict[str, Any]]) -> list[tuple[tuple[int, ...], type]]:
    """Return each tensor's shape without the first axis, and its type."""
    return [(tuple(tensor["shape"][1:]), tensor["dtype"]) for tensor in tensors]


_PATCHES = [((PATCH_FRAMES, N_BANDS), np.float32)]

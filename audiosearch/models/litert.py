"""LiteRT: the reference runtime, which runs every model file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch import system
from audiosearch.errors import WeightsError
from audiosearch.models.signatures import POOLED, VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ai_edge_litert.interpreter import Interpreter

    from audiosearch.types import Float32


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


def opened(path: Path, *, n_threads: int) -> Interpreter:
    """Return the interpreter of a LiteRT file.

    Raises
    ------
    ValueError
        If the file isn't a LiteRT model.
    """
    from ai_edge_litert.interpreter import Interpreter

    if system.IS_WINDOWS:  # where LiteRT opens no names with letters of other languages
        return Interpreter(model_content=path.read_bytes(), num_threads=n_threads)
    return Interpreter(os.fspath(path), num_threads=n_threads)


def computations(path: Path, *, n_threads: int) -> tuple[_Graph | Signature, Signature | None]:
    """Return the computation from patches to values, and the one to embeddings, if any.

    Raises
    ------
    WeightsError
        If the file isn't a LiteRT model.
    """
    try:
        interpreter = opened(path, n_threads=n_threads)
        names = list(interpreter.get_signature_list())
        values = Signature(interpreter, VALUES) if len(names) > 1 else _Graph(interpreter)
        return values, Signature(interpreter, POOLED) if POOLED in names else None
    except (ValueError, RuntimeError) as exc:
        raise WeightsError(
            f"{path} isn't a LiteRT model that runs here.",
            hint="Convert the model to a .tflite file that needs no custom operators.",
        ) from exc


def has_one_computation(path: Path) -> bool:
    """Return whether a LiteRT file holds a single computation.

    Raises
    ------
    WeightsError
        If the file isn't a LiteRT model.
    """
    values, _ = computations(path, n_threads=1)
    return isinstance(values, _Graph)


def _described(tensors: Iterable[dict[str, Any]]) -> list[tuple[tuple[int, ...], type]]:
    """Return each tensor's shape without the first axis, and its type."""
    return [(tuple(tensor["shape"][1:]), tensor["dtype"]) for tensor in tensors]

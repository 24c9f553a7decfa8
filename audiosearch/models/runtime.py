"""Networks: log-mel patches in, embeddings out. LiteRT or OpenVINO runs them.

Most networks turn each patch into an embedding, and the embedding of a file is the mean over
its patches. A network with a second signature, ``pooled``, turns each patch into values that are
averaged over the file, and the averages into an embedding. Such an embedding can express how a
sound varies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audiosearch import defaults
from audiosearch.errors import WeightsError
from audiosearch.models import litert, openvino
from audiosearch.models.front_end import N_BANDS, PATCH_FRAMES
from audiosearch.models.runtime_choice import LITERT_F32, OPENVINO, RuntimeChoice
from audiosearch.system import n_cores

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.types import Float32

_PATCHES = [((PATCH_FRAMES, N_BANDS), np.float32)]


class Computation(Protocol):
    """A computation in a model file, as a runtime runs it. Each runtime implements it.

    Attributes
    ----------
    input, output : list of (tuple of int, type)
        Shape without the first axis, and type, of each input and output.
    """

    input: list[tuple[tuple[int, ...], Any]]
    output: list[tuple[tuple[int, ...], Any]]

    def __call__(self, rows: Float32) -> Float32:
        """Return the output for an input: both with one row for each item."""
        ...


class Network:
    """A model, ready to run: patches to values, and averages of values to embeddings.

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
    choice : RuntimeChoice
        Runtime and precision.

    Attributes
    ----------
    dimension : int
        Numbers in an embedding, from 2 to 4,096.
    runtime : RuntimeChoice
        The runtime that runs the network now, and its precision.

    Raises
    ------
    WeightsError
        If the file isn't a LiteRT model that the runtime can run, or has other inputs or outputs.
    UsageError, MissingExtra
        If the choice doesn't fit: see `audiosearch.models.openvino.check`.
    """

    dimension: int

    def __init__(
        self,
        path: Path,
        *,
        n_threads: int | None = None,
        choice: RuntimeChoice = LITERT_F32,
    ) -> None:
        self._path = path
        self._values: Computation
        self._pooled: Computation | None
        self.runtime = LITERT_F32
        n_threads = n_threads or n_cores()
        if choice.needs_openvino:
            openvino.check(choice, path)
            self.runtime = RuntimeChoice(OPENVINO, choice.precision)
            self._values = openvino.Graph(path, n_threads=n_threads, precision=choice.precision)
            self._pooled = None
        else:
            self._values, self._pooled = litert.computations(path, n_threads=n_threads)
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

"""OpenVINO: an optional runtime, which reads the same files and is faster on many processors."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import MissingExtra, ModelError, UsageError, WeightsError
from audiosearch.models.litert import has_one_computation
from audiosearch.models.runtime_choice import BF16, F32, OPENVINO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from audiosearch.models.runtime_choice import RuntimeChoice
    from audiosearch.types import Float32

_DEVICE = "CPU"
_CONVOLUTION, _DENSE = "Convolution", "MatMul"  # names of operations
_N_LAST = 2  # fully connected layers in f32; VGGish's first one takes longer, and matters less


def is_installed() -> bool:
    """Return whether OpenVINO is installed, without importing it."""
    try:
        return find_spec("openvino") is not None
    except ImportError:
        return False


def check(choice: RuntimeChoice, path: Path) -> None:
    """Check that OpenVINO can run a model file as a user asks.

    Raises
    ------
    MissingExtra
        If OpenVINO isn't installed.
    UsageError
        If the file holds several computations, or the processor lacks the precision.
    WeightsError
        If the file isn't a LiteRT model.
    """
    option = "--runtime openvino" if choice.runtime == OPENVINO else f"--precision {BF16}"
    if not is_installed():
        raise MissingExtra(f"`{option}`", "openvino", "openvino")
    if not has_one_computation(path):
        raise UsageError(
            f"OpenVINO can't run {path.name}, because this file holds several computations.",
            hint=f"Leave out {option}.",
        )
    if choice.precision == BF16:
        check_bf16(_core().get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"))


def check_bf16(capabilities: Iterable[str]) -> None:
    """Check that a processor computes in bf16.

    Parameters
    ----------
    capabilities : iterable of str
        What OpenVINO says that the processor can do, such as "FP32" and "BF16".

    Raises
    ------
    UsageError
        If it doesn't.
    """
    if BF16.upper() not in capabilities:
        raise UsageError(
            "This processor doesn't compute in bf16.",
            hint="Leave out --precision, or use a processor with avx512_bf16 or amx_bf16.",
        )


class Graph:
    """The only computation in a LiteRT file. It turns one array into another.

    Parameters
    ----------
    path : Path
    n_threads : int
    precision : {"f32", "bf16"}
        In "bf16", a chain of convolutions and fully connected layers computes its first
        convolution and its last two fully connected layers in "f32". That changes fewer hits,
        and takes little more time.

    Raises
    ------
    MissingExtra
        If OpenVINO isn't installed.
    WeightsError
        If OpenVINO can't run the file.
    """

    def __init__(self, path: Path, *, n_threads: int, precision: str) -> None:
        settings = {
            "INFERENCE_NUM_THREADS": n_threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # the cores are shared with processes that decode
        }
        core = _core()
        try:
            model = core.read_model(os.fspath(path))
            self.input, self.output = _described(model.inputs), _described(model.outputs)
            self._requests = [
                core.compile_model(
                    part, _DEVICE, {**settings, "INFERENCE_PRECISION_HINT": part_precision}
                ).create_infer_request()
                for part, part_precision in _parts(model, precision)
            ]
        except RuntimeError as exc:
            raise WeightsError(
                f"OpenVINO can't run {path}.", hint="Leave out --runtime and --precision."
            ) from exc

    def __call__(self, rows: Float32) -> Float32:
        """Return the output for an input: both with one row for each item."""
        for request in self._requests:
            rows = np.asarray(request.infer([rows])[0])
        return rows


def _parts(model: Any, precision: str) -> Iterator[tuple[Any, str]]:
    """Yield the parts of a model in the order in which they run, each with its precision."""
    layers = [op for op in model.get_ordered_ops() if op.get_type_name() in (_CONVOLUTION, _DENSE)]
    kinds = [op.get_type_name() for op in layers]
    n_convolutions = kinds.count(_CONVOLUTION)
    expected = [_CONVOLUTION] * n_convolutions + [_DENSE] * (len(kinds) - n_convolutions)
    is_usual = 1 < n_convolutions < len(kinds) and kinds == expected and _is_chain(model)
    if precision == F32 or not is_usual:
        yield model, precision
        return
    first, rest = _split(model, layers[1])
    middle, last = _split(rest, layers[max(n_convolutions, len(layers) - _N_LAST)])
    yield from ((first, F32), (middle, precision), (last, F32))


def _is_chain(model: Any) -> bool:
    """Return whether all inputs of each operation are constant, but the first one."""
    computed: set[str] = set()
    for op in model.get_ordered_ops():
        is_computed = [value.get_node().get_name() in computed for value in op.input_values()]
        if any(is_computed[1:]):
            return False
        if any(is_computed) or op.get_type_name() == "Parameter":
            computed.add(op.get_name())
    return True


def _split(model: Any, layer: Any) -> tuple[Any, Any]:
    """Split a chain of operations before one of them."""
    from openvino import Model
    from openvino.op import Parameter

    value = layer.input_value(0)
    before = Model([value], model.get_parameters())
    parameter = Parameter(value.get_element_type(), value.get_partial_shape())
    layer.input(0).replace_source_output(parameter.output(0))
    return before, Model(model.get_results(), [parameter])


@cache
def _core() -> Any:
    """Return OpenVINO. Its package for telemetry, which it can do without, is not imported."""
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)
    try:
        from openvino import Core
    except ModuleNotFoundError as exc:
        raise MissingExtra("The runtime openvino", "openvino", "openvino") from exc
    except Exception as exc:  # a library of its own is missing or damaged
        raise ModelError(
            f"OpenVINO can't be loaded: {exc}.",
            hint="Install it again: pip install --force-reinstall openvino",
        ) from exc
    return Core()


def _described(tensors: Iterable[Any]) -> list[tuple[tuple[int, ...], type]]:
    """Return each tensor's shape without the first axis, and its type."""
    return [
        (
            tuple(axis.get_length() for axis in list(tensor.get_partial_shape())[1:]),
            tensor.get_element_type().to_dtype().type,
        )
        for tensor in tensors
    ]

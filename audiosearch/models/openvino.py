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
from audiosearch.models.runtime_choice import BF16, OPENVINO

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from audiosearch.models.runtime_choice import RuntimeChoice
    from audiosearch.types import Float32

_DEVICE = "CPU"


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

    Raises
    ------
    MissingExtra
        If OpenVINO isn't installed.
    WeightsError
        If OpenVINO can't run the file.
    """

    def __init__(self, path: Path, *, n_threads: int, precision: str) -> None:
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": n_threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # the cores are shared with processes that decode
        }
        core = _core()
        try:
            model = core.compile_model(core.read_model(os.fspath(path)), _DEVICE, settings)
            self.input, self.output = _described(model.inputs), _described(model.outputs)
        except RuntimeError as exc:
            raise WeightsError(
                f"OpenVINO can't run {path}.", hint="Leave out --runtime and --precision."
            ) from exc
        self._request = model.create_infer_request()

    def __call__(self, rows: Float32) -> Float32:
        """Return the output for an input: both with one row for each item."""
        return np.asarray(self._request.infer([rows])[0])


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

"""The runtime that runs a network and the precision it computes in, as a user chooses them.

The command line reads the names at every start, so this module loads fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audiosearch.errors import UsageError

AUTO: Final = "auto"
LITERT: Final = "litert"
OPENVINO: Final = "openvino"
RUNTIMES: Final = (AUTO, LITERT, OPENVINO)

F32: Final = "f32"
BF16: Final = "bf16"
PRECISIONS: Final = (F32, BF16)


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """A runtime and a precision.

    Attributes
    ----------
    runtime : {"auto", "litert", "openvino"}
        "auto" is LiteRT, and for many files OpenVINO if that is installed and faster. See
        `audiosearch.models.auto_network`.
    precision : {"f32", "bf16"}
        "f32" is exact. OpenVINO computes in "bf16" on processors that can.

    Raises
    ------
    UsageError
        If there is no such runtime or precision, or the runtime doesn't have the precision.
    """

    runtime: str = AUTO
    precision: str = F32

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise UsageError(
                f"{self.runtime!r} is not a runtime.", hint=f"Use one of {', '.join(RUNTIMES)}."
            )
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"{self.precision!r} is not a precision.",
                hint=f"Use one of {', '.join(PRECISIONS)}.",
            )
        if self.runtime == LITERT and self.precision != F32:
            raise UsageError(
                f"LiteRT doesn't compute in {self.precision}.",
                hint="Use --runtime openvino, or leave out --precision.",
            )

    def __str__(self) -> str:
        """Return the runtime and the precision, such as "openvino bf16"."""
        return f"{self.runtime} {self.precision}"

    @property
    def needs_openvino(self) -> bool:
        """Whether only OpenVINO fits. Only OpenVINO has another precision than f32."""
        return self.runtime == OPENVINO or self.precision != F32


#: LiteRT, and OpenVINO for many files if it is faster.
AUTO_F32: Final = RuntimeChoice()
#: The reference.
LITERT_F32: Final = RuntimeChoice(LITERT, F32)

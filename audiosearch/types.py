"""Type aliases for arrays and paths."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bool = npt.NDArray[np.bool_]
    Float64 = npt.NDArray[np.float64]
    Float32 = npt.NDArray[np.float32]
    Int32 = npt.NDArray[np.int32]
    Int64 = npt.NDArray[np.int64]
    Int8 = npt.NDArray[np.int8]
    UInt8 = npt.NDArray[np.uint8]
    UInt16 = npt.NDArray[np.uint16]

StrPath = str | os.PathLike[str]

"""What NumPy raises for a damaged ``.npy`` or ``.npz`` file."""

from __future__ import annotations

import tokenize
import zipfile
import zlib

#: Errors of ``numpy.load``. A header that is no Python literal is taken for one of Python 2,
#: and split into tokens.
ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)

"""Errors that NumPy raises when it reads a damaged ``.npy`` or ``.npz`` file."""

from __future__ import annotations

import tokenize
import zipfile
import zlib

#: Errors of ``numpy.load``. Those of `tokenize` come from headers that aren't literals: NumPy
#: then reads them as Python 2.
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

"""Read the messages of decoder processes, which a malformed file may have taken control of.

Unpickling can call any function. Here it can only make the kinds of objects that decoders send.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from audiosearch import errors
from audiosearch.audio.file_stat import FileStat
from audiosearch.audio.recording import AudioInfo
from audiosearch.audio.tags import Tags
from audiosearch.embedding.decoder_worker import (
    AudioHash,
    DecodeSummary,
    FilePeaks,
    PartRequest,
    StretchEnd,
)

#: Size of the largest message. Decoders send about 400 KB at a time.
MAX_BYTES = 1 << 28

# NumPy's functions that make arrays and numbers from pickles have other names in other versions.
_CLASSES_AND_FUNCTIONS: tuple[Any, ...] = (
    *(AudioHash, AudioInfo, DecodeSummary, FilePeaks, FileStat, PartRequest, StretchEnd, Tags),
    *(errors.AudioError, errors.Unreachable, errors.rebuild),
    *(np.ndarray, np.dtype, np.empty(0).__reduce__()[0], np.empty(0).__reduce_ex__(5)[0]),
    np.float64().__reduce__()[0],
)
_ALLOWED = {(item.__module__, item.__qualname__): item for item in _CLASSES_AND_FUNCTIONS}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            message = f"a decoder sent {module_name}.{global_name}"
            raise pickle.UnpicklingError(message) from None


def unpickled(message: bytes) -> Any:
    """Return the object in a message.

    Raises
    ------
    pickle.UnpicklingError
        If it names anything else than what decoders send.
    Exception
        If it is damaged in another way.

    Examples
    --------
    >>> unpickled(pickle.dumps(AudioHash("0f")))
    AudioHash(digest='0f')
    >>> unpickled(pickle.dumps(eval))
    Traceback (most recent call last):
      ...
    _pickle.UnpicklingError: a decoder sent builtins.eval
    """
    return _Unpickler(io.BytesIO(message)).load()

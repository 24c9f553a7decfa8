"""Moments in an export: ``moments.npy`` and two more files beside the vectors.

The patches of all tracks follow each other in the order of ``tracks.jsonl``. There, ``moments`` is
the number of patches of a track, ``moment_sounds`` that of its rows in ``moment_sounds.npy`` (null
if no tagger listened), and ``moment_prints`` that of its rows in ``moment_prints.npy`` (null if an
older version made the moments).
"""

from __future__ import annotations

import contextlib
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch import numpy_files
from audiosearch.atomic import atomic_path
from audiosearch.defaults import MOMENT_HOPS
from audiosearch.errors import LibraryError
from audiosearch.maintenance.fields_file import read_rows
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.models.moments import MAX_SCORE, N_CLASSES, Moments, PatchSounds
from audiosearch.models.patch_print import PATCH_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    import numpy.typing as npt

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.types import Float32

    _Row = tuple[Track, Float32, dict[str, int | None]]
    RowsWithMoments = Callable[[Iterable[tuple[Track, Float32]]], Iterator[_Row]]

MOMENT_FILES = ("moments.npy", "moment_sounds.npy", "moment_prints.npy")
MOMENTS, MOMENT_SOUNDS, MOMENT_PRINTS = MOMENT_FILES
#: Key of ``index.json``: seconds from one patch of a track to the next.
HOP = "moment_hop"
# Keys of ``tracks.jsonl``.
_COUNTS = _N_PATCHES, _N_SOUNDS, _N_PRINTS = ("moments", "moment_sounds", "moment_prints")
#: A sound in a patch: row of the patch in `MOMENTS`, class of AudioSet, and score in [0, 1].
SOUND_TYPE = np.dtype([("patch", "<i8"), ("class", "<u2"), ("score", "<f4")])
PRINT_TYPE = np.dtype("<u2")
_BATCH_TRACKS = 20  # whose moments are in memory at a time
_MAX_COUNT = 255  # sounds in a patch
_HINT = "Export the index again, or delete {} to import the tracks without moments."


class MomentsWriter:
    """The files of an export, written track by track.

    Parameters
    ----------
    files : sequence of binary file
        Empty files, in the order of `MOMENT_FILES`.
    dimension : int
        Numbers in the embedding of a patch.
    n_words : int
        Words in the print of a patch.
    """

    def __init__(self, files: Sequence[BinaryIO], dimension: int, n_words: int) -> None:
        self._codes, self._sounds, self._prints = files
        self._dimension, self._n_words = dimension, n_words
        self._n_patches = self._n_sounds = self._n_prints = 0
        self._write_headers()

    def _write_headers(self) -> None:
        """Write the headers. NumPy leaves room in them for more rows."""
        for file, dtype, shape in (
            (self._codes, np.dtype(np.int8), (self._n_patches, self._dimension)),
            (self._sounds, SOUND_TYPE, (self._n_sounds,)),
            (self._prints, PRINT_TYPE, (self._n_prints, self._n_words)),
        ):
            descr = np.lib.format.dtype_to_descr(dtype)
            header = {"descr": descr, "fortran_order": False, "shape": shape}
            file.seek(0)
            np.lib.format.write_array_header_1_0(file, header)

    def write(self, moments: Moments | None) -> dict[str, int | None]:
        """Write the moments of the next track, and return its keys in ``tracks.jsonl``."""
        if moments is None:
            return {_N_PATCHES: 0, _N_SOUNDS: None, _N_PRINTS: None}
        self._codes.write(moments.codes.tobytes())
        rows = _rows(moments.sounds, self._n_patches)
        self._sounds.write(rows.tobytes())
        self._n_patches += len(moments)
        self._n_sounds += len(rows)
        n_sounds = None if moments.sounds is None else len(rows)
        n_prints = None
        if moments.prints is not None and moments.prints.shape[1] == self._n_words:
            self._prints.write(moments.prints.astype(PRINT_TYPE).tobytes())
            n_prints = len(moments)
            self._n_prints += n_prints
        return {_N_PATCHES: len(moments), _N_SOUNDS: n_sounds, _N_PRINTS: n_prints}

    def finish(self) -> None:
        """Complete the files."""
        self._write_headers()


@contextlib.contextmanager
def written_moments(index: Index, folder: Path) -> Iterator[RowsWithMoments]:
    """Write the moments of tracks into a folder, if the index has any.

    Yields
    ------
    callable
        Takes tracks with vectors. Writes the moments of each, and yields it with its vector and
        its keys in ``tracks.jsonl``.
    """
    if index.moment_hop is None:
        yield lambda rows: ((track, vector, {}) for track, vector in rows)
        return
    with contextlib.ExitStack() as stack:
        paths = [stack.enter_context(atomic_path(folder / name)) for name in MOMENT_FILES]
        outputs = [stack.enter_context(path.open("wb")) for path in paths]
        writer = MomentsWriter(outputs, index.spec.dimension, _n_words(index.moment_hop))

        def write(rows: Iterable[tuple[Track, Float32]]) -> Iterator[_Row]:
            for batch in with_moments(index, rows):
                for track, vector, moments in batch:
                    yield track, vector, writer.write(moments)

        yield write
        writer.finish()


def with_moments(
    index: Index, rows: Iterable[tuple[Track, Float32]]
) -> Iterator[list[tuple[Track, Float32, Moments | None]]]:
    """Yield tracks with their vectors and moments, a few at a time."""
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH_TRACKS)):
        moments = dict(index.moments.of([track.id for track, _ in batch]))
        yield [(track, vector, moments.get(track.id)) for track, vector in batch]


def exported_hop(content: Any) -> float | None:
    """Return the hop in the content of an ``index.json``; None if there is no valid one."""
    hop = content.get(HOP) if isinstance(content, dict) else None
    return next((known for known in MOMENT_HOPS if hop == known), None)


def exported_moments(
    folder: Path, content: Any, fields_file: Path, dimension: int
) -> tuple[float | None, list[Moments | None]]:
    """Return the hop of an export and the moments of each row; None and nothing if it has none.

    Parameters
    ----------
    folder : Path
    content : object
        Content of its ``index.json``.
    fields_file : Path
        Its ``tracks.jsonl``.
    dimension : int
        Numbers in the embedding of a patch.
    """
    hop = exported_hop(content)
    if hop is None or not os.path.lexists(folder / MOMENTS):
        return None, []
    return hop, read_moments(folder, read_rows(fields_file, ()), dimension, hop=hop)


def _n_words(hop: float) -> int:
    """Return the number of words in the print of a patch, given the hop of the moments."""
    return round(hop / PATCH_HOP_SECONDS * PATCH_WORDS)


def _rows(sounds: PatchSounds | None, first_row: int) -> npt.NDArray[np.void]:
    """Return sounds as an array of `SOUND_TYPE`."""
    if sounds is None:
        return np.empty(0, SOUND_TYPE)
    rows = np.empty(len(sounds.classes), SOUND_TYPE)
    rows["patch"] = first_row + sounds.patches
    rows["class"] = sounds.classes
    rows["score"] = sounds.scores.astype(np.float32) / MAX_SCORE
    return rows


def read_moments(
    folder: Path, tracks: Sequence[dict[str, Any]], dimension: int, *, hop: float
) -> list[Moments | None]:
    """Return the moments of each row of an export, in order; None for a track without any.

    Parameters
    ----------
    folder : Path
    tracks : sequence of dict
        Rows of ``tracks.jsonl``.
    dimension : int
        Numbers in the embedding of a patch.
    hop : float
        Seconds from one patch of a track to the next.

    Raises
    ------
    LibraryError
        If a file is missing or damaged, or they don't fit together.
    """
    codes = _mapped(folder / MOMENTS, np.dtype(np.int8), (dimension,))
    sounds = _mapped(folder / MOMENT_SOUNDS, SOUND_TYPE, ())
    prints = _mapped_prints(folder / MOMENT_PRINTS, _n_words(hop))
    counts = [[_count(row, key) for key in _COUNTS] for row in tracks]
    totals = [sum(n or 0 for n in column) for column in zip(*counts, strict=True)] or [0, 0, 0]
    for name, array, total in zip(MOMENT_FILES, (codes, sounds, prints), totals, strict=True):
        if len(array) != total:
            raise LibraryError(
                f"{folder / name} has {len(array):,} rows, but the tracks have {total:,}.",
                hint=_HINT.format(folder / MOMENTS),
            )
    moments: list[Moments | None] = []
    first_row = first_sound = first_print = 0
    for n_patches, n_sounds, n_prints in counts:
        end, sounds_end = first_row + (n_patches or 0), first_sound + (n_sounds or 0)
        prints_end = first_print + (n_prints or 0)
        heard = None
        if n_sounds is not None:
            part = np.array(sounds[first_sound:sounds_end])
            heard = _patch_sounds(part, first_row, end, folder / MOMENT_SOUNDS)
        printed = prints[first_print:prints_end] if n_prints == n_patches else None
        moments.append(Moments(codes[first_row:end], heard, printed) if n_patches else None)
        first_row, first_sound, first_print = end, sounds_end, prints_end
    return moments


def _mapped_prints(path: Path, n_words: int) -> npt.NDArray[Any]:
    """Return the prints of an export; none if an older version wrote it, which had no prints."""
    if not os.path.lexists(path):
        return np.empty((0, n_words), PRINT_TYPE)
    return _mapped(path, PRINT_TYPE, (n_words,))


def _count(row: dict[str, Any], key: str) -> int | None:
    """Return a count of a row; a missing or invalid one counts as missing."""
    value = row.get(key) if isinstance(row, dict) else None
    return value if type(value) is int and value >= 0 else None


def _mapped(path: Path, dtype: np.dtype[Any], row: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return a file as an array of rows with a shape, mapped into memory."""
    hint = _HINT.format(path.with_name(MOMENTS))
    try:
        if not os.path.isfile(path):
            raise FileNotFoundError("it is missing")
        with np.errstate(over="ignore"):  # of the size of the array
            array = np.lib.format.open_memmap(path, mode="r")
    except numpy_files.ERRORS as exc:
        first_line = str(exc).partition("\n")[0].rstrip(".")
        raise LibraryError(
            f"{path} is not an array that NumPy can read: {first_line}.", hint=hint
        ) from exc
    if array.dtype != dtype or array.ndim != 1 + len(row) or array.shape[1:] != row:
        raise LibraryError(
            f"{path} does not hold moments: its type is {array.dtype}, its shape {array.shape}.",
            hint=hint,
        )
    return array


def _patch_sounds(rows: npt.NDArray[np.void], start: int, end: int, path: Path) -> PatchSounds:
    """Return the sounds of the patches in rows ``start`` to ``end`` of `MOMENTS`."""
    patches, classes, scores = rows["patch"], rows["class"], rows["score"]
    is_valid = (
        (patches >= start) & (patches < end) & (classes < N_CLASSES) & (scores >= 0) & (scores <= 1)
    )
    if not is_valid.all() or (np.diff(patches) < 0).any():
        raise LibraryError(
            f"{path} has sounds of other patches, or with invalid values.",
            hint=_HINT.format(path.with_name(MOMENTS)),
        )
    counts = np.bincount(patches - start, minlength=end - start)
    if counts.size and counts.max() > _MAX_COUNT:
        raise LibraryError(
            f"{path} has more than {_MAX_COUNT} sounds in a patch.",
            hint=_HINT.format(path.with_name(MOMENTS)),
        )
    codes = np.rint(scores * MAX_SCORE).astype(np.uint8)
    return PatchSounds(counts.astype(np.uint8), classes.astype(np.uint16), codes)

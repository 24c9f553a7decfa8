"""From an audio file to log-mel patches, as a stream."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.decode import (
    mono_blocks,
    open_recording,
    part_blocks,
    part_waveforms,
)
from audiosearch.audio.downmix import Downmix
from audiosearch.audio.recording import WRONG_LENGTH
from audiosearch.audio.waveform import to_bytes
from audiosearch.errors import AudioError, UsageError
from audiosearch.models.front_end import (
    PATCH_HOP_SECONDS,
    PATCH_SAMPLES,
    SAMPLE_RATE_HZ,
    frames_in,
)
from audiosearch.models.log_mel import frame_stream, log_mel_patches, patch_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audiosearch.types import Float32, StrPath


class PatchReader:
    """Stream of the log-mel patches of a file, read once from start to end.

    Parameters
    ----------
    path : str or path-like
    excerpt_seconds : float, optional
        Read only about this much of the file, as patches evenly spaced over it.
    hop_seconds : float
        Time from the start of one patch of a whole file to the start of the next: 0.96 or 0.48.

    Attributes
    ----------
    path : str
    info : AudioInfo
        Facts about the file, as its decoder reports them.
    seconds : float
        Length of the file, valid once the stream has ended.
    warning : str or None
        Fault of the file; None if it has none. Only part of it was read, or its samples are
        silent or out of range. Valid once the stream has ended.
    starts : list of float
        Start of each patch of an excerpt that was read so far, in seconds. It stays empty if one
        patch follows the other.
    waveform : bytes
        Peaks of a file that was read as a whole: see `audiosearch.audio.waveform.to_bytes`. Empty
        for an excerpt. Valid once the stream has ended.

    Raises
    ------
    AudioError
        If the file can't be opened.
    """

    def __init__(
        self,
        path: StrPath,
        *,
        excerpt_seconds: float | None = None,
        hop_seconds: float = PATCH_HOP_SECONDS,
    ) -> None:
        self.path = os.fspath(path)
        self._recording = open_recording(self.path)
        self._downmix = Downmix(self.path)
        self._excerpt_seconds = excerpt_seconds
        self._hop_frames = frames_in(hop_seconds)
        self.info = self._recording.info
        self.seconds = self.info.seconds or 0.0
        self.warning: str | None = None
        self.starts: list[float] = []
        self.waveform = b""

    def __enter__(self) -> PatchReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._recording.close()

    def __iter__(self) -> Iterator[Float32]:
        """Read the file.

        Yields
        ------
        ndarray of float32, shape (n_patches, 96, 64)
            Natural log of mel magnitude plus 0.01; axes are patch, frame (10 ms), band. At least
            one patch in all.

        Raises
        ------
        AudioError
            If nothing can be decoded, or a sample is not a finite number.
        """
        starts = self._excerpt_starts()
        whole = patch_stream(self._waveform(), hop_frames=self._hop_frames)
        yield from self._checked(
            self._excerpt(starts) if starts else whole,
            is_excerpt=bool(starts),
        )

    def frames(self) -> Iterator[Float32]:
        """Read the file, like `__iter__`, but don't cut the frames into patches.

        Yields
        ------
        ndarray of float32, shape (n_frames, 64)
            At least 96 frames in all.
        """
        yield from self._checked(frame_stream(self._waveform()), is_excerpt=False)

    def frames_of_parts(
        self, parts: Sequence[tuple[float, float | None]]
    ) -> Iterator[Iterator[Float32]]:
        """Read parts of the file, in one pass where positions can't be sought.

        Parameters
        ----------
        parts : sequence of (float, float or None)
            Start and length of each, in seconds, in ascending order of the starts. Only the length
            of an only part may be None: up to the end of the file.

        Yields
        ------
        iterator of ndarray of float32, shape (n_frames, 64)
            Frames of a part, to be read before the next part. They are fewer if the file ends
            earlier; a part beyond its end has none.
        """
        self.seconds = self.measured_seconds()
        lengths = [None if s is None else round(s * SAMPLE_RATE_HZ) for _, s in parts]
        if len(parts) == 1:
            yield frame_stream(self._part_blocks(parts[0][0], lengths[0]))
            return
        spans = [(start, n or 0) for (start, _), n in zip(parts, lengths, strict=True)]
        for samples in part_waveforms(self._recording, self.path, spans, downmix=self._downmix):
            yield frame_stream([samples])

    def _part_blocks(self, start: float, n_samples: int | None) -> Iterator[Float32]:
        """Yield the samples of a part, and correct the length of a file that declares less."""
        n_read = 0
        for block in part_blocks(
            self._recording, self.path, start, n_samples, downmix=self._downmix
        ):
            n_read += len(block)
            yield block
        if n_read:
            self.seconds = max(self.seconds, start + n_read / SAMPLE_RATE_HZ)

    def measured_seconds(self) -> float:
        """Return the length of the file in seconds, without decoding it."""
        return self._recording.measured_seconds()

    @property
    def level_warning(self) -> str | None:
        """Fault of the samples that were read: silent, or out of range. None if they have none."""
        return "; ".join(self._level_remarks()) or None

    def _checked(self, parts: Iterator[Float32], *, is_excerpt: bool) -> Iterator[Float32]:
        """Yield patches or frames; then check that there were any, and note the warning."""
        is_empty = True
        for part in parts:
            is_empty = False
            yield part
        damage = self._recording.damage
        if is_empty:
            raise AudioError(
                self.path,
                f"nothing of it can be decoded ({damage or 'it has no samples'})",
                hint="Copy or download it again.",
            )
        remarks = [*self._damage_remarks(damage, is_excerpt=is_excerpt), *self._level_remarks()]
        self.warning = "; ".join(remarks) or None

    def _damage_remarks(self, damage: str | None, *, is_excerpt: bool) -> Iterator[str]:
        if damage == WRONG_LENGTH:
            yield f"{damage}; its length of {self.seconds:.1f} s was measured"
        elif damage:
            used = "its readable parts" if is_excerpt else f"its first {self.seconds:.1f} s"
            yield f"{damage}; only {used} were used"

    def _level_remarks(self) -> Iterator[str]:
        if self._downmix.is_silent:
            yield "it is silent"
        elif self._downmix.is_out_of_range:
            peak = self._downmix.peak
            yield f"its samples go far beyond 1, up to {peak:,.0f}; they were scaled down"

    def _waveform(self) -> Iterator[Float32]:
        n_samples = 0
        for block in mono_blocks(self._recording, self.path, downmix=self._downmix):
            n_samples += len(block)
            yield block
        self.seconds = n_samples / SAMPLE_RATE_HZ
        self.waveform = to_bytes(self._downmix.peaks.values())

    def _excerpt_starts(self) -> list[float]:
        """Return the start of each patch of the excerpt in seconds; empty for the whole file."""
        if self._excerpt_seconds is None:
            return []
        excerpt, whole = self._excerpt_seconds, self.measured_seconds()
        if whole <= excerpt:
            return []
        self.seconds = whole
        n_patches = max(1, int(excerpt / PATCH_HOP_SECONDS))
        patch_seconds = PATCH_SAMPLES / SAMPLE_RATE_HZ
        step = whole / n_patches
        return [max(0.0, (i + 0.5) * step - patch_seconds / 2) for i in range(n_patches)]

    def _excerpt(self, starts: list[float]) -> Iterator[Float32]:
        parts = [(start, PATCH_SAMPLES) for start in starts]
        waveforms = part_waveforms(self._recording, self.path, parts, downmix=self._downmix)
        for start, waveform in zip(starts, waveforms, strict=True):
            if len(waveform):
                self.starts.append(start)
                padding = PATCH_SAMPLES - len(waveform)
                yield log_mel_patches(np.pad(waveform, (0, padding)))


def check_excerpt(seconds: float | None) -> None:
    """Check the length of an excerpt; None means no excerpt.

    Raises
    ------
    UsageError
        If it is shorter than a second, or not a finite number.
    """
    if seconds is not None and not 1.0 <= seconds < math.inf:
        raise UsageError(
            f"An excerpt can't be {seconds:g} s long.", hint="Use a length of 1 second or more."
        )

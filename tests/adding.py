"""Run `audiosearch add` in another process, and watch what it uses."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest

from audiosearch import Index

# The process drops root's right to read all files, so that some files can't be read, and allows
# core dumps, so that a test can look for them.
_PROGRAM = (
    "import ctypes, os, resource, sys\n"
    "for capability in (1, 2): ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"
    "hard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
    "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass
class Usage:
    """Memory and descriptors of a process and of its largest child, sampled while it runs."""

    samples: dict[str, list[int]] = field(
        default_factory=lambda: {name: [] for name in ("mb", "fds", "child_mb", "child_fds")}
    )

    def sample(self, process: psutil.Process) -> None:
        """Add a sample, unless the process has ended."""
        with contextlib.suppress(psutil.Error):
            self._add("", [process])
        with contextlib.suppress(psutil.Error):
            self._add("child_", process.children(recursive=True))

    def _add(self, prefix: str, processes: list[psutil.Process]) -> None:
        if processes:
            n_bytes = max(process.memory_info().rss for process in processes)
            n_fds = max(process.num_fds() for process in processes)
            self.samples[f"{prefix}mb"].append(n_bytes >> 20)
            self.samples[f"{prefix}fds"].append(n_fds)

    def peaks(self) -> dict[str, int]:
        """Return the largest samples of each kind."""
        return {name: max(values) for name, values in self.samples.items() if values}

    def starts_and_ends(self) -> dict[str, tuple[float, float]]:
        """Return medians of each kind of samples: after the first third, and at the end."""

        def medians(values: list[int]) -> tuple[float, float]:
            third, n = len(values) // 3, len(values) // 10 + 1
            return statistics.median(values[third : third + n]), statistics.median(values[-n:])

        return {name: medians(values) for name, values in self.samples.items() if values}


def add(folder: Path, *options: str, usage: Usage | None = None) -> str:
    """Add a folder in another process, and return its standard error."""
    command = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", *options, folder]
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *map(str, command)], stderr=subprocess.PIPE
    ) as process:
        if usage is not None:
            threading.Thread(target=_watch, args=[process, usage], daemon=True).start()
        stderr = process.communicate(timeout=6_000)[1].decode(errors="replace")
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    return stderr


def _watch(process: subprocess.Popen[bytes], usage: Usage) -> None:
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        usage.sample(watched)
        time.sleep(0.3)


def stored_and_failed():
    """Return the tracks by path, and the reasons for failures by path."""
    with Index("index") as index, index.storage.all_with_vectors() as (_, rows):
        stored = {}
        for track, vector in rows:
            assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
            stored[track.path] = track
        return stored, {failure.path: failure.reason for failure in index.storage.failures()}


@contextlib.contextmanager
def nothing_left(monkeypatch: pytest.MonkeyPatch, folder: Path):
    """Check that a block leaves no temporary file, core dump or decoder process."""
    temporary = folder / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield
    assert list(temporary.iterdir()) == []
    assert [path for path in Path().iterdir() if "core" in path.name] == []
    decoders = [
        process.pid
        for process in psutil.process_iter(["cmdline", "environ"])
        if "decoder_worker" in " ".join(process.info["cmdline"] or ())
        and (process.info["environ"] or {}).get("TMPDIR") == os.fspath(temporary)
    ]
    assert decoders == []

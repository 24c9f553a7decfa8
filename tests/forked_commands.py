"""Run command lines in forked processes. They start at once, because everything is imported.

As a program, this is the process that forks; `Forks` starts it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

#: Modules that commands import when they run.
IMPORTED = [
    *("numpy", "faiss", "sqlite_utils", "ai_edge_litert.interpreter", "soundfile", "sklearn"),
    *("sklearn.cluster", "rich.table", "audiosearch.cli"),
    *("audiosearch.library.folder.backend", "audiosearch.library.folder.recovery"),
    *("audiosearch.ingest.add", "audiosearch.ingest.reembed", "audiosearch.search.duplicates"),
    *("audiosearch.maintenance.copy", "audiosearch.maintenance.doctor"),
    *("audiosearch.maintenance.export_import", "audiosearch.maintenance.optimize"),
    *("audiosearch.maintenance.files", "audiosearch.soundmap.page"),
]


@dataclass(frozen=True)
class Run:
    """A command that ended: its status, or minus the signal; what it said; seconds it took."""

    status: int
    said: str
    seconds: float


class Forks:
    """Starts command lines by forking a process that has imported everything."""

    def __enter__(self) -> Forks:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | threads,
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(
        self,
        *command: object,
        folder: Path,
        kill_after: float | None = None,
        max_file_bytes: int | None = None,
    ) -> Run:
        """Run a command line in a folder. Kill it after a number of seconds, if it still runs."""
        said = folder.parent / "said.txt"
        request = {
            "command": list(map(str, command)),
            "folder": str(folder),
            "said": str(said),
            "max_file_bytes": max_file_bytes,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        started = time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):  # it is a zombie until it is waited for
                os.kill(pid, signal.SIGKILL)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return Run(status, said.read_text(errors="replace"), time.monotonic() - started)


def serve() -> None:
    """Fork for each request, and answer with the process's id. Then wait for it on request."""
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            run(request)
        print(pid, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def run(request: dict) -> None:
    """Run a command line in this process, which then ends."""
    os.chdir(request["folder"])
    said = os.open(request["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(source, target)
    if request["max_file_bytes"] is not None:
        limit = request["max_file_bytes"]
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.argv = ["audiosearch", *request["command"]]
    from audiosearch.__main__ import main

    main()
    sys.exit()


if __name__ == "__main__":
    serve()

"""Compare the speed of `add --ray` on two single-core workers with that of plain `add -j 2`.

Usage: python tests/benchmarks/rayspeed.py [--files N] [--short N] [--rounds N]

The cluster has two nodes of one core each, and is started before the measurement. Both commands
add the same files to a new index with the model `compact`, in turn. `steady` is the speed from the
first result to the last. `whole` is the speed from the start of the process to its end.
It prints figures and checks nothing, because machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from ray.cluster_utils import Cluster
from throughput import clips, short_files

ADD = """
import json, sys, time
from contextlib import nullcontext
from audiosearch.ingest.ray.connection import connected
from audiosearch.ingest.ray.reader import RayReader
from audiosearch.ingest.add import Ingest
from audiosearch.models.registry import ModelRequest
from audiosearch.embedding.reader import Reader
from audiosearch.audio.input_files import InputFiles
if __name__ == "__main__":
    directory, folder, address = sys.argv[1:]
    sources = InputFiles([folder])
    with connected(address) if address else nullcontext():
        reader = RayReader(sources, n_workers=2) if address else Reader(n_jobs=2)
        times = []
        compact = ModelRequest("compact")
        for result in Ingest(directory, sources.paths, request=compact, reader=reader):
            assert result.status.value == "added", result
            times.append(time.perf_counter())
    n_first = sum(at - times[0] < 0.01 for at in times)  # stored in the first batch
    print(json.dumps((len(times) - n_first) / (times[-1] - times[0])))
"""


def rates(directory: Path, folder: Path, address: str) -> tuple[float, float]:
    """Return files per second: from the first result to the last, and of the whole process."""
    started = time.perf_counter()
    command = [sys.executable, "-c", ADD, str(directory), str(folder), address]
    ended = subprocess.run(command, check=True, capture_output=True)
    wall = time.perf_counter() - started
    return json.loads(ended.stdout), len(list(folder.iterdir())) / wall


def show(title: str, folder: Path, address: str, n_rounds: int) -> None:
    plain, by_ray = [], []
    with tempfile.TemporaryDirectory() as name:
        for round_number in range(n_rounds):
            plain.append(rates(Path(name, f"plain{round_number}"), folder, ""))
            by_ray.append(rates(Path(name, f"ray{round_number}"), folder, address))
    print(f"\n{title}, median of {n_rounds} rounds, files/s")
    for i, what in enumerate(("steady", "whole")):
        ours, theirs = (median(rate[i] for rate in results) for results in (by_ray, plain))
        ratio = median(r[i] / p[i] for r, p in zip(by_ray, plain, strict=True))
        print(f"  {what:7} add -j 2 {theirs:7.1f}   add --ray, 2 workers {ours:7.1f}", end="")
        print(f"   {ratio:.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=240, help="clips of 30 s")
    parser.add_argument("--short", type=int, default=2_000, help="files of one second")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    node = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    try:
        with tempfile.TemporaryDirectory() as name:
            long, short = Path(name, "long"), Path(name, "short")
            if arguments.files:
                long.mkdir()
                clips(long, arguments.files)
                title = f"{arguments.files} clips of 30 s (mp3)"
                show(title, long, cluster.address, arguments.rounds)
            if arguments.short:
                short_files(short, arguments.short, seconds=1.0)
                title = f"{arguments.short:,} sounds of 1 s (wav)"
                show(title, short, cluster.address, arguments.rounds)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()

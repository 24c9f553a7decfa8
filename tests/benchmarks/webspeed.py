"""Compare the query rate of `audiosearch serve` with that of FAISS alone.

Usage: python tests/benchmarks/webspeed.py [--tracks N] [--requests N] [--clients N]

It prints figures and checks nothing, because machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import faiss
import httpx
import numpy as np
import psutil
from playlists import fill

sys.path.append(str(Path(__file__).parents[1]))  # for the modules that tests and benchmarks share
from served import serving
from sounds import noise, write


def encoded(url: str, **body: Any) -> bytes:
    """Return the bytes of an HTTP POST request."""
    request = httpx.Request("POST", url, **body)
    lines = [b"POST %s HTTP/1.1" % request.url.raw_path]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join([*lines, b"", request.read()])


async def asked(url: str, requests: list[bytes], n_clients: int) -> list[float]:
    """Send requests from several clients at once, and return the seconds that each answer took.

    Plain sockets are used, because an HTTP client library would take most of the time.
    """
    seconds: list[float] = []

    async def client(batch: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        for request in batch:
            started = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(head.decode())
            (length,) = re.findall(rb"content-length: (\d+)", head)
            await reader.readexactly(int(length))
            seconds.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(client(requests[n::n_clients]) for n in range(n_clients)))
    return seconds


def bare_rate(n_tracks: int, seconds: float) -> float:
    """Return the number of queries per second that FAISS answers, one after the other."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n_tracks, 128)).astype(np.float32)
    index = faiss.IndexFlatIP(128)
    index.add(vectors)
    started, number = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        index.search(vectors[number : number + 1], 11)
        number += 1
    return number / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "index", arguments.tracks)
        clip = write(folder / "clip.wav", noise(10.0)).read_bytes()
        with serving(folder, {}) as server:
            url = f"{server.url}/api/query"
            upload = [encoded(url, files={"file": ("clip", clip)}, data={"k": "10"})]
            ids = [encoded(url, data={"track": str(n), "k": "10"}) for n in range(1, 1_000)]
            asyncio.run(asked(url, (ids + upload)[-20:], 1))
            rounds = (("tracks", ids, arguments.requests), ("clips", upload, 200))
            for title, options, n_requests in rounds:
                alone = statistics.median(asyncio.run(asked(url, (options * 20)[:20], 1)))
                memory = psutil.Process(server.pid).memory_info().rss
                started = time.perf_counter()
                many = (options * n_requests)[:n_requests]
                together = asyncio.run(asked(url, many, arguments.clients))
                rate = n_requests / (time.perf_counter() - started)
                grown = psutil.Process(server.pid).memory_info().rss - memory
                median = statistics.median(together)
                queued = alone * arguments.clients / psutil.cpu_count()
                print(
                    f"{title}: alone {1e3 * alone:.1f} ms; {arguments.clients} at once: "
                    f"{rate:.0f} per second, median {1e3 * median:.0f} ms, {median / queued:.2f} "
                    f"of the time of one query x clients / cores; memory {grown / 1e6:+.0f} MB"
                )
            print(f"FAISS alone: {bare_rate(arguments.tracks, 5.0):.0f} per second")


if __name__ == "__main__":
    main()

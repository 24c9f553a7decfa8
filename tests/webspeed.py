"""Print how many queries `audiosearch serve` answers, beside what FAISS alone does.

Usage: python tests/webspeed.py [--tracks N] [--requests N] [--clients N]

Nothing here asserts: machines differ, and are noisy.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import faiss
import httpx
import numpy as np
import psutil
from playlists import fill
from served import serving
from sounds import noise, write


async def asked(url: str, n_requests: int, n_clients: int, options: list[dict]) -> list[float]:
    """Ask by so many clients at once, and return how long each answer took."""
    limits = httpx.Limits(max_connections=n_clients)
    async with httpx.AsyncClient(limits=limits, timeout=600) as client:
        turn = asyncio.Semaphore(n_clients)

        async def one(number: int) -> float:
            async with turn:
                started = time.perf_counter()
                found = await client.post(url, **options[number % len(options)])
                found.raise_for_status()
                return time.perf_counter() - started

        return await asyncio.gather(*map(one, range(n_requests)))


def bare_rate(n_tracks: int, seconds: float) -> float:
    """Return how many queries a second FAISS answers, one after the other."""
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
            upload = [{"files": {"file": ("clip", clip)}, "data": {"k": 10}}]
            ids = [{"data": {"track": number, "k": 10}} for number in range(1, 1_000)]
            asyncio.run(asked(url, 20, 1, ids + upload))
            rounds = (("tracks", ids, arguments.requests), ("clips", upload, 200))
            for title, options, n_requests in rounds:
                alone = statistics.median(asyncio.run(asked(url, 20, 1, options)))
                memory = psutil.Process(server.pid).memory_info().rss
                started = time.perf_counter()
                together = asyncio.run(asked(url, n_requests, arguments.clients, options))
                rate = n_requests / (time.perf_counter() - started)
                grown = psutil.Process(server.pid).memory_info().rss - memory
                median = statistics.median(together)
                queued = alone * arguments.clients / psutil.cpu_count()
                print(
                    f"{title}: alone {1e3 * alone:.1f} ms; {arguments.clients} at once: "
                    f"{rate:.0f} a second, median {1e3 * median:.0f} ms, {median / queued:.2f} of "
                    f"one's time times the queue over the cores; memory {grown / 1e6:+.0f} MB"
                )
            print(f"FAISS alone: {bare_rate(arguments.tracks, 5.0):.0f} a second")


if __name__ == "__main__":
    main()

"""Print how smoothly a large map pans and zooms, and how long it takes to make.

Usage: python tests/mapspeed.py [--tracks N]

The page is shown by Debian's Chromium without a window, its WebGL computed on the processor.
Nothing here asserts: machines differ, and are noisy.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playlists import fill
from playwright.sync_api import Page, sync_playwright

from audiosearch import Index
from audiosearch.soundmap import draw, sound_map

SECONDS = 4.0
# How often the map itself is drawn at another place or size.
COUNT_DRAWN = "window.drawn = 0; plot.on('plotly_relayouting', () => { window.drawn += 1; })"


def frames_a_second(page: Page, move: Callable[[Page, int], None]) -> float:
    """Return how often the map is drawn while something moves."""
    before, started = page.evaluate("window.drawn"), time.perf_counter()
    number = 0
    while time.perf_counter() - started < SECONDS:
        move(page, number)
        number += 1
    drawn: int = page.evaluate("window.drawn") - before
    return drawn / (time.perf_counter() - started)


def pan(page: Page, number: int) -> None:
    """Drag a little further, there and back again."""
    page.mouse.move(500 + 100 * np.sin(number / 5), 400 + 60 * np.cos(number / 5))


def zoom(page: Page, number: int) -> None:
    """Turn the wheel, in and out again."""
    page.mouse.wheel(0, -40 if number // 20 % 2 else 40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=50_000)
    n_tracks = parser.parse_args().tracks
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        fill(folder / "i", n_tracks)
        with Index(folder / "i") as index:
            for title in ("laid out", "laid out again, as it was"):
                started = time.perf_counter()
                found = sound_map(index)
                print(f"{n_tracks} tracks {title}: {time.perf_counter() - started:.1f} s")
        print(f"trustworthiness at 10: {found.trustworthiness():.3f}")
        draw(found, folder / "map.html", kind="html")
        options = ["--use-gl=swiftshader", "--enable-webgl", "--ignore-gpu-blocklist"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto((folder / "map.html").as_uri())
        page.wait_for_timeout(3_000)
        page.evaluate(COUNT_DRAWN)
        page.mouse.move(500, 400)
        page.mouse.down()
        print(f"pan: {frames_a_second(page, pan):.1f} frames a second")
        page.mouse.up()
        print(f"zoom: {frames_a_second(page, zoom):.1f} frames a second")
        browser.close()


if __name__ == "__main__":
    main()

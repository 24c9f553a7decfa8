"""Print how smoothly a large map pans and zooms, and how long it takes to make.

Usage: python tests/benchmarks/mapspeed.py [--tracks N]

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
# How many of the browser's frames show the map at another place or size than the one before.
COUNT_SHOWN = """
window.shown = 0;
let last = null;
function look() {
  const { xaxis, yaxis } = plot._fullLayout;
  const { transform } = plot.querySelector(".plot-container").style;
  const now = JSON.stringify([transform, xaxis.range, yaxis.range]);
  window.shown += last !== null && now !== last;
  last = now;
  requestAnimationFrame(look);
}
look();
"""


def frames_a_second(page: Page, move: Callable[[Page, int], None]) -> float:
    """Return how many frames show the map elsewhere than the one before while something moves."""
    before, started = page.evaluate("window.shown"), time.perf_counter()
    number = 0
    while time.perf_counter() - started < SECONDS:
        move(page, number)
        number += 1
    shown: int = page.evaluate("window.shown") - before
    return shown / (time.perf_counter() - started)


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
        page.evaluate(COUNT_SHOWN)
        page.mouse.move(500, 400)
        page.mouse.down()
        print(f"pan: {frames_a_second(page, pan):.1f} frames a second")
        page.mouse.up()
        print(f"zoom: {frames_a_second(page, zoom):.1f} frames a second")
        browser.close()


if __name__ == "__main__":
    main()

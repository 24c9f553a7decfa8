"""Measure the time to lay out a large map, and the frame rate of its page.

Usage: python tests/benchmarks/mapspeed.py [--tracks N]

The page runs in Debian's Chromium without a window. WebGL runs on the processor.
It prints figures and checks nothing, because machines differ and are noisy.
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
# Counts the frames that show the map at another position or size than the frame before.
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
    """Return the number of frames per second that show a change while the map moves."""
    before, started = page.evaluate("window.shown"), time.perf_counter()
    number = 0
    while time.perf_counter() - started < SECONDS:
        move(page, number)
        number += 1
    shown: int = page.evaluate("window.shown") - before
    return shown / (time.perf_counter() - started)


def pan(page: Page, number: int) -> None:
    """Drag the map one step further along an ellipse."""
    page.mouse.move(500 + 100 * np.sin(number / 5), 400 + 60 * np.cos(number / 5))


def zoom(page: Page, number: int) -> None:
    """Turn the wheel one step, alternately in and out."""
    page.mouse.wheel(0, -40 if number // 20 % 2 else 40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=50_000)
    n_tracks = parser.parse_args().tracks
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        fill(folder / "i", n_tracks)
        with Index(folder / "i") as index:
            for title in ("laid out", "read from the stored layout"):
                started = time.perf_counter()
                result = sound_map(index)
                print(f"{n_tracks} tracks {title}: {time.perf_counter() - started:.1f} s")
        print(f"trustworthiness at 10: {result.trustworthiness():.3f}")
        draw(result, folder / "map.html", kind="html")
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

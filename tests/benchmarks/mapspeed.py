"""Measure a large map: its layout, what it sends, its first view, movement, a lasso.

Usage: python tests/benchmarks/mapspeed.py [--tracks N]

The page is that of `audiosearch serve`, in Debian's Chromium without a window and without a
graphics card. It prints figures and checks nothing, because machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playlists import fill
from playwright.sync_api import Browser, Page, sync_playwright

from audiosearch import Index
from audiosearch.soundmap import sound_map

SECONDS = 4.0
BYTES_PER_SECOND = 1_000_000
# Keeps the milliseconds between frames in which the map has another position or size than before.
KEEP_INTERVALS = """
window.intervals = [];
let [lastState, lastTime] = ["", performance.now()];
function look(time) {
  const state = JSON.stringify(document.querySelector(".map").mapView.state);
  if (state !== lastState) {
    window.intervals.push(time - lastTime);
    [lastState, lastTime] = [state, time];
  }
  requestAnimationFrame(look);
}
requestAnimationFrame(look);
"""
HAS_POINTS = "() => document.querySelector('.map-count')?.textContent.includes('track')"
HAS_NAMES = "() => performance.getEntriesByName(`${location.origin}/api/map/names`).length > 0"


def frames(page: Page, move: Callable[[Page, int], None]) -> str:
    """Return a text about the frames that show a change while the map moves."""
    page.evaluate("window.intervals.length = 0")
    started, number = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        move(page, number)
        number += 1
    intervals = np.array(page.evaluate("window.intervals.slice(1)"))
    median, slow = np.percentile(intervals, [50, 95])
    rate = 1000 * len(intervals) / intervals.sum()
    return f"{rate:.1f} frames a second, every {median:.0f} ms (median; 95 %: {slow:.0f} ms)"


def pan(page: Page, number: int) -> None:
    """Drag the map one step further along an ellipse."""
    page.mouse.move(500 + 100 * np.sin(number / 5), 400 + 60 * np.cos(number / 5))


def zoom(page: Page, number: int) -> None:
    """Turn the wheel one step, alternately in and out."""
    page.mouse.wheel(0, -40 if number // 20 % 2 else 40)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve an index, and yield the address."""
    command = [sys.executable, "-m", "audiosearch", "serve", "--port", "0", "--index", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        url = next(word for word in process.stderr.readline().split() if word.startswith("http"))
        try:
            yield url
        finally:
            process.terminate()


def report_sizes(url: str) -> None:
    """Print the sizes of the parts of the map, plain and compressed."""
    for name in ("map", "map/points", "map/names", "map/neighbours"):
        with urllib.request.urlopen(f"{url}api/{name}", timeout=600) as response:
            content = response.read()
        small = len(gzip.compress(content, 6))
        print(f"/api/{name}: {len(content) / 1e6:.2f} MB, compressed {small / 1e6:.2f} MB")


def report_first_view(browser: Browser, url: str) -> None:
    """Print the time from opening the page to a map with points, and with names, on a slow line."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    session = page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 20, "uploadThroughput": BYTES_PER_SECOND}
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions", limits | {"downloadThroughput": BYTES_PER_SECOND}
    )
    started = time.perf_counter()
    page.goto(f"{url}#map", wait_until="commit")
    for title, condition in (("points", HAS_POINTS), ("names", HAS_NAMES)):
        page.wait_for_function(condition, timeout=60_000)
        print(f"first visit over 1 MB/s: {title} after {time.perf_counter() - started:.1f} s")
    page.close()


def report_frames(browser: Browser, url: str, ratio: float) -> None:
    """Print how many frames per second a moving map shows."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, device_scale_factor=ratio)
    page.goto(f"{url}#map")
    page.wait_for_function(HAS_NAMES, timeout=60_000)
    page.evaluate(KEEP_INTERVALS)
    page.mouse.move(500, 400)
    page.mouse.down()
    print(f"{ratio} pixels per CSS pixel: pan: {frames(page, pan)}")
    page.mouse.up()
    print(f"{ratio} pixels per CSS pixel: zoom: {frames(page, zoom)}")
    page.close()


def report_lasso(browser: Browser, url: str) -> None:
    """Print how long a lasso around all tracks takes, and how long until some of them play."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{url}#map")
    page.wait_for_function(HAS_NAMES, timeout=60_000)
    page.get_by_label("Draw a lasso").click()
    angles = np.linspace(0, 2 * np.pi, 60)
    page.mouse.move(640, 400)
    page.mouse.down()
    for x, y in zip(640 + 630 * np.cos(angles), 400 + 330 * np.sin(angles), strict=True):
        page.mouse.move(x, y)
    started = time.perf_counter()
    page.mouse.up()
    page.locator(".map-lasso").wait_for()
    count = page.locator(".map-lasso strong").inner_text()
    print(f"lasso: {count} chosen in {1000 * (time.perf_counter() - started):.0f} ms")
    started = time.perf_counter()
    with page.expect_response("**/api/tracks/sample"):
        page.locator(".map-lasso").get_by_text("Make playlist").click()
    print(f"lasso: a sample of them after {time.perf_counter() - started:.2f} s")
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=20_000)
    parser.add_argument("--index", type=Path, help="An index to use in place of a made-up one.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = arguments.index or Path(name) / "i"
        if not arguments.index:
            fill(folder, arguments.tracks)
        with Index(folder) as index:
            for title in ("laid out", "read from the stored layout"):
                started = time.perf_counter()
                result = sound_map(index)
                seconds = time.perf_counter() - started
                print(f"{len(result.tracks)} tracks {title}: {seconds:.1f} s")
        print(f"trustworthiness at 10: {result.trustworthiness():.3f}")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        with serving(folder) as url:
            report_sizes(url)
            report_first_view(browser, url)
            for ratio in (1, 2):
                report_frames(browser, url, ratio)
            report_lasso(browser, url)
        browser.close()


if __name__ == "__main__":
    main()

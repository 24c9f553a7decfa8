"""Make the pictures in README.md: the map of a library, and a search with a clip.

Synthesizes a library of sounds, each a mix of the eight kinds of the demo with the demo's made-up
tags, serves it, and takes pictures of the page in Chromium. Run it as ``poe pictures`` after
changes of the page. It needs the packages of the extra ``dev``, the program ``chromium``, and some
minutes. The pictures differ slightly from run to run, because files are added in the order in which
they are decoded.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from picture_library import clip_content, write_library
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from audiosearch import Index

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audiosearch.types import Float64

FOLDER = Path(__file__).parent
N_SOUNDS = 1_000
JOURNEY = ("pluck", "bell", "organ", "siren")  # kinds of sounds that the playlist on the map visits
N_JOURNEY = 16  # tracks of the playlist
CLIP = "balcony.wav"
CLIP_PART = (0.76, 0.99)  # share of the clip that is searched with at last
UPLOAD_BYTES_PER_S = 100_000  # slow enough to see its progress
UPLOAD_STEP = 0.12  # share of the file that is sent between two pictures
PLAYED_RATE = 0.0625  # slow enough to take pictures meanwhile; the lowest that Chromium has

HERO_SIZE = {"width": 1440, "height": 900}
FIND_SIZE = {"width": 960, "height": 600}
CHROMIUM = [
    *("--use-gl=swiftshader", "--enable-webgl", "--ignore-gpu-blocklist"),
    "--autoplay-policy=no-user-gesture-required",
]
WAIT_MS = 300_000

# The mouse pointer, which screenshots don't have, and a file that it may carry.
POINTER = """() => {
  const pointer = document.createElement("div");
  pointer.id = "pointer";
  Object.assign(pointer.style, { position: "fixed", zIndex: 9999, pointerEvents: "none", left: 0, top: 0 });
  pointer.innerHTML = `<svg width="190" height="60" viewBox="0 0 190 60" font-family="sans-serif" font-size="13">
    <g class="file"><rect x="14" y="20" width="122" height="32" rx="7" fill="#5b5bf0"/>
    <path d="M26 32v8M30 29v14M34 33v6M38 30v12" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/>
    <text x="47" y="41" fill="#fff">CLIP</text></g>
    <path d="M2 2v17l4.2-4 2.8 6.4 3.4-1.5-2.8-6.2 5.8-.3z" fill="#111" stroke="#fff" stroke-width="1.6"/></svg>`;
  document.documentElement.append(pointer);
}""".replace("CLIP", CLIP)  # noqa: E501
MOVE = """([x, y, hasFile]) => {
  const pointer = document.getElementById("pointer");
  pointer.style.transform = `translate(${x}px, ${y}px)`;
  pointer.querySelector(".file").style.display = hasFile ? "" : "none";
}"""
DRAG_FILE = """([kinds, name, content]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
  for (const kind of kinds) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }
}"""  # noqa: E501
PLAY_AT = """([share, rate]) => {
  const audio = document.getElementById("audio");
  audio.playbackRate = rate;
  audio.currentTime = share * audio.duration;
  return new Promise((resolve) => audio.addEventListener("timeupdate", resolve, { once: true }));
}"""


@contextlib.contextmanager
def serving(index: Path) -> Iterator[str]:
    """Serve an index until the end of the block; the value is the address."""
    command = [sys.executable, "-m", "audiosearch", "serve", "--port", "0", "--index", str(index)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = server.stderr.readline() if server.stderr else ""
            address = re.search(r"http://[^;\s]+/", said)
            if address is None:
                raise SystemExit(f"The server doesn't start: {said}")
            yield address.group()
        finally:
            server.terminate()


class Film:
    """Pictures of a page, one after the other, with the pointer in them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._place = (0.0, 0.0)
        self._pictures: list[Image.Image] = []
        self._durations_ms: list[int] = []
        page.evaluate(POINTER)

    def take(self, duration_ms: int) -> None:
        """Take a picture that is shown for a time."""
        self._pictures.append(_screenshot(self.page))
        self._durations_ms.append(duration_ms)

    def put(self, x: float, y: float, *, has_file: bool = False) -> None:
        """Put the pointer somewhere, with or without a file."""
        self._place = (x, y)
        self.page.mouse.move(x, y)
        self.page.evaluate(MOVE, [x, y, has_file])

    def move(self, x: float, y: float, *, n_steps: int = 6, has_file: bool = False) -> None:
        """Move the pointer somewhere, slower at both ends."""
        (start_x, start_y), steps = self._place, np.linspace(0, 1, n_steps + 1)[1:]
        for share in steps * steps * (3 - 2 * steps):
            self.put(
                start_x + share * (x - start_x), start_y + share * (y - start_y), has_file=has_file
            )
            self.take(60)

    def save(self, path: Path) -> None:
        """Write the pictures as an animated WebP that starts again at its end."""
        first, *rest = self._pictures
        first.save(
            path, save_all=True, append_images=rest, duration=self._durations_ms, loop=0,
            quality=72, method=4,
        )  # fmt: skip


def _screenshot(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot(type="png"))).convert("RGB")


def _play_at(page: Page, share: float) -> None:
    """Go on at a position of the track that plays, slowly."""
    expect(page.locator("#audio")).to_have_js_property("paused", False)
    page.wait_for_function("() => document.getElementById('audio').duration > 0")
    page.evaluate(PLAY_AT, [share, PLAYED_RATE])


def _box(page: Page, selector: str) -> tuple[float, float, float, float]:
    """Return the left, top, width and height of the first element that a selector finds."""
    box = page.locator(selector).first.bounding_box()
    if box is None:
        raise SystemExit(f"The page doesn't show {selector}")
    return box["x"], box["y"], box["width"], box["height"]


def film_search(page: Page, url: str, path: Path) -> None:
    """Drop a clip on the page, play the best hit, and search with a part of the clip."""
    page.goto(url)
    expect(page.locator("#hits .row").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    film = Film(page)
    content = [CLIP, base64.b64encode(clip_content()).decode()]
    film.put(930, 580, has_file=True)
    film.take(700)
    film.move(760, 470, n_steps=4, has_file=True)
    page.evaluate(DRAG_FILE, [["dragenter", "dragover"], *content])
    film.move(470, 310, has_file=True)
    film.take(400)
    _upload(film, content)
    film.take(1_400)
    _play_best(film, np.linspace(0.03, 0.9, 10))
    _choose_part(film)
    film.take(1_000)
    _play_best(film, np.linspace(0.03, 0.6, 7))
    film.take(900)
    film.save(path)


def _upload(film: Film, content: Sequence[str]) -> None:
    """Drop the file, and take pictures of the progress."""
    page = film.page
    network = page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions", limits | {"uploadThroughput": UPLOAD_BYTES_PER_S}
    )
    page.evaluate(DRAG_FILE, [["drop"], *content])
    film.put(470, 310)
    expect(page.locator("#uploads .card")).to_be_visible()
    film.take(250)
    next_share = UPLOAD_STEP
    while page.locator("#uploads .card").count():
        share = page.evaluate("() => document.querySelector('#uploads progress')?.value ?? 0")
        if share >= next_share:
            next_share += UPLOAD_STEP
            film.take(130)
    network.send("Network.emulateNetworkConditions", limits | {"uploadThroughput": -1})
    _wait_for_hits(page)


def _wait_for_hits(page: Page) -> None:
    expect(page.locator("#hits .match").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)  # covers and waveforms are drawn


def _play_best(film: Film, shares: Float64) -> None:
    """Play the best hit, and take pictures at positions of it."""
    button = "#hits .row .play-button"
    left, top, width, height = _box(film.page, button)
    film.move(left + width / 2, top + height / 2)
    film.take(150)
    if film.page.locator("#hits .row.is-playing").count() == 0:
        film.page.locator(button).first.click()
    for share in shares:
        _play_at(film.page, float(share))
        film.take(110)


def _choose_part(film: Film) -> None:
    """Drag over a part of the clip's waveform."""
    page = film.page
    left, top, width, height = _box(page, "#cards canvas")
    start, end = (left + share * width for share in CLIP_PART)
    y = top + height / 2
    film.move(start, y)
    film.take(200)
    page.mouse.down()
    film.move(end, y)
    with page.expect_response("**/api/query"):
        page.mouse.up()
    _wait_for_hits(page)


def picture_map(page: Page, url: str, journey: Sequence[int], path: Path) -> None:
    """Make a playlist that visits some tracks, play it, and show it on the map."""
    page.goto(f"{url}#map")  # takes a while the first time
    expect(page.locator(".map-count")).not_to_be_empty()
    seeds = "".join(f"track={track_id}&" for track_id in journey)
    page.goto(f"{url}#playlist?{seeds}kind=journey&n={N_JOURNEY}")
    page.locator("#playlist-tracks .row").nth(N_JOURNEY // 2).locator(".play-button").click()
    _play_at(page, 0.1)
    page.locator("#close-status").click()
    page.locator("nav [data-view=map]").click()
    expect(page.locator(".map-playing")).to_be_visible()
    page.mouse.move(0, 0)
    page.wait_for_timeout(3_000)  # until the map is drawn and doesn't move
    _play_at(page, 0.4)
    _screenshot(page).save(path, quality=80, method=6)


def make_pictures(folder: Path, n_sounds: int = N_SOUNDS) -> None:
    """Write hero.webp and find.webp to a folder."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        sounds, index = Path(name) / "sounds", Path(name) / "index"
        pure = write_library(sounds, n_sounds)
        add = ["add", str(sounds), "--model", "compact", "--index", str(index)]
        subprocess.run([sys.executable, "-m", "audiosearch", *add], check=True)
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)

        def new_page(**options: Any) -> Page:
            page = chromium.new_page(reduced_motion="reduce", **options)
            page.set_default_timeout(WAIT_MS)
            return page

        with Index(index) as library:
            ids = {track.path: track.id for track in library}
        journey = [ids[str(pure[kind])] for kind in JOURNEY]
        with serving(index) as url:
            page = new_page(viewport=HERO_SIZE, color_scheme="dark", device_scale_factor=2)
            picture_map(page, url, journey, folder / "hero.webp")
            film_search(
                new_page(viewport=FIND_SIZE, color_scheme="light"), url, folder / "find.webp"
            )
        chromium.close()


def main() -> None:
    """Read the options, and make the pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures in README.md.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder to write to")
    parser.add_argument("--sounds", type=int, default=N_SOUNDS, help="number of sounds")
    options = parser.parse_args()
    expect.set_options(timeout=WAIT_MS)
    make_pictures(options.folder, options.sounds)


if __name__ == "__main__":
    main()

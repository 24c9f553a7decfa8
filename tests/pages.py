"""The web page in a browser, for tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

expect.set_options(timeout=15_000)

#: Sent to the page, this makes the files dropped on an element.
DROP = """([selector, name, content]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(content)], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const target = document.querySelector(selector);
    target.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }
}"""


@contextlib.contextmanager
def watched(page: Any) -> Iterator[None]:
    """Check that nothing goes wrong on a page: no exception, dialog or message of an error."""
    faults: list[str] = []
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            message.type == "error" and faults.append(f"{message.text} {message.location}")
        ),
    )
    yield
    allowed = getattr(page, "allowed_faults", ())
    assert [fault for fault in faults if not any(text in fault for text in allowed)] == []


def opened(page: Any, url: str, n_tracks: int = 15) -> Any:
    """Open the page at an address, and wait until it lists all tracks."""
    page.goto(url)
    expect(page.locator("#count")).to_have_text(f"{n_tracks} tracks")
    return page


def titles(page: Any) -> Any:
    """Return the titles of the results."""
    return page.locator("#hits .title")


def row(page: Any, title: str) -> Any:
    """Return the row of a track."""
    return page.locator(".row").filter(has=page.locator(".title", has_text=title)).first


def search(page: Any, words: str, n_tracks: int) -> None:
    """Search for words, and wait for a number of tracks."""
    page.locator("#words").fill(words)
    expect(titles(page)).to_have_count(n_tracks)


def choose_action(track_row: Any, text: str) -> None:
    """Choose an action in the menu of a row."""
    track_row.locator("[aria-haspopup=menu]").click()
    track_row.page.get_by_role("menuitem", name=text).click()


def play(track_row: Any) -> None:
    """Press the play button of a row, and wait until it plays."""
    track_row.locator(".play-button").click()
    expect(track_row.page.locator("#audio")).to_have_js_property("paused", False)


def position(page: Any) -> float:
    """Return the position of the player in seconds."""
    seconds: float = page.locator("#audio").evaluate("audio => audio.currentTime")
    return seconds


def wait_until_played(page: Any, seconds: float) -> list[float]:
    """Wait until the player is past a position; return the positions at which it was."""
    positions = []
    for _ in range(200):
        positions.append(position(page))
        if positions[-1] > seconds:
            return positions
        page.wait_for_timeout(50)
    raise AssertionError(f"the player did not reach {seconds} s: {positions[-1]}")

"""The Playlist view of the web page in a browser, for tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from served import Served


def show(page: Any, served: Served, *names: str, **settings: object) -> None:
    """Show the playlist that starts with tracks, and wait until it is made."""
    parameters = [f"track={served.ids[name]}" for name in names]
    parameters += [f"{name}={value}" for name, value in settings.items()]
    page.goto(f"{served.url}/#playlist?{'&'.join(parameters)}")
    expect(tracks(page).first).to_be_visible()


def tracks(page: Any) -> Any:
    """Return the rows of the list."""
    return page.locator("#playlist-tracks .row")


def names(page: Any) -> list[str]:
    """Return the titles of the tracks in the list."""
    titles: list[str] = tracks(page).locator(".title").all_text_contents()
    return titles


def kind(page: Any, name: str) -> Any:
    """Return the choice of a kind of playlists."""
    return page.get_by_role("radio", name=re.compile(f"^{name}"))


def make(page: Any) -> dict[str, Any]:
    """Press the button, and return the body of the request."""
    with page.expect_request("**/api/playlist") as request, page.expect_response("**/api/playlist"):
        page.locator("#make").click()
    body: dict[str, Any] = request.value.post_data_json
    return body


class Held:
    """Requests that wait until they are let through.

    Parameters
    ----------
    page : Page
    pattern : str
        Glob pattern of their addresses.
    """

    def __init__(self, page: Any, pattern: str) -> None:
        self._page = page
        self._routes: list[Any] = []
        page.route(pattern, lambda route: self._routes.append(route))  # noqa: PLW0108

    def first(self) -> Any:
        """Wait for the first request that has not been returned yet."""
        while not self._routes:
            self._page.wait_for_timeout(20)
        return self._routes.pop(0)


def settled(page: Any) -> None:
    """Wait until the page is no longer busy."""
    expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")


def problem(page: Any, name: str) -> Any:
    """Return the problem that is shown beside a setting."""
    return page.locator(f"#playlist-{name}-problem")


def remove(page: Any, position: int) -> None:
    """Remove a track from the list with the mouse."""
    tracks(page).nth(position).hover()
    tracks(page).nth(position).get_by_label("Remove").click()


def save(page: Any, name: str) -> None:
    """Save the list under a name."""
    page.locator("#playlist-name").fill(name)
    page.locator("#save").click()
    expect(page.locator("#save-text")).to_have_text("Saved")


def saved_row(page: Any, name: str) -> Any:
    """Return the row of a saved playlist."""
    return page.locator("#saved li").filter(has_text=name)

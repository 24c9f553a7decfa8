"""Maps in a browser, for tests: where their tracks are, and gestures on them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

# Id of the track that is farthest from any other on the screen, among those that no control covers.
_ALONE = """(() => {
  const places = value.map((id) => map.positionOf(id));
  const box = document.querySelector('.map-stage').getBoundingClientRect();
  const isFree = ([x, y]) => document.elementFromPoint(box.x + x, box.y + y)?.closest('.map-stage');
  const room = (one) => Math.min(...places.map((other) => other === one ? Infinity : Math.hypot(other[0] - one[0], other[1] - one[1])));
  const rooms = places.map((place) => isFree(place) ? room(place) : -1);
  return value[rooms.indexOf(Math.max(...rooms))];
})()"""  # noqa: E501


def call(page: Page, expression: str, value: Any = None) -> Any:
    """Evaluate an expression of the variables `map`, the page's map view, and `value`."""
    return page.evaluate(
        "(value) => { const map = document.querySelector('.map').mapView; "
        f"return {expression}; }}",
        value,
    )


def alone(page: Page, ids: list[int]) -> int:
    """Return the track that has the most room around it on the screen."""
    found: int = call(page, _ALONE, ids)
    return found


def place(page: Page, track_id: int) -> tuple[float, float]:
    """Return where a track is on the screen, in CSS pixels."""
    box = page.locator(".map-stage").bounding_box()
    x, y = call(page, "map.positionOf(value)", track_id)
    return box["x"] + x, box["y"] + y


def state(page: Page) -> dict[str, Any]:
    """Return what the map shows: x, y, zoom, colorBy, search, track."""
    shown: dict[str, Any] = call(page, "map.state")
    return shown


def settle(page: Page) -> None:
    """Wait until the map doesn't move any more."""
    page.wait_for_function(
        "() => { const now = JSON.stringify(document.querySelector('.map').mapView.state);"
        " const same = now === window.mapBefore; window.mapBefore = now; return same; }",
        polling=120,
    )


def touch(page: Page, *steps: list[tuple[float, float]]) -> None:
    """Put fingers on the screen, move them from step to step, and lift them."""
    session = page.context.new_cdp_session(page)
    for number, fingers in enumerate(steps):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(fingers)]
        kind = "touchMove" if number else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def drag(page: Page, *points: tuple[float, float], key: str | None = None) -> None:
    """Drag the mouse over points, with a key held down."""
    if key:
        page.keyboard.down(key)
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()
    if key:
        page.keyboard.up(key)

"""The page of a map, in a real browser."""

import math
import re

import pytest
from playwright.sync_api import expect
from screens import SCREENS, serious_violations
from test_map import a_map, filled
from tracks import heard

from audiosearch.soundmap import draw

EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>/*PLOTLY*/"

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SWIG|builtin type:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::numba.NumbaWarning"),
]


@pytest.fixture(scope="module")
def evil_page(tmp_path_factory):
    """A page of 60 tracks. Their texts contain HTML that would do harm if it were not escaped."""
    folder = tmp_path_factory.mktemp("page")
    sounds = heard(**{name: 0.9 - 0.1 * n for n, name in enumerate(("Dog", EVIL, "Cat", "Owl"))})
    directory = filled(folder / "i", 60, artist="Ann", title=EVIL, genre=EVIL, sounds=sounds)
    draw(a_map(directory), folder / "map.html", kind="html", title=EVIL)
    return folder / "map.html"


# Row of the point farthest from any other, and its x and y on the screen.
ALONE = """() => {
  const apart = (a, b) => Math.hypot(data.x[a] - data.x[b], data.y[a] - data.y[b]);
  const room = (row) => Math.min(...rows.filter((other) => other !== row).map((other) => apart(row, other)));
  const row = rows.reduce((best, one) => (room(one) > room(best) ? one : best));
  const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
  return [row, box.x + xaxis._offset + xaxis.l2p(data.x[row]), box.y + yaxis._offset + yaxis.l2p(data.y[row])];
}"""  # noqa: E501


# x and y of a point on the screen.
PLACE = """(row) => {
  const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
  return [box.x + xaxis._offset + xaxis.l2p(data.x[row]), box.y + yaxis._offset + yaxis.l2p(data.y[row])];
}"""  # noqa: E501

# Number of region names shown, number of regions, and number of pairs of names that overlap.
LABELS = """() => {
  const all = [...plot.querySelectorAll(".annotation")];
  const boxes = all.filter((one) => one.style.visibility === "visible").map((one) => one.getBoundingClientRect());
  const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return [boxes.length, all.length, boxes.filter((a, n) => boxes.slice(n + 1).some((b) => over(a, b))).length];
}"""  # noqa: E501

# Two fingers move to twice their distance, and 10 pixels to the right.
PINCH = """([x, y]) => {
  const finger = (kind, pointerId, at) => document.elementFromPoint(x, y).dispatchEvent(
    new PointerEvent(kind, { pointerId, buttons: 1, clientX: at, clientY: y, bubbles: true, isPrimary: !pointerId }));
  [-20, 20].forEach((side, id) => finger("pointerdown", id, x + side));
  [-40, 40].forEach((side, id) => finger("pointermove", id, x + 10 + side));
  [-40, 40].forEach((side, id) => finger("pointerup", id, x + 10 + side));
}"""  # noqa: E501


class TestPage:
    @pytest.fixture
    def page(self, browser_page, evil_page):
        requests, faults = [], []
        browser_page.on("request", lambda request: requests.append(request.url))
        browser_page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        browser_page.on("pageerror", lambda error: faults.append(str(error)))
        browser_page.on("console", lambda m: m.type == "error" and faults.append(m.text))
        browser_page.goto(evil_page.as_uri())
        expect(browser_page.locator("#count")).to_have_text("60 tracks")
        yield browser_page
        assert requests == [evil_page.as_uri()]
        assert faults == []

    def test_tags_are_shown_as_text(self, page):
        assert page.title() == EVIL
        assert page.locator("h1").inner_text() == EVIL
        page.locator("#search").fill("onerror")
        page.locator("#search").press("Enter")
        assert page.locator("#selected h2").inner_text() == EVIL
        assert page.locator("img").count() == 0

    def test_a_search_highlights_matching_tracks(self, page):
        page.keyboard.press("/")
        page.keyboard.type("ANN img")
        expect(page.locator("#count")).to_have_text("60 of 60 tracks")
        page.keyboard.type(" nothing like it")
        expect(page.locator("#count")).to_have_text("0 of 60 tracks")
        page.keyboard.press("Escape")
        expect(page.locator("#count")).to_have_text("60 tracks")

    def test_a_click_shows_the_most_similar_tracks(self, page):
        row, *position = page.evaluate(ALONE)
        page.mouse.move(*position)
        expect(page.locator(".hoverlayer")).to_contain_text("<img src=x onerror=alert(1)>")
        page.mouse.click(*position)
        expect(page.locator("#selected li")).to_have_count(5)
        assert page.evaluate("selectedRow") == row
        nearest = page.evaluate("data.neighbours[selectedRow]")
        page.locator("#selected button").nth(1).click()
        assert page.evaluate("selectedRow") == nearest[1]
        assert page.evaluate("document.activeElement.tagName") == "H2"

    def test_the_first_sounds_of_a_track_are_shown_and_found(self, page):
        row, *position = page.evaluate(ALONE)
        page.mouse.move(*position)
        expect(page.locator(".hoverlayer")).to_contain_text("Heard: Dog; <img src=x")
        page.mouse.click(*position)
        assert page.evaluate("selectedRow") == row
        expect(page.locator("#selected .sounds")).to_have_text(f"Heard: Dog; {EVIL}; Cat")
        page.keyboard.press("/")
        page.keyboard.type("dog cat")
        expect(page.locator("#count")).to_have_text("60 of 60 tracks")
        page.locator("#color").select_option("sound")
        expect(page.locator("#legend")).to_have_text("Dog60")

    def test_the_map_can_be_used_by_keyboard(self, page):
        page.keyboard.press("/")
        page.keyboard.type("ann")
        expect(page.locator("#matches li")).to_have_count(20)
        page.locator("#matches button").nth(3).press("Enter")
        assert page.evaluate("selectedRow") == 3
        width = "plot._fullLayout.xaxis.range[1] - plot._fullLayout.xaxis.range[0]"
        before = page.evaluate(width)
        page.locator("#zoom-in").press("Enter")
        page.wait_for_function(f"{width} < {before}")
        page.evaluate("setView(0.05, 9, 9)")
        page.wait_for_function("plot._fullLayout.xaxis.range[0] > 5")
        page.evaluate("selectTrack(3)")
        page.wait_for_function("plot._fullLayout.xaxis.range[0] < data.x[3]")

    def test_names_of_regions_do_not_overlap(self, browser_page, made_up_songs, tmp_path):
        draw(a_map(made_up_songs), tmp_path / "songs.html", kind="html")
        browser_page.set_viewport_size({"width": 390, "height": 844})
        browser_page.goto((tmp_path / "songs.html").as_uri())
        expect(browser_page.locator("#count")).to_contain_text("tracks")
        shown, n_regions, n_over = browser_page.evaluate(LABELS)
        assert 2 <= shown < n_regions
        assert n_over == 0

    def test_a_drag_moves_the_map_and_selects_no_track(self, page):
        row, x, y = page.evaluate(ALONE)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 30, y - 20, steps=4)
        expect(page.locator("#map")).to_have_class(re.compile("is-moving"))
        page.mouse.up()
        expect(page.locator("#map")).not_to_have_class(re.compile("is-moving"))
        assert page.evaluate(PLACE, row) == pytest.approx([x + 30, y - 20], abs=0.5)
        assert page.evaluate("selectedRow") is None
        page.mouse.move(x + 29, y - 20)
        page.wait_for_function("row => plot._hoverdata?.[0].pointNumber === row", arg=row)
        page.mouse.click(x + 29, y - 20)
        assert page.evaluate("selectedRow") == row

    def test_the_wheel_zooms_around_the_pointer(self, page):
        row, x, y = page.evaluate(ALONE)
        width = "plot._fullLayout.xaxis.range[1] - plot._fullLayout.xaxis.range[0]"
        before = page.evaluate(width)
        page.mouse.move(x, y)
        page.mouse.wheel(0, -200)
        page.wait_for_function(f"{width} < {before}")
        assert before / page.evaluate(width) == pytest.approx(math.exp(0.5), rel=1e-3)
        assert page.evaluate(PLACE, row) == pytest.approx([x, y], abs=0.5)

    def test_zoom_is_limited(self, page):
        width = "plot._fullLayout.xaxis.range[1] - plot._fullLayout.xaxis.range[0]"
        for factor, bound in ((0.5, 1e-4), (2, 40)):
            for _ in range(30):
                page.evaluate(f"setView({factor})")
            assert page.evaluate(width) == pytest.approx(bound)

    def test_a_click_selects_a_track_in_lasso_mode_after_a_drag(self, page):
        row, x, y = page.evaluate(ALONE)
        page.mouse.move(x + 40, y + 40)
        page.mouse.down()
        page.mouse.move(x + 60, y + 40, steps=4)
        page.mouse.up()
        page.evaluate("document.getElementById('lasso').click()")
        expect(page.locator("#map")).not_to_have_class(re.compile("is-moving"))
        x, y = page.evaluate(PLACE, row)
        page.mouse.move(x, y)
        page.wait_for_function("row => plot._hoverdata?.[0].pointNumber === row", arg=row)
        page.mouse.click(x, y)
        assert page.evaluate("selectedRow") == row

    def test_two_fingers_zoom_the_map(self, page):
        row, x, y = page.evaluate(ALONE)
        width = "plot._fullLayout.xaxis.range[1] - plot._fullLayout.xaxis.range[0]"
        before = page.evaluate(width)
        page.evaluate(PINCH, [x, y])
        assert before / page.evaluate(width) == pytest.approx(2.0, rel=1e-3)
        assert page.evaluate(PLACE, row) == pytest.approx([x + 10, y], abs=0.5)

    @pytest.mark.parametrize(("scheme", "width"), SCREENS)
    def test_the_page_is_accessible(self, page, scheme, width):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 844})
        page.locator("#search").fill("ann")
        page.locator("#search").press("Enter")
        expect(page.locator("#selected li")).to_have_count(5)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page) == []

    def test_a_color_of_the_legend_can_be_selected(self, page):
        page.locator("#color").select_option("artist")
        page.locator("#legend button").first.click()
        expect(page.locator("#legend button").first).to_have_attribute("aria-pressed", "true")

    def test_colors_follow_the_selected_tag(self, page):
        assert page.locator("#color").input_value() == "album"
        page.locator("#color").select_option("artist")
        expect(page.locator("#legend li")).to_have_count(1)
        assert "Ann" in page.locator("#legend").inner_text()

"""The page of a map, in a real browser."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from maps import alone, call, drag, place, settle, state, touch
from playwright.sync_api import expect
from screens import SCREENS, serious_violations
from test_map import a_map, crowd, filled
from tracks import heard, some_track

from audiosearch.soundmap import SoundMap, draw
from audiosearch.soundmap.regions import Region

EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>/*SCRIPT*/"
IDS = list(range(1, 46))

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SWIG|builtin type:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::numba.NumbaWarning"),
]


@pytest.fixture(scope="module")
def evil_page(tmp_path_factory):
    """A page of 45 tracks, so few that they need no UMAP.

    Their texts contain HTML that would do harm if it were not escaped.
    """
    folder = tmp_path_factory.mktemp("page")
    sounds = heard(**{name: 0.9 - 0.1 * n for n, name in enumerate(("Dog", EVIL, "Cat", "Owl"))})
    directory = filled(folder / "i", 45, artist="Ann", title=EVIL, genre=EVIL, sounds=sounds)
    draw(a_map(directory), folder / "map.html", kind="html", title=EVIL)
    return folder / "map.html"


def scattered(folder, fields, regions=(), positions=None):
    """Write the page of a map of tracks at given or random positions, given the fields of each."""
    tracks = [replace(some_track(n), **one) for n, one in enumerate(fields)]
    tracks = [replace(track, id=number + 1) for number, track in enumerate(tracks)]
    if positions is None:
        positions = np.random.default_rng(3).uniform(-1, 1, (len(tracks), 2))
    clusters = np.zeros(len(tracks), dtype=np.int64)
    result = SoundMap(tracks, positions, clusters, list(regions), crowd(len(tracks)), True)
    draw(result, folder / "map.html", kind="html")
    return (folder / "map.html").as_uri()


class TestPage:
    @pytest.fixture
    def page(self, browser_page, evil_page):
        requests, faults = [], []
        browser_page.on("request", lambda request: requests.append(request.url))
        browser_page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        browser_page.on("pageerror", lambda error: faults.append(str(error)))
        browser_page.on("console", lambda m: m.type == "error" and faults.append(m.text))
        browser_page.goto(evil_page.as_uri())
        expect(browser_page.locator(".map-count")).to_have_text("45 tracks")
        yield browser_page
        assert set(requests) == {evil_page.as_uri()}
        assert faults == []

    def test_tags_are_shown_as_text(self, page):
        assert page.title() == EVIL
        assert page.locator("h1").inner_text() == EVIL
        page.locator(".map input").fill("onerror")
        page.locator(".map input").press("Enter")
        assert page.locator(".map-selected h2").inner_text() == EVIL
        assert page.locator("img").count() == 0

    def test_only_its_own_script_may_run(self, page):
        policy = page.locator("meta[http-equiv]").get_attribute("content")
        assert "script-src 'sha256-" in policy
        assert "unsafe-eval" not in policy

    def test_a_search_highlights_matching_tracks(self, page):
        page.keyboard.press("/")
        page.keyboard.type("ANN img")
        expect(page.locator(".map-count")).to_have_text("45 of 45 tracks")
        page.keyboard.type(" nothing like it")
        expect(page.locator(".map-count")).to_have_text("0 of 45 tracks")
        page.keyboard.press("Escape")
        expect(page.locator(".map-count")).to_have_text("45 tracks")

    def test_a_click_shows_the_most_similar_tracks(self, page):
        track = alone(page, IDS)
        page.mouse.move(*place(page, track))
        expect(page.locator(".map-card")).to_contain_text("<img src=x onerror=alert(1)>")
        page.mouse.click(*place(page, track))
        expect(page.locator(".map-selected li")).to_have_count(5)
        assert state(page)["track"] == track
        page.locator(".map-selected li button").nth(1).click()
        assert state(page)["track"] not in {track, None}
        assert page.evaluate("document.activeElement.tagName") == "H2"

    def test_the_first_sounds_of_a_track_are_shown_and_found(self, page):
        track = alone(page, IDS)
        page.mouse.move(*place(page, track))
        expect(page.locator(".map-card .map-sounds")).to_contain_text("Heard: Dog <img src=x")
        page.mouse.click(*place(page, track))
        assert page.locator(".map-selected .map-chip").all_inner_texts() == ["Dog", EVIL, "Cat"]
        page.keyboard.press("/")
        page.keyboard.type("dog cat")
        expect(page.locator(".map-count")).to_have_text("45 of 45 tracks")
        page.locator(".map select").select_option("sound")
        expect(page.locator(".map-legend li")).to_have_text(["Dog45"])

    def test_arrow_keys_move_from_track_to_track_in_their_direction(self, page):
        page.locator(".map-stage").focus()
        page.keyboard.press("ArrowRight")
        first = state(page)["track"]
        page.keyboard.press("ArrowRight")
        second = state(page)["track"]
        assert place(page, second)[0] > place(page, first)[0]
        settle(page)
        page.keyboard.press("ArrowUp")
        assert place(page, state(page)["track"])[1] < place(page, second)[1]
        expect(page.locator(".map > .map-hidden[role=status]")).to_contain_text("Ann · LP")

    def test_matches_are_listed_for_the_keyboard(self, page):
        page.keyboard.press("/")
        page.keyboard.type("ann")
        expect(page.locator(".map-matches li")).to_have_count(20)
        page.locator(".map-matches button").nth(3).press("Enter")
        assert state(page)["track"] == IDS[3]

    def test_arrow_keys_skip_faded_tracks(self, page):
        shown = call(page, "map.search(value)", "#7")
        page.locator(".map-stage").focus()
        page.keyboard.press("ArrowRight")
        assert shown is None
        assert state(page)["track"] == 7

    def test_a_track_under_a_control_moves_into_the_open_when_it_is_selected(self, page):
        track = alone(page, IDS)
        x, y = place(page, track)
        box = page.locator(".map-legend").bounding_box()
        drag(page, (x, y), (box["x"] + 30, box["y"] + 40))
        call(page, "void (map.state = { track: value })", track)
        settle(page)
        assert place(page, track)[0] < box["x"]

    @pytest.mark.parametrize(("key", "is_larger"), [("+", True), ("-", False)])
    def test_keys_zoom(self, page, key, is_larger):
        page.locator(".map-stage").focus()
        before = state(page)["zoom"]
        page.keyboard.press(key)
        page.wait_for_function(
            "before => document.querySelector('.map').mapView.state.zoom !== before", arg=before
        )
        assert (state(page)["zoom"] > before) == is_larger
        page.keyboard.press("0")
        settle(page)
        assert state(page)["zoom"] == pytest.approx(1)

    def test_a_drag_moves_the_map_and_selects_no_track(self, page):
        track = alone(page, IDS)
        x, y = place(page, track)
        drag(page, (x, y), (x + 30, y - 20))
        assert place(page, track) == pytest.approx((x + 30, y - 20), abs=1)
        assert state(page)["track"] is None
        page.mouse.click(*place(page, track))
        assert state(page)["track"] == track

    def test_the_wheel_zooms_around_the_pointer(self, page):
        track = alone(page, IDS)
        x, y = place(page, track)
        before = state(page)["zoom"]
        page.mouse.move(x, y)
        page.mouse.wheel(0, -200)
        settle(page)
        assert state(page)["zoom"] / before == pytest.approx(math.exp(0.5), rel=1e-3)
        assert place(page, track) == pytest.approx((x, y), abs=1)

    @pytest.mark.parametrize("wheel", [-200, 200])
    @pytest.mark.parametrize("corner", [(400, 120), (900, 600)])
    def test_at_least_one_track_is_always_in_view(self, page, wheel, corner):
        page.mouse.move(*corner)
        for _ in range(20):
            page.mouse.wheel(0, wheel)
        settle(page)
        box = page.locator(".map-stage").bounding_box()
        drag(page, (640, 400), (1200, 60))
        drag(page, (640, 400), (1200, 60))
        places = [place(page, track) for track in IDS]
        assert any(
            0 <= x - box["x"] <= box["width"] and 0 <= y - box["y"] <= box["height"]
            for x, y in places
        )
        assert 0.5 <= state(page)["zoom"] <= 200

    def test_the_page_is_accessible_with_everything_open(self, page):
        page.locator(".map input").fill("ann")
        page.locator(".map input").press("Enter")
        expect(page.locator(".map-selected li")).to_have_count(5)
        assert serious_violations(page) == []

    @pytest.mark.parametrize(("scheme", "width"), SCREENS)
    def test_the_page_is_accessible(self, page, scheme, width):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 844})
        page.locator(".map input").fill("ann")
        page.locator(".map input").press("Enter")
        expect(page.locator(".map-selected li")).to_have_count(5)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page) == []

    def test_a_color_of_the_legend_can_be_highlighted(self, page):
        page.locator(".map select").select_option("album")
        page.locator(".map-legend li button").first.click()
        expect(page.locator(".map-legend li button").first).to_have_attribute(
            "aria-pressed", "true"
        )

    def test_colors_follow_the_selected_tag(self, page):
        assert page.locator(".map select").input_value() == "album"
        page.locator(".map select").select_option("artist")
        expect(page.locator(".map-legend li")).to_have_text(["Ann45"])

    def test_what_is_shown_can_be_stored_and_restored(self, page):
        page.locator(".map select").select_option("artist")
        call(page, "map.show(7)")
        settle(page)
        stored = state(page)
        page.reload()
        expect(page.locator(".map-count")).to_have_text("45 tracks")
        call(page, "void (map.state = value)", stored)
        settle(page)
        assert state(page) == stored

    def test_a_track_that_is_shown_comes_into_view(self, page):
        page.mouse.move(640, 400)
        for _ in range(10):
            page.mouse.wheel(0, -200)
        call(page, "map.show(7)")
        settle(page)
        box = page.locator(".map-stage").bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert place(page, 7) == pytest.approx(middle, abs=box["height"] / 2)
        call(page, "map.show(999)")  # not on the map
        assert state(page)["track"] == 7

    def test_the_playing_track_is_marked(self, page):
        call(page, "map.setPlaying(7)")
        marker = page.locator(".map-playing")
        expect(marker).to_be_visible()
        box = marker.bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert middle == pytest.approx(place(page, 7), abs=1)
        call(page, "map.setPlaying(null)")
        expect(marker).to_be_hidden()


# Number of pixels of a color near a track, on a canvas of the map.
PIXELS = """([layer, x, y, rgb]) => {
  const canvas = document.querySelectorAll(".map-canvas")[layer];
  const { data } = canvas.getContext("2d").getImageData(x - 12, y - 12, 24, 24);
  const near = (i) => data[i + 3] > 20 && rgb.every((value, c) => Math.abs(data[i + c] - value) < 40);
  return [...Array(24 * 24).keys()].filter((i) => near(4 * i)).length;
}"""  # noqa: E501
POP, OTHER, NONE = [0, 114, 178], [138, 145, 158], [125, 133, 144]


def pixels(page, track, rgb, layer=1):
    x, y = call(page, "map.positionOf(value)", track)
    return page.evaluate(PIXELS, [layer, x, y, rgb])


def test_tracks_without_a_genre_are_hollow_and_apart_from_rare_genres(browser_page, tmp_path):
    genres = ["pop"] * 20 + [f"Genre {n // 2}" for n in range(40)] + [None] * 5
    positions = np.array([[n % 9 / 4 - 1, n // 9 / 4 - 1] for n in range(len(genres))])
    fields = [{"genre": genre} for genre in genres]
    browser_page.goto(scattered(tmp_path, fields, positions=positions))
    entries = browser_page.locator(".map-legend li")
    expect(entries.filter(has_text="Other genres")).to_have_text("Other genres18")
    expect(entries.filter(has_text="No genre")).to_have_text("No genre5")
    expect(entries.filter(has=browser_page.locator(".is-hollow"))).to_have_text(["No genre5"])
    settle(browser_page)
    hollow, filled_dot = pixels(browser_page, 65, NONE), pixels(browser_page, 1, POP)
    assert 0 < hollow < filled_dot


@pytest.mark.parametrize(("n_tracks", "has_outline"), [(40, True), (2001, False)])
def test_many_points_have_no_outlines(browser_page, tmp_path, n_tracks, has_outline):
    positions = np.random.default_rng(3).uniform(-1, 1, (n_tracks, 2))
    positions[1:, 0] = positions[1:, 0] * 0.4 + 0.6  # away from the first one
    positions[0] = [-1, 0]
    browser_page.goto(scattered(tmp_path, [{}] * n_tracks, positions=positions))
    settle(browser_page)
    assert (pixels(browser_page, 1, [255, 255, 255]) > 3) == has_outline


def test_more_labels_appear_as_one_zooms_in_and_none_overlap(browser_page, tmp_path):
    positions = np.random.default_rng(5).uniform(-1, 1, (300, 2))
    regions = [Region(f"Region {n}", *positions[n], 20 - n, n) for n in range(20)]
    browser_page.set_viewport_size({"width": 390, "height": 844})
    url = scattered(tmp_path, [{"title": f"Song {n}"} for n in range(300)], regions, positions)
    browser_page.goto(url)
    settle(browser_page)
    whole = call(browser_page, "map.labels")
    assert {label["text"] for label in whole} <= {f"Region {n}" for n in range(20)}
    assert "Region 0" in {label["text"] for label in whole}
    assert len(whole) < 20
    call(browser_page, "map.show(1)")
    settle(browser_page)
    for _ in range(4):
        browser_page.locator(".map-stage").press("+")
        settle(browser_page)
    near = call(browser_page, "map.labels")
    assert any(label["text"].startswith("Song") for label in near)
    for labels in (whole, near):
        for number, one in enumerate(labels):
            for other in labels[number + 1 :]:
                assert (
                    one["right"] <= other["left"]
                    or other["right"] <= one["left"]
                    or one["bottom"] <= other["top"]
                    or other["bottom"] <= one["top"]
                )


def test_two_fingers_zoom_the_map_and_one_taps(browser, evil_page):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(evil_page.as_uri())
    settle(page)
    track = alone(page, IDS)
    x, y = place(page, track)
    before = state(page)["zoom"]
    touch(page, [(x - 20, y), (x + 20, y)], [(x - 30, y), (x + 30, y)], [(x - 40, y), (x + 40, y)])
    settle(page)
    assert state(page)["zoom"] / before == pytest.approx(2.0, rel=0.05)
    assert place(page, track) == pytest.approx((x, y), abs=3)
    touch(page, [place(page, track)])
    expect(page.locator(".map-selected")).to_be_visible()
    assert state(page)["track"] == track
    smallest = page.locator(".map-tools button").evaluate_all(
        "all => Math.min(...all.filter((one) => !one.hidden).map((one) => one.offsetHeight))"
    )
    assert smallest >= 44
    context.close()


def test_without_motion_the_map_jumps(browser, evil_page):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(evil_page.as_uri())
    settle(page)
    page.locator(".map-stage").press("+")
    assert state(page)["zoom"] == pytest.approx(1.6, rel=1e-3)
    context.close()


def test_a_playlist_is_a_line(browser_page, tmp_path):
    positions = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    browser_page.goto(scattered(tmp_path, [{}] * 4, positions=positions))
    settle(browser_page)
    call(browser_page, "map.setPlaylist([1, 2, 999])")
    browser_page.wait_for_function(
        "() => { const canvas = document.querySelectorAll('.map-canvas')[2];"
        " const [a, b] = [1, 2].map((id) => document.querySelector('.map').mapView.positionOf(id));"
        " const { data } = canvas.getContext('2d').getImageData((3 * a[0] + b[0]) / 4, a[1] - 3, 1, 6);"  # noqa: E501
        " return data.some((value) => value > 0); }"
    )


@pytest.mark.parametrize("text", ["bjork", "BJÖRK", "bjo\u0308rk"])
def test_a_search_ignores_accents(browser_page, tmp_path, text):
    browser_page.goto(scattered(tmp_path, [{"artist": "Björk"}, {"artist": "Ann"}]))
    browser_page.locator(".map input").fill(text)
    expect(browser_page.locator(".map-count")).to_have_text("1 of 2 tracks")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.284, "0.28 s"), (4.04, "4.0 s"), (185.2, "3:05"), (3_723.4, "1:02:03")],
)
def test_the_length_of_a_track_is_as_precise_as_it_is_short(browser_page, tmp_path, seconds, text):
    browser_page.goto(scattered(tmp_path, [{"seconds": seconds}] * 2))
    call(browser_page, "map.show(1)")
    expect(browser_page.locator(".map-details")).to_contain_text(text)


def test_the_name_of_a_region_is_above_its_point_and_in_the_view(browser_page, tmp_path):
    positions = np.array([[-1.0, -0.5], [0.0, 0.5], [1.0, 0.0]])
    names = {1: "M" * 20, 2: "Middle", 3: "W" * 20}
    regions = [Region(names[n], *positions[n - 1], 1, n) for n in names]
    browser_page.set_viewport_size({"width": 390, "height": 844})
    browser_page.goto(scattered(tmp_path, [{}] * 3, regions, positions))
    settle(browser_page)
    labels = {label["text"]: label for label in call(browser_page, "map.labels")}
    for track, name in names.items():
        x, y = call(browser_page, "map.positionOf(value)", track)
        left, right = labels[name]["left"], labels[name]["right"]
        assert 0 < left < x < right < 390
        assert y - 40 < labels[name]["bottom"] < y
        if name == "Middle":
            assert (left + right) / 2 == pytest.approx(x, abs=0.1)


def test_names_stay_off_the_line_of_the_playlist(browser_page, tmp_path):
    positions = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    regions = [Region("Middle", 0.0, 0.0, 5, 0)]
    browser_page.goto(scattered(tmp_path, [{}] * 5, regions, positions))
    settle(browser_page)
    [before] = (label for label in call(browser_page, "map.labels") if label["text"] == "Middle")
    middle, _ = call(browser_page, "map.positionOf(2)")
    assert before["left"] < middle < before["right"]
    call(browser_page, "map.setPlaylist([4, 2, 5])")
    browser_page.wait_for_function(
        "middle => { const label = document.querySelector('.map').mapView.labels"
        ".find(({ text }) => text === 'Middle'); return label && !(label.left < middle && middle < label.right); }",  # noqa: E501
        arg=middle,
    )


# Whether the map shows a text; its height if so.
HEIGHT_OF = """text => {
  const label = document.querySelector('.map').mapView.labels.find((one) => one.text === text);
  return label && label.bottom - label.top;
}"""


def test_names_use_the_room_of_a_legend_that_is_closed(browser_page, tmp_path):
    positions = np.random.default_rng(5).uniform(-1, 1, (40, 2))
    positions[0] = [1, 0.4]
    fields = [{"artist": f"Artist {n % 12}"} for n in range(40)]
    regions = [Region("Edge", 1.0, 0.4, 40, 0)]
    browser_page.goto(scattered(tmp_path, fields, regions, positions))
    settle(browser_page)
    assert browser_page.evaluate(HEIGHT_OF, "Edge")
    legend = browser_page.locator(".map-legend").bounding_box()
    x, y = place(browser_page, 1)
    drag(browser_page, (x + 15, y), (legend["x"] + 45, legend["y"] + 200))
    settle(browser_page)
    browser_page.wait_for_function(f"text => !({HEIGHT_OF})(text)", arg="Edge")
    browser_page.locator(".map-legend summary").click()
    browser_page.wait_for_function(HEIGHT_OF, arg="Edge")


def test_texts_on_the_map_grow_with_the_font_of_the_page(browser_page, tmp_path):
    browser_page.goto(scattered(tmp_path, [{}] * 5, [Region("Middle", 0.0, 0.0, 5, 0)]))
    settle(browser_page)
    height = browser_page.evaluate(HEIGHT_OF, "Middle")
    browser_page.evaluate("document.documentElement.style.fontSize = '200%'")
    browser_page.emulate_media(color_scheme="dark")  # makes the map read the page's styles
    browser_page.wait_for_function(
        f"height => Math.abs(({HEIGHT_OF})('Middle') - 2 * height) < 0.1", arg=height
    )


def test_the_controls_do_not_overlap_with_a_large_font(browser_page, tmp_path):
    browser_page.set_viewport_size({"width": 1025, "height": 768})
    browser_page.goto(scattered(tmp_path, [{"artist": f"Artist {n}"} for n in range(5)]))
    browser_page.evaluate("document.documentElement.style.fontSize = '200%'")
    browser_page.set_viewport_size({"width": 1024, "height": 768})
    settle(browser_page)
    search = browser_page.locator(".map-search").bounding_box()
    legend = browser_page.locator(".map-legend").bounding_box()
    assert (
        search["x"] + search["width"] <= legend["x"]
        or search["y"] + search["height"] <= legend["y"]
    )


def test_long_names_leave_room_for_the_rest(browser_page, tmp_path):
    fields = {"title": "Long title " * 45, "artist": "Artist " * 60}
    browser_page.goto(scattered(tmp_path, [fields] * 5))
    settle(browser_page)
    x, y = place(browser_page, alone(browser_page, [1, 2, 3, 4, 5]))
    browser_page.mouse.move(x, y)
    assert browser_page.locator(".map-card").bounding_box()["height"] < 160
    browser_page.mouse.click(x, y)
    similar = browser_page.locator(".map-selected summary").bounding_box()
    selected = browser_page.locator(".map-selected").bounding_box()
    assert similar["y"] - selected["y"] < 240


def test_the_page_has_one_script_for_all_modules(evil_page):
    text = evil_page.read_text()
    script = text[text.index('<script type="module">') :]
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    assert len(text) < 100_000

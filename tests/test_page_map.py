"""The map on the page that `audiosearch serve` shows, in a real browser."""

from dataclasses import replace

import pytest
from maps import alone, call, drag, place, settle, state
from pages import choose_action, play, row, search
from playwright.sync_api import expect
from screens import serious_violations
from served import EVIL

from audiosearch import Index


def show_map(page):
    page.locator("nav [data-view=map]").click()
    expect(page.locator(".map-count")).to_have_text("15 tracks", timeout=60_000)
    settle(page)


def test_a_map_that_failed_is_an_error_and_is_requested_again(page):
    page.allowed_faults = ["Failed to load resource"]
    problem = {"error": "The index is empty.", "hint": "Add something."}
    page.route("**/api/map/points", lambda route: route.fulfill(status=409, json=problem))
    page.locator("nav [data-view=map]").click()
    expect(page.locator("#map-empty p")).to_have_text("The index is empty. Add something.")
    page.unroute("**/api/map/points")
    page.locator("nav [data-view=find]").click()
    show_map(page)


def test_a_map_whose_names_failed_is_loaded_at_the_second_try(page):
    page.allowed_faults = ["Failed to load resource"]
    problem = {"error": "The disk is full.", "hint": "Make room."}
    page.route("**/api/map/names", lambda route: route.fulfill(status=503, json=problem))
    page.locator("nav [data-view=map]").click()
    expect(page.locator("#map-empty p")).to_have_text("The disk is full. Make room.")
    page.unroute("**/api/map/names")
    page.locator("#map-empty button").click()
    expect(page.locator(".map-stage")).to_be_visible()
    call(page, "map.search('tune1')")
    expect(page.locator(".map-count")).to_have_text("1 of 15 tracks")


def test_a_map_that_is_shown_comes_back_after_the_server_did(page):
    show_map(page)
    page.allowed_faults = ["Failed to load resource"]
    page.route("**/api/map/points", lambda route: route.abort())
    page.locator("nav [data-view=find]").click()
    page.locator("nav [data-view=map]").click()
    expect(page.locator("#map-empty p")).to_contain_text("The server doesn't answer.")
    page.unroute("**/api/map/points")
    page.locator("#map-empty button").click()
    expect(page.locator(".map-stage")).to_be_visible()
    expect(page.locator("#map-empty")).to_be_hidden()


def test_the_page_shows_how_far_the_map_is_and_stays_usable(page):
    held = []
    page.route("**/api/map/points", lambda route: held.append(route))  # noqa: PLW0108
    page.route("**/api/map/progress", lambda route: route.fulfill(json={"share": 0.4}))
    page.locator("nav [data-view=map]").click()
    expect(page.locator("#map-empty progress")).to_have_js_property("value", 0.4)
    expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")
    page.locator("nav [data-view=find]").click()
    search(page, "tune1", 1)
    page.locator("nav [data-view=map]").click()
    held[0].continue_()
    expect(page.locator(".map-count")).to_have_text("15 tracks", timeout=60_000)
    expect(page.locator("#map-empty")).to_be_hidden()
    assert len(held) == 1
    assert page.locator(".map-stage").count() == 1


def test_a_track_that_was_added_after_the_map_was_shown_can_be_shown(page, served):
    show_map(page)
    with Index(served.folder / "index") as index:
        known = index.resolve(f"#{served.ids['low.mp3']}")
        new = replace(known, id=0, path=f"{known.path}2", title="Newest")
        added = index.add(new, index.vector(known))
        page.locator("nav [data-view=find]").click()
        page.evaluate("id => (location.hash = `#map?track=${id}`)", added.id)
        expect(page.locator(".map-selected h2")).to_have_text("Newest", timeout=60_000)
        index.remove([added])


def test_a_track_that_is_not_on_the_map_is_named_in_a_message(page):
    page.evaluate("location.hash = '#map?track=999999'")
    expect(page.locator("#status")).to_contain_text("isn't on the map", timeout=60_000)


def test_what_a_search_finds_becomes_a_playlist_with_the_keyboard_alone(page):
    show_map(page)
    page.keyboard.press("/")
    page.keyboard.type("hiss")
    expect(page.locator(".map-lasso strong")).to_have_text("4 tracks")
    page.locator(".map-lasso").get_by_text("Make playlist").press("Enter")
    expect(page.locator("#seeds li")).to_have_count(4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_buttons_on_the_map_stay_readable_under_the_pointer(page, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colors change at once
    show_map(page)
    call(page, "map.search('hiss')")
    for button in page.locator(".map-lasso button").all():
        button.hover()
        assert serious_violations(page) == []


def test_the_selected_track_leads_to_similar_ones(page, served):
    page.evaluate("id => (location.hash = `#map?track=${id}`)", served.ids["tune1.ogg"])
    page.locator(".map-selected").get_by_text("More like this").click(timeout=60_000)
    expect(page.locator("#hits .title").first).to_be_visible()
    assert f"track={served.ids['tune1.ogg']}" in page.url


def test_the_map_of_an_index_that_has_changed_is_loaded_again(page, served):
    show_map(page)
    with Index(served.folder / "index") as index:
        track = index.resolve(f"#{served.ids['low.mp3']}")
        index.storage.update(replace(track, title="Deep"))
        page.locator("nav [data-view=find]").click()
        with page.expect_response("**/api/map/neighbours"):
            page.locator("nav [data-view=map]").click()
        call(page, "map.search('deep')")
        expect(page.locator(".map-count")).to_have_text("1 of 15 tracks")
        index.storage.update(track)


def test_the_map_fills_the_window(page):
    page.set_viewport_size({"width": 1440, "height": 900})
    show_map(page)
    assert page.locator(".map-stage").bounding_box() == {
        "x": 0, "y": 57, "width": 1440, "height": 900 - 57 - 64
    }  # fmt: skip


@pytest.mark.parametrize("way", ["button", "Shift"])
def test_a_lasso_on_the_map_plays_or_makes_a_playlist(page, way):
    show_map(page)
    box = page.locator(".map-stage").bounding_box()
    # Around everything but the controls at the left and the right
    corners = [(0.3, 0.03), (0.75, 0.03), (0.75, 0.97), (0.02, 0.97), (0.02, 0.25), (0.3, 0.25)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    if way == "button":
        page.get_by_label("Draw a lasso").click()
    drag(page, *points, key=None if way == "button" else way)
    n_tracks = int(page.locator(".map-lasso strong").inner_text().split()[0])
    assert 1 <= n_tracks <= 15
    page.locator(".map-lasso").get_by_text("Play", exact=True).click()
    expect(page.locator("#audio")).to_have_js_property("paused", False)
    page.locator("#queue").click()
    expect(page.locator("#queue-list li")).to_have_count(n_tracks)
    page.locator("#close-queue").click()
    page.locator(".map-lasso").get_by_text("Make playlist").click()
    expect(page.locator("#seeds li")).to_have_count(n_tracks)


def test_a_click_on_the_map_plays_the_track(page, served):
    show_map(page)
    track = alone(page, sorted(served.ids.values()))
    page.mouse.click(*place(page, track))
    expect(page.locator("#audio")).to_have_js_property("paused", False)
    assert f"/tracks/{track}/" in page.locator("#audio").get_attribute("src")
    expect(page.locator(".map-playing")).to_be_visible()
    page.locator(".map-selected li button").first.press("Enter")
    other = state(page)["track"]
    assert other != track
    page.locator(".map-stage").press("Enter")
    expect(page.locator("#audio")).to_have_attribute("src", f"/api/tracks/{other}/audio")


def test_a_row_is_shown_on_the_map(page, served):
    choose_action(row(page, EVIL), "Show on map")
    expect(page.locator(".map-selected h2")).to_have_text(EVIL, timeout=60_000)
    settle(page)
    assert state(page)["track"] == served.ids["hiss0.flac"]


def test_the_track_that_plays_is_marked_on_the_map(page):
    play(row(page, "tune1"))
    show_map(page)
    expect(page.locator(".map-playing")).to_be_visible()


def test_the_line_of_a_playlist_is_drawn_when_its_tracks_change_only(page, served):
    show_map(page)
    page.goto(f"{served.url}/#playlist?track={served.ids['tune0.ogg']}&n=4")
    expect(page.locator("#playlist-tracks .row")).to_have_count(4)
    page.evaluate(
        "() => { const map = document.querySelector('.map').mapView; window.lines = [];"
        " map.setPlaylist = (ids) => window.lines.push(ids.length); }"
    )
    page.locator("#playlist-name").press_sequentially("Rain")
    assert page.evaluate("window.lines") == []
    page.locator("#playlist-tracks .row").first.press("Delete")
    expect(page.locator("#playlist-tracks .row")).to_have_count(3)
    assert page.evaluate("window.lines") == [3]


def test_what_the_map_shows_is_in_the_address(page, browser):
    show_map(page)
    call(page, "map.search('hiss')")
    page.wait_for_function("() => location.hash.includes('search=hiss')")
    other = browser.new_page()
    other.goto(page.url)
    expect(other.locator(".map-count")).to_have_text("4 of 15 tracks", timeout=60_000)
    other.reload()
    expect(other.locator(".map-count")).to_have_text("4 of 15 tracks", timeout=60_000)
    other.close()

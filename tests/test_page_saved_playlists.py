"""Saved playlists on the page, in a real browser."""

from urllib.parse import quote

import httpx
import pytest
from pages import choose_action
from playlist_page import (
    Held,
    make,
    names,
    remove,
    save,
    saved_row,
    settled,
    show,
    tracks,
)
from playwright.sync_api import expect


def test_playlists_are_saved_and_opened_with_their_settings(page, served, saved, browser):
    show(page, served, "tune0.ogg", n=4)
    remove(page, 1)
    morning = names(page)
    save(page, "Morning / été")
    page.locator("#playlist-n").fill("6")
    make(page)
    expect(tracks(page)).to_have_count(6)
    save(page, "Evening")
    assert saved() == ["Evening", "Morning / été"]
    expect(page.locator("#saved .title")).to_have_text(["Evening", "Morning / été"])
    expect(page.locator("#saved .subtitle").first).to_have_text("6 tracks · 0:24")
    saved_row(page, "Morning").locator(".saved-name").click()
    expect(tracks(page)).to_have_count(3)
    assert names(page) == morning
    expect(page.locator("#playlist-n")).to_have_value("4")
    expect(page.locator("#playlist-removed")).to_be_visible()
    expect(page.locator("#save")).to_be_disabled()
    other = browser.new_page()
    other.goto(page.url)
    expect(tracks(other)).to_have_count(3)
    assert names(other) == morning
    other.close()
    page.go_back()
    expect(tracks(page)).to_have_count(6)


def test_saving_under_a_name_in_use_can_be_undone(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    save(page, "Mine")
    remove(page, 0)
    expect(page.locator("#save-text")).to_have_text("Save")
    page.locator("#save").click()
    expect(page.locator("#status")).to_have_text("Saved Mine in place of what it was.")
    expect(saved_row(page, "Mine")).to_contain_text("3 tracks")
    page.locator("#undo").click()
    expect(saved_row(page, "Mine")).to_contain_text("4 tracks")


def test_a_saved_playlist_is_renamed(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    save(page, "Old")
    choose_action(saved_row(page, "Old"), "Rename")
    page.get_by_label("New name of Old").fill("New")
    page.keyboard.press("Enter")
    expect(page.locator("#saved .title")).to_have_text(["New"])
    assert saved() == ["New"]
    expect(page.locator("#playlist-name")).to_have_value("New")
    page.locator("#undo").click()
    expect(page.locator("#saved .title")).to_have_text(["Old"])
    choose_action(saved_row(page, "Old"), "Rename")
    page.keyboard.type("Other")
    page.keyboard.press("Escape")
    expect(page.locator("#saved .title")).to_have_text(["Old"])


def test_a_saved_playlist_is_removed_and_brought_back(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    save(page, "Gone")
    choose_action(saved_row(page, "Gone"), "Remove")
    expect(page.locator("#saved-playlists")).to_be_hidden()
    assert saved() == []
    page.locator("#status-action").click()
    expect(saved_row(page, "Gone")).to_contain_text("4 tracks")
    assert saved() == ["Gone"]


def test_tracks_of_a_saved_playlist_are_skipped(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    expect(tracks(page)).to_have_count(4)
    skipped = set(names(page))
    save(page, "Heard")
    page.locator("summary").click()
    page.locator("#skip-saved").select_option("Heard")
    expect(page.locator("#skipped")).to_have_text("Heard")
    make(page)
    expect(tracks(page).first).to_be_visible()
    expect(page.locator("#status")).to_contain_text("Made a playlist")
    assert not skipped & set(names(page))
    assert "skip=Heard" in page.url


def test_a_playlist_that_cannot_be_saved_says_why(page, served):
    page.allowed_faults = ["Failed to load resource"]
    show(page, served, "tune0.ogg", n=4)
    page.route(
        "**/api/playlists/Mine",
        lambda route: route.fulfill(
            status=503,
            json={"error": "The index is read-only", "hint": "Make its folder writable."},
        ),
    )
    page.locator("#playlist-name").fill("Mine")
    page.locator("#save").click()
    expect(page.locator("#status")).to_have_text(
        "The index is read-only. Make its folder writable."
    )
    expect(page.locator("#toast")).to_have_class("error")
    expect(page.locator("#save")).to_be_enabled()


# Other tabs and the command line


def put(served, name, n_tracks, **settings):
    """Save a playlist as another tab or the command line does."""
    ids = list(served.ids.values())[:n_tracks]
    httpx.put(
        f"{served.url}/api/playlists/{quote(name, safe='')}",
        json={"tracks": ids, "settings": settings},
    ).raise_for_status()


def test_a_playlist_that_another_tab_saved_is_not_lost_when_one_gets_its_name(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    put(served, "Mine", 7)
    save(page, "Mine")
    expect(page.locator("#status")).to_have_text("Saved Mine in place of what it was.")
    page.locator("#undo").click()
    expect(saved_row(page, "Mine")).to_contain_text("7 tracks")


def test_a_playlist_that_another_tab_saved_is_not_lost_when_one_is_renamed(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    save(page, "Old")
    put(served, "New", 7)
    rename(page, "Old", "New")
    expect(page.locator("#status")).to_contain_text("There is a saved playlist New already.")
    expect(saved_row(page, "New")).to_contain_text("7 tracks")
    expect(saved_row(page, "Old")).to_contain_text("4 tracks")


def rename(page, name, new_name):
    choose_action(saved_row(page, name), "Rename")
    page.get_by_label(f"New name of {name}").fill(new_name)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(
    "new_name",
    [
        pytest.param("e\u0301te\u0301", id="the same in another form of Unicode"),
        pytest.param("  \u00e9t\u00e9 ", id="the same with spaces"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_new_name_that_is_the_old_one_loses_nothing(page, served, saved, new_name):
    show(page, served, "tune0.ogg", n=4)
    save(page, "\u00e9t\u00e9")
    rename(page, "\u00e9t\u00e9", new_name)
    expect(page.get_by_label("New name of")).to_have_count(0)
    settled(page)
    assert saved() == ["\u00e9t\u00e9"]
    expect(saved_row(page, "\u00e9t\u00e9")).to_contain_text("4 tracks")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda served: put(served, "Mine", 7), id="replaced"),
        pytest.param(lambda served: httpx.delete(f"{served.url}/api/playlists/Mine"), id="removed"),
    ],
)
def test_a_playlist_that_changed_elsewhere_is_no_longer_called_saved(page, served, saved, change):
    show(page, served, "tune0.ogg", n=4)
    save(page, "Mine")
    page.wait_for_timeout(1_000)  # times of saving are whole seconds
    change(served)
    page.locator("nav [data-view=find]").click()
    page.locator("nav [data-view=playlist]").click()
    expect(page.locator("#save-text")).to_have_text("Save")
    expect(tracks(page)).to_have_count(4)


def test_opening_a_playlist_that_was_removed_elsewhere_says_so(page, served, saved):
    page.allowed_faults = ["Failed to load resource"]
    show(page, served, "tune0.ogg", n=4)
    put(served, "Gone", 3)
    page.reload()
    expect(saved_row(page, "Gone")).to_be_visible()
    httpx.delete(f"{served.url}/api/playlists/Gone")
    saved_row(page, "Gone").locator(".saved-name").click()
    expect(page.locator("#status")).to_contain_text("There is no saved playlist Gone.")
    expect(page.locator("#saved-playlists")).to_be_hidden()
    expect(tracks(page)).to_have_count(4)


def test_a_playlist_that_the_command_line_saved_is_opened_without_settings(page, served, saved):
    put(served, "First", 3)
    put(served, "Second", 5)
    show(page, served, "tune0.ogg", n=4)
    for name, n_tracks in (("First", 3), ("Second", 5)):
        saved_row(page, name).locator(".saved-name").click()
        expect(tracks(page)).to_have_count(n_tracks)
        expect(page.locator("#seeds li")).to_have_count(0)
    page.go_back()
    expect(tracks(page)).to_have_count(3)
    expect(page.locator("#playlist-name")).to_have_value("First")
    page.reload()
    expect(tracks(page)).to_have_count(3)


def test_settings_of_another_program_are_ignored(page, served, saved):
    put(served, "Odd", 3, address=7, removed="all")
    page.goto(f"{served.url}/#playlist?saved=Odd")
    expect(tracks(page)).to_have_count(3)


# Names


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("/", id="a slash"),
        pytest.param("AC/DC & friends? 100 % #1", id="characters of addresses"),
        pytest.param("\u05d0\u05d1\u05d2 \U0001f468\u200d\U0001f469", id="Hebrew and emoji"),
        pytest.param("<b>&amp;", id="HTML"),
        pytest.param("x" * 200, id="as long as may be"),
    ],
)
def test_a_playlist_may_have_any_name(page, served, saved, name):
    show(page, served, "tune0.ogg", n=4)
    save(page, name)
    assert saved() == [name]
    show(page, served, "hiss1.flac", n=3)
    saved_row(page, name).locator(".saved-name").click()
    expect(tracks(page)).to_have_count(4)
    expect(page.locator("#playlist-name")).to_have_value(name)
    page.reload()
    expect(page.locator("#save-text")).to_have_text("Saved")


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_addresses_cannot_have_is_refused(page, served, saved, name):
    show(page, served, "tune0.ogg", n=4)
    page.locator("#playlist-name").fill(name)
    page.locator("#save").click()
    expect(page.locator("#status")).to_have_text(f"A playlist can't have the name {name}.")


# Undo


def test_undo_that_fails_can_be_tried_again(page, served, saved):
    page.allowed_faults = ["Failed to load resource"]
    show(page, served, "tune0.ogg", n=4)
    save(page, "Mine")
    page.route("**/api/playlists/Mine", lambda route: route.abort())
    page.locator("#undo").click()
    expect(page.locator("#status")).to_contain_text("The server doesn't answer.")
    page.unroute("**/api/playlists/Mine")
    page.locator("#status-action").click()
    expect(page.locator("#status")).to_have_text("Undone: Saved Mine.")
    assert saved() == []


def test_steps_are_taken_and_undone_one_after_another(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    save(page, "Old")
    rename(page, "Old", "Newer")
    expect(saved_row(page, "Newer")).to_be_visible()
    rename(page, "Newer", "Newest")
    for _ in range(3):
        page.locator("#undo").evaluate("button => button.click()")
    expect(page.locator("#saved-playlists")).to_be_hidden()
    assert saved() == []


def test_changes_while_a_playlist_is_saved_are_not_called_saved(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    expect(tracks(page)).to_have_count(4)
    held = Held(page, "**/api/playlists/Mine")
    page.locator("#playlist-name").fill("Mine")
    page.locator("#save").click()
    request = held.first()
    remove(page, 0)
    request.continue_()
    expect(saved_row(page, "Mine")).to_contain_text("4 tracks")
    expect(page.locator("#save-text")).to_have_text("Save")


def test_the_open_playlist_is_marked_until_another_one_is_made(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    save(page, "Mine")
    expect(page.locator("#saved [aria-current]")).to_have_count(1)
    make(page)
    expect(page.locator("#saved [aria-current]")).to_have_count(0)


# Many of them


@pytest.fixture
def many(page, served, saved):
    """A page with a dozen saved playlists, on the screen of a small laptop."""
    for number in range(1, 13):
        put(served, f"Música {number}", 1 + number % 5)
    page.set_viewport_size({"width": 1024, "height": 768})
    page.locator("nav [data-view=playlist]").click()
    expect(page.locator("#saved li")).to_have_count(12)
    return page


def test_saved_playlists_are_in_the_order_of_their_numbers(many):
    expect(many.locator("#saved .title")).to_have_text([f"Música {n}" for n in range(1, 13)])
    options = many.locator("#skip-saved option").all_text_contents()
    assert options[1:] == [f"Música {n}" for n in range(1, 13)]


@pytest.mark.parametrize("words", ["musica 1", " MU\u0301SICA 1"])
def test_many_saved_playlists_are_filtered_by_their_names(many, words):
    many.locator("#saved-filter").fill(words)
    expect(many.locator("#saved .title")).to_have_text([f"Música {n}" for n in (1, 10, 11, 12)])
    many.locator("#saved-filter").fill("jazz")
    expect(many.locator("#saved-none")).to_be_visible()
    many.locator("#saved-filter").fill("")
    expect(many.locator("#saved li")).to_have_count(12)
    expect(many.locator("#saved-none")).to_be_hidden()


def test_few_saved_playlists_have_no_filter(page, served, saved):
    show(page, served, "tune0.ogg", n=4)
    save(page, "Mine")
    expect(saved_row(page, "Mine")).to_be_visible()
    expect(page.locator("#saved-filter")).to_be_hidden()


@pytest.mark.parametrize("is_advanced", [False, True], ids=["short form", "long form"])
def test_the_heading_of_saved_playlists_is_always_in_view_and_leads_to_them(many, is_advanced):
    if is_advanced:
        many.locator("summary").click()
    heading, make_button, player = (
        many.locator(name).bounding_box() for name in ("#show-saved", "#make", "#player")
    )
    assert make_button["y"] + make_button["height"] <= heading["y"]
    assert heading["y"] + heading["height"] <= player["y"]
    many.locator("#show-saved").click()
    expect(saved_row(many, "Música 1").first).to_be_in_viewport()
    first, player = (
        many.locator(name).bounding_box() for name in ("#saved li >> nth=0", "#player")
    )
    assert first["y"] + first["height"] <= player["y"]

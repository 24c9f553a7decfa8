"""The Playlist view of the page on narrow and wide screens, and with the keyboard alone."""

import pytest
from pages import choose_action, row
from playlist_page import Held, make, remove, save, saved_row, show, tracks
from playwright.sync_api import expect
from screens import SCREENS, serious_violations


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_the_playlist_view_is_accessible(page, served, saved, scheme, width):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 844})
    show(page, served, "tune0.ogg", "hiss1.flac", kind="journey", genre="Jazz", n=2)
    save(page, "Accessible")
    remove(page, 0) if width > 640 else tracks(page).first.press("Delete")
    if width <= 640:
        assert serious_violations(page) == []
        page.locator("#toggle-settings").click()
    page.locator("summary").click()
    page.locator("#playlist-year").fill("x")
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1440, 1024])
def test_settings_are_beside_the_list(page, served, width):
    page.set_viewport_size({"width": width, "height": 844})
    show(page, served, "tune0.ogg")
    settings, result = (
        page.locator(name).bounding_box() for name in ("#playlist-form", ".playlist-result")
    )
    assert settings["x"] + settings["width"] <= result["x"]
    assert settings["y"] == pytest.approx(result["y"], abs=2)
    expect(page.locator("#toggle-settings")).to_be_hidden()


def test_the_place_of_the_list_says_what_to_do_next(page, served):
    empty = page.locator("#playlist-empty")
    page.locator("nav [data-view=playlist]").click()
    expect(empty.locator("strong:visible")).to_have_text("Start a playlist")
    held = Held(page, "**/api/playlist")
    page.goto(f"{served.url}/#playlist?track={served.ids['tune0.ogg']}&n=3")
    request = held.first()
    expect(empty.locator("strong:visible")).to_have_text("The playlist appears here")
    request.continue_()
    expect(tracks(page)).to_have_count(3)
    expect(empty).to_be_hidden()


@pytest.fixture
def phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    return page


def test_a_phone_shows_the_list_and_the_settings_when_they_are_asked_for(phone, served):
    phone.locator("nav [data-view=playlist]").click()
    expect(phone.locator("#playlist-form")).to_be_visible()
    expect(phone.locator("#toggle-settings")).to_be_hidden()
    show(phone, served, "tune0.ogg")
    expect(phone.locator("#playlist-form")).to_be_hidden()
    assert tracks(phone).nth(4).bounding_box()["y"] < 700
    phone.locator("#toggle-settings").click()
    expect(phone.locator("#toggle-settings")).to_have_attribute("aria-expanded", "true")
    form, result = (
        phone.locator(name).bounding_box() for name in ("#playlist-form", ".playlist-result")
    )
    assert form["y"] + form["height"] <= result["y"]
    phone.locator("#playlist-n").fill("3")
    make(phone)
    expect(tracks(phone)).to_have_count(3)
    expect(phone.locator("#playlist-form")).to_be_hidden()
    expect(tracks(phone).first).to_be_in_viewport()
    expect(phone.locator("#toggle-settings")).to_be_focused()


def test_a_phone_shows_the_setting_that_has_a_problem(phone, served):
    show(phone, served, "tune0.ogg")
    phone.locator("#toggle-settings").click()
    phone.locator("#playlist-n").fill("0")
    phone.locator("#toggle-settings").click()
    phone.locator("nav [data-view=find]").click()
    choose_action(row(phone, "hiss1"), "Start a playlist")
    expect(phone.locator("#seeds li")).to_have_count(2)
    phone.locator("#status-action").click()
    expect(phone.locator("#playlist-n")).to_be_focused()


def test_a_phone_opens_saved_playlists_above_the_list(phone, served, saved):
    show(phone, served, "tune0.ogg", n=4)
    save(phone, "Mine")
    show(phone, served, "hiss1.flac", n=3)
    phone.locator("#toggle-saved").click()
    saved_row(phone, "Mine").locator(".saved-name").click()
    expect(tracks(phone)).to_have_count(4)
    expect(phone.locator("#saved-playlists")).to_be_hidden()
    expect(phone.locator("#toggle-saved")).to_be_focused()


def test_a_playlist_is_made_and_saved_with_the_keyboard_alone(page, saved):
    page.locator("nav [data-view=playlist]").press("Enter")
    page.locator("#add-seed").focus()
    page.keyboard.type("tune0")
    expect(page.locator("#add-seed-suggestions li")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(tracks(page)).to_have_count(15)
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("document.activeElement.id || document.activeElement.className || ''")
        )
    assert {
        "playlist-n",
        "make",
        "playlist-name",
        "play-all",
        "shuffle",
        "endless",
        "undo",
        "save",
        "more-of-playlist",
        "play-button",
    } <= set(seen)
    assert any("grip" in name for name in seen)
    page.locator("#playlist-name").fill("Keys")
    page.keyboard.press("Enter")
    expect(page.locator("#save-text")).to_have_text("Saved")
    assert saved() == ["Keys"]

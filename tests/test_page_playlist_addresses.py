"""Addresses of the Playlist view of the page: Back, reload, links and other tabs."""

import re

import pytest
from pages import choose_action, row
from playlist_page import Held, kind, make, names, remove, settled, show, tracks
from playwright.sync_api import expect


def test_settings_are_in_the_address_which_works_in_another_tab(page, served, browser):
    show(page, served, "tune0.ogg", "hiss1.flac")
    kind(page, "Journey").check()
    page.locator("#playlist-n").fill("6")
    page.locator("summary").click()
    page.locator("#playlist-max_per_album").fill("6")
    page.locator("#playlist-genre").fill("Jazz; Rock")
    page.locator("#playlist-genre").press("Enter")
    for genre in ("Jazz", "Rock"):
        page.locator("#playlist-genre-values").get_by_label(f"Remove {genre}").click()
    make(page)
    expect(tracks(page)).to_have_count(6)
    assert re.search(r"kind=journey&n=6&max_per_album=6$", page.url)
    other = browser.new_page()
    other.goto(page.url)
    expect(tracks(other)).to_have_count(6)
    assert names(other) == names(page)
    expect(kind(other, "Journey")).to_be_checked()
    expect(other.locator("#advanced-count")).to_have_text("1")
    other.close()


def test_back_shows_the_playlist_before_and_its_settings(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    page.locator("#playlist-n").fill("3")
    make(page)
    expect(tracks(page)).to_have_count(3)
    page.go_back()
    expect(tracks(page)).to_have_count(5)
    expect(page.locator("#playlist-n")).to_have_value("5")
    page.go_forward()
    expect(tracks(page)).to_have_count(3)
    page.locator("nav [data-view=find]").click()
    page.go_back()
    expect(tracks(page)).to_have_count(3)
    expect(page.locator("#playlist-n")).to_have_value("3")


def test_the_edited_playlist_survives_a_reload(page, served):
    show(page, served, "tune0.ogg", n=6)
    remove(page, 1)
    page.locator("#playlist-name").fill("Mine")
    order = names(page)
    page.locator("#playlist-n").fill("9")
    page.locator("#playlist-n").blur()
    page.reload()
    expect(tracks(page)).to_have_count(5)
    assert names(page) == order
    expect(page.locator("#playlist-name")).to_have_value("Mine")
    expect(page.locator("#playlist-n")).to_have_value("9")
    expect(page.locator("#playlist-removed")).to_be_visible()


def test_a_link_shows_its_own_playlist_in_a_tab_that_has_another_one(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    page.goto("about:blank")
    show(page, served, "hiss1.flac", n=3)
    expect(tracks(page)).to_have_count(3)
    assert names(page)[0] == "hiss1.flac"


def test_settings_that_no_playlist_was_made_with_survive_a_reload_of_another_view(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    page.locator("#playlist-n").fill("7")
    page.locator("nav [data-view=find]").click()
    page.reload()
    page.locator("nav [data-view=playlist]").click()
    expect(tracks(page)).to_have_count(5)
    expect(page.locator("#playlist-n")).to_have_value("7")


def test_starting_tracks_that_are_gone_are_reported(page, served):
    page.goto(f"{served.url}/#playlist?track={served.ids['tune0.ogg']}&track=999999")
    expect(page.locator("#seeds li")).to_have_count(1)
    expect(tracks(page)).to_have_count(15)


@pytest.mark.parametrize(
    "kept", ["{", "[]", '{"value": 1}', '{"library": "of another", "value": {"seeds": [1]}}']
)
def test_a_playlist_that_the_tab_kept_wrongly_is_ignored(page, kept):
    page.evaluate("(kept) => sessionStorage.setItem('audiosearch.playlist', kept)", kept)
    page.reload()
    expect(page.locator("#count")).to_have_text("15 tracks")
    expect(page.locator("#playlist-count")).to_be_hidden()


def test_settings_stay_while_tracks_are_added_in_another_view(page):
    choose_action(row(page, "hiss1"), "Start a playlist")
    page.locator("#playlist-n").fill("7")
    page.locator("nav [data-view=find]").click()
    choose_action(row(page, "hiss2"), "Start a playlist")
    expect(page.locator("#playlist-n")).to_have_value("7")


def test_back_leaves_the_view_after_the_first_playlist(page):
    page.locator("nav [data-view=playlist]").click()
    page.locator("#add-seed").fill("tune0")
    page.locator("#add-seed-suggestions li").first.click()
    expect(tracks(page)).to_have_count(15)
    page.go_back()
    expect(page.locator("#hits")).to_be_visible()


def test_back_while_a_playlist_is_made_keeps_the_one_before(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    page.locator("#playlist-n").fill("3")
    held = Held(page, "**/api/playlist")
    page.locator("#make").click()
    page.go_back()
    expect(page.locator("#playlist-n")).to_have_value("5")
    held.first().continue_()
    settled(page)
    expect(tracks(page)).to_have_count(5)
    assert page.url.endswith("n=5")


def test_settings_changed_while_a_playlist_is_made_are_not_those_that_it_is_made_with(page, served):
    show(page, served, "tune0.ogg", n=5)
    held = Held(page, "**/api/playlist")
    page.locator("#playlist-n").fill("3")
    page.locator("#make").click()
    request = held.first()
    page.locator("#playlist-n").fill("9")
    page.locator("#playlist-n").blur()
    request.continue_()
    expect(tracks(page)).to_have_count(3)
    expect(page.locator("#playlist-n")).to_have_value("9")
    remove(page, 0)
    page.locator("#undo").click()
    expect(page.locator("#playlist-n")).to_have_value("9")
    page.locator("#undo").click()
    expect(tracks(page)).to_have_count(5)
    expect(page.locator("#playlist-n")).to_have_value("5")


def test_undo_while_a_playlist_is_made_gives_it_up(page, served):
    show(page, served, "tune0.ogg", n=5)
    remove(page, 1)
    held = Held(page, "**/api/playlist")
    page.locator("#make").click()
    request = held.first()
    page.locator("#undo").click()
    request.continue_()
    settled(page)
    expect(tracks(page)).to_have_count(5)
    expect(page.locator("#playlist-removed")).to_be_hidden()


def test_a_track_that_is_removed_while_a_playlist_is_made_stays_out(page, served):
    show(page, served, "tune0.ogg", n=5)
    held = Held(page, "**/api/playlist")
    page.locator("#make").click()
    request = held.first()
    name = names(page)[2]
    remove(page, 2)
    request.continue_()
    expect(page.locator("#status")).to_contain_text("Made a playlist of 4 tracks.")
    assert name not in names(page)


def test_the_link_that_was_opened_last_is_shown(page, served):
    show(page, served, "tune0.ogg", n=5)
    held = Held(page, "**/api/tracks?id=*")
    for name in ("hiss1.flac", "hiss2.flac"):
        page.evaluate("hash => { location.hash = hash }", f"playlist?track={served.ids[name]}&n=3")
    first, second = held.first(), held.first()
    second.continue_()
    expect(page.locator("#seeds li")).to_have_text(["hiss2.flac"])
    first.continue_()
    expect(tracks(page)).to_have_count(3)
    settled(page)
    expect(page.locator("#seeds li")).to_have_text(["hiss2.flac"])
    assert f"track={served.ids['hiss2.flac']}&n=3" in page.url


def test_back_while_a_link_is_opened_keeps_the_playlist_before(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    held = Held(page, "**/api/tracks?id=*")
    page.evaluate("hash => { location.hash = hash }", f"playlist?track={served.ids['hiss1.flac']}")
    request = held.first()
    page.go_back()
    request.continue_()
    settled(page)
    expect(page.locator("#seeds li")).to_have_text(["tune0.ogg"])
    assert page.url.endswith("n=5")


def test_settings_that_no_playlist_was_made_with_stay_when_a_removal_is_undone(page, served):
    show(page, served, "tune0.ogg", n=5)
    remove(page, 0)
    page.locator("#playlist-n").fill("7")
    page.locator("#undo").click()
    expect(tracks(page)).to_have_count(5)
    expect(page.locator("#playlist-n")).to_have_value("7")


def test_a_full_session_storage_only_loses_what_a_reload_would_keep(page, served):
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error(); } }")
    page.evaluate(
        "hash => { location.hash = hash }", f"playlist?track={served.ids['tune0.ogg']}&n=5"
    )
    expect(tracks(page)).to_have_count(5)
    remove(page, 0)
    expect(tracks(page)).to_have_count(4)
    page.locator("#undo").click()
    expect(tracks(page)).to_have_count(5)
    page.reload()
    expect(tracks(page)).to_have_count(5)

"""The page that `audiosearch serve` shows, in Firefox: each flow once."""

import pytest
from maps import alone, place, settle
from pages import opened, play, row, search, titles, wait_until_played, watched
from playwright.sync_api import expect, sync_playwright
from served import EVIL


@pytest.fixture(scope="module")
def firefox():
    """Debian's Firefox without a window. Playwright drives it by WebDriver BiDi."""
    with sync_playwright() as playwright:
        browser = playwright.firefox.launch(
            channel="moz-firefox",
            executable_path="/usr/bin/firefox-esr",
            firefox_user_prefs={"media.autoplay.default": 0},
        )
        yield browser
        browser.close()


@pytest.fixture
def page(firefox, served):
    page = firefox.new_page(viewport={"width": 1280, "height": 800})
    with watched(page):
        opened(page, served.url)
        page.locator("#mute").click()  # else Firefox stops playing without a sound device
        yield page
    page.close()


def upload(page, path):
    page.locator("#file").set_input_files(path)
    expect(page.locator("#hits-title")).to_have_text(f"Results for {path.name}")


def test_words_find_tracks_and_suggest(page):
    page.locator("#words").press_sequentially("tune")
    expect(titles(page)).to_have_count(4)
    page.locator("#words-suggestions").get_by_role("option").filter(has_text="tune2").click()
    expect(titles(page)).to_have_text(["tune2.ogg"])


def test_a_clip_finds_similar_tracks_after_reload_and_back(page, served):
    search(page, "tune", 4)
    upload(page, served.clip("tone.wav"))
    expect(titles(page).first).to_contain_text("tone")
    found = titles(page).all_inner_texts()
    page.reload(wait_until="commit")
    expect(page.locator("#hits-title")).to_have_text("Results for tone.wav")
    expect(titles(page)).to_have_text(found)
    page.evaluate("history.back()")
    expect(page.locator("#hits-title")).to_have_text("Results for tune")
    expect(titles(page)).to_have_count(4)


@pytest.mark.parametrize("name", ["tone0.wav", "hiss1.flac", "tune0.ogg", "low.mp3", "loud.aiff"])
def test_tracks_play_and_seek(page, name):
    play(row(page, name))
    wait_until_played(page, 0.2)
    box = page.locator("#seek").bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 20)
    wait_until_played(page, 3.0)
    assert page.evaluate("navigator.mediaSession.metadata.title") == name
    expect(page.locator("#toast")).to_be_hidden()


def test_the_queue_goes_on(page):
    order = titles(page).all_inner_texts()
    play(page.locator("#hits .row").nth(3))
    page.locator("#audio").evaluate("audio => audio.currentTime = audio.duration - 0.2")
    expect(page.locator("#now-title")).to_have_text(order[4])
    wait_until_played(page, 0.2)


def test_a_playlist_is_made_and_is_in_the_address(page, served):
    page.locator("nav [data-view=playlist]").click()
    page.get_by_role("combobox", name="Add a track").press_sequentially("tune1")
    page.locator("#add-seed-suggestions").get_by_role("option").first.click()
    tracks = page.locator("#playlist-tracks .row .title")
    expect(tracks.first).to_be_visible()
    before = tracks.all_inner_texts()
    other = page.context.browser.new_page()
    other.goto(page.url, wait_until="commit")
    expect(other.locator("#playlist-tracks .row .title")).to_have_text(before)
    other.close()


def test_a_slash_leads_to_the_search_of_the_map(page):
    page.locator("nav [data-view=map]").click()
    expect(page.locator(".map-count")).to_have_text("15 tracks", timeout=60_000)
    page.keyboard.press("/")
    expect(page.locator(".map-search input")).to_be_focused()


def test_the_map_plays_the_track_of_a_point(page, served):
    page.locator("nav [data-view=map]").click()
    expect(page.locator(".map-count")).to_have_text("15 tracks", timeout=60_000)
    settle(page)
    track = alone(page, list(served.ids.values()))
    page.mouse.click(*place(page, track))
    name = next(name for name, track_id in served.ids.items() if track_id == track)
    expect(page.locator("#now-title")).to_have_text(EVIL if name == "hiss0.flac" else name)
    wait_until_played(page, 0.1)
    page.evaluate("history.back()")
    expect(titles(page)).to_have_count(15)

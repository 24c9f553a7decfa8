"""Moments on the page that `audiosearch serve` shows, in a real browser."""

import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect
from screens import serious_violations
from served import serving
from sounds import encode, melody, noise, tone, write
from typer.testing import CliRunner

from audiosearch.cli import app


@pytest.fixture(scope="module")
def moments(tmp_path_factory):
    """A server of an index with moments, and a clip from 7 to 9 s of a recording."""
    folder = tmp_path_factory.mktemp("moments")
    (folder / "music").mkdir()
    (folder / "clips").mkdir()
    for number in range(2):
        parts = [noise(5.0, seed=number), melody(6.0, seed=number), tone(300, 4.0)]
        write(folder / "music" / f"long{number}.wav", np.concatenate(parts))
    sung = np.concatenate([noise(5.0, 44_100, seed=9), melody(10.0, 44_100, seed=9)])
    encode(folder / "music" / "sung.wma", sung, 44_100, container="asf", codec="wmav2")
    samples, _ = soundfile.read(folder / "music" / "long0.wav", dtype="float32")
    write(folder / "clips" / "clip.wav", samples[7 * 16_000 : 9 * 16_000])
    write(folder / "clips" / "sung.wav", melody(10.0, 44_100, seed=9)[44_100 : 4 * 44_100], 44_100)
    command = ["add", folder / "music", "--moments", "--model", "compact", "--index"]
    result = CliRunner().invoke(app, [*map(str, command), str(folder / "index")])
    assert result.exit_code == 0, result.stderr
    with serving(folder, {}) as served:
        yield served


@pytest.fixture
def page(browser_page, moments):
    faults = []
    browser_page.on("pageerror", lambda error: faults.append(str(error)))
    browser_page.goto(moments.url)
    expect(browser_page.locator("#status")).to_have_text("3 tracks")
    yield browser_page
    assert faults == []


def search(page, clip):
    page.locator("#moments").check()
    page.locator("#file").set_input_files(clip)
    expect(page.locator("#hits-title")).to_have_text(f"Most similar to {clip.name}")


def wait_until_played(page, item, seconds):
    """Wait until a player has played past a position; return the positions at which it was."""
    positions = []
    for _ in range(200):
        positions.append(item.locator("audio").evaluate("audio => audio.currentTime"))
        if positions[-1] > seconds:
            return positions
        page.wait_for_timeout(50)
    raise AssertionError(f"the player did not reach {seconds} s: {positions[-1]}")


def test_hits_show_their_times_and_play_from_there_on(page, moments):
    search(page, moments.clip("clip.wav"))
    first = page.locator("#hits li").first
    expect(first.locator("strong")).to_have_text("long0.wav")
    expect(first.locator(".moment")).to_have_text("0:07.0-0:09.0")
    expect(first.locator("audio")).to_have_attribute("aria-label", "Play long0.wav at 0:07.0")
    first.focus()
    page.keyboard.press(" ")
    positions = wait_until_played(page, first, 9.1)  # it goes on after the end of the moment
    assert min(positions) >= 6.9


def test_a_moment_of_an_mp3_copy_plays_from_there_on(page, moments):
    search(page, moments.clip("sung.wav"))
    first = page.locator("#hits li").first
    expect(first.locator("strong")).to_have_text("sung.wma")
    expect(first.locator(".moment")).to_have_text(re.compile(r"0:06\.[01]-0:09\.[01]"))
    first.focus()
    page.keyboard.press(" ")
    assert min(wait_until_played(page, first, 6.3)) >= 5.9


def test_a_moment_that_plays_goes_on_below_when_the_list_changes(page, moments):
    search(page, moments.clip("clip.wav"))
    first = page.locator("#hits li").first
    first.focus()
    page.keyboard.press(" ")
    wait_until_played(page, first, 7.2)
    page.locator("#words").fill("sung")
    below = page.locator("#player li")
    expect(below.locator(".moment")).to_have_text("0:07.0-0:09.0")
    assert min(wait_until_played(page, below, 7.4)) >= 7.1


def test_more_like_a_moment_searches_with_that_moment(page, moments):
    search(page, moments.clip("clip.wav"))
    expect(page.locator("#hits li").first.locator(".moment")).to_have_text("0:07.0-0:09.0")
    with page.expect_request("**/api/query") as sent:
        page.locator("#hits li").first.get_by_text("More like this").click()
    body = sent.value.post_data
    assert 'name="from"\r\n\r\n7' in body
    assert 'name="to"\r\n\r\n9' in body
    assert 'name="moments"' in body
    expect(page.locator("#hits-title")).to_have_text("Most similar to long0.wav")


def test_without_the_switch_hits_are_tracks(page, moments):
    page.locator("#file").set_input_files(moments.clip("clip.wav"))
    expect(page.locator("#hits-title")).to_have_text("Most similar to clip.wav")
    expect(page.locator("#hits .moment")).to_have_count(0)


def test_an_index_without_moments_has_no_switch(browser_page, served):
    browser_page.goto(served.url)
    expect(browser_page.locator("#status")).to_have_text("15 tracks")
    expect(browser_page.locator("#moments-switch")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1280])
def test_moments_are_accessible_on_every_width(width, page, moments):
    page.set_viewport_size({"width": width, "height": 800})
    search(page, moments.clip("clip.wav"))
    expect(page.locator("#hits li").first.locator(".moment")).to_be_visible()
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#moments").focus()
    page.keyboard.press(" ")
    expect(page.locator("#moments")).not_to_be_checked()

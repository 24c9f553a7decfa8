"""Moments on the page that `audiosearch serve` shows, in a real browser."""

import re

import numpy as np
import pytest
import soundfile
from pages import opened, play, wait_until_played, watched
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
    with watched(browser_page):
        yield opened(browser_page, moments.url, n_tracks=3)


def search(page, clip):
    page.locator("#file").set_input_files(clip)
    expect(page.locator("#hits-title")).to_have_text(f"Results for {clip.name}")
    page.locator("#moments").check()
    expect(page.locator("#hits .moment").first).to_be_visible()


def test_hits_show_their_times_and_play_from_there_on(page, moments):
    search(page, moments.clip("clip.wav"))
    first = page.locator("#hits .row").first
    expect(first.locator(".title")).to_have_text("long0.wav")
    expect(first.locator(".moment")).to_have_text("0:07.0-0:09.0")
    button = first.locator(".play-button")
    expect(button).to_have_attribute("aria-label", "Play long0.wav at 0:07.0")
    first.focus()
    page.keyboard.press(" ")
    positions = wait_until_played(page, 9.1)  # it goes on after the end of the moment
    assert min(positions) >= 6.9


def test_a_moment_of_a_converted_copy_plays_from_there_on(page, moments):
    search(page, moments.clip("sung.wav"))
    first = page.locator("#hits .row").first
    expect(first.locator(".title")).to_have_text("sung.wma")
    expect(first.locator(".moment")).to_have_text(re.compile(r"0:06\.[01]-0:09\.[01]"))
    play(first)
    assert min(wait_until_played(page, 6.3)) >= 5.9


def test_only_the_moment_that_plays_is_marked(page, moments):
    search(page, moments.clip("clip.wav"))
    play(page.locator("#hits .row").first)
    expect(page.locator("#hits .is-current")).to_have_count(1)


def test_more_like_a_moment_searches_with_that_moment(page, moments):
    search(page, moments.clip("clip.wav"))
    expect(page.locator("#hits .row").first.locator(".moment")).to_have_text("0:07.0-0:09.0")
    with page.expect_request("**/api/query") as sent:
        page.locator("#hits .row").first.get_by_label("More like this").click()
    body = sent.value.post_data
    assert 'name="from"\r\n\r\n7' in body
    assert 'name="to"\r\n\r\n9' in body
    assert 'name="moments"' in body
    expect(page.locator("#hits-title")).to_have_text("Results for long0.wav, 0:07.0-0:09.0")
    expect(page.locator(".clip-waveform")).to_have_class(re.compile("has-part"))
    expect(page.get_by_role("slider", name="Start of the part")).to_have_attribute(
        "aria-valuetext", "0:07.0"
    )


def test_a_part_of_a_clip_finds_moments(page, moments):
    page.locator("#file").set_input_files(moments.clip("clip.wav"))
    expect(page.locator("#hits-title")).to_have_text("Results for clip.wav")
    page.get_by_role("slider", name="End of the part").press("ArrowLeft")
    expect(page.locator("#hits .moment").first).to_have_text("0:07.0-0:08.5")


def test_without_the_switch_hits_are_tracks(page, moments):
    page.locator("#file").set_input_files(moments.clip("clip.wav"))
    expect(page.locator("#hits-title")).to_have_text("Results for clip.wav")
    expect(page.locator("#hits .match").first).to_contain_text("%")
    expect(page.locator("#hits .moment")).to_have_count(0)


def test_an_index_without_moments_has_no_switch(browser_page, served):
    opened(browser_page, served.url)
    browser_page.locator("#hits .row").first.get_by_label("More like this").click()
    expect(browser_page.locator("#hits .match").first).to_contain_text("%")
    expect(browser_page.locator("#moments-switch")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1280])
def test_moments_are_accessible_on_every_width(width, page, moments):
    page.set_viewport_size({"width": width, "height": 800})
    search(page, moments.clip("clip.wav"))
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#moments").focus()
    page.keyboard.press(" ")
    expect(page.locator("#moments")).not_to_be_checked()

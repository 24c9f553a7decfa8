"""The page that `audiosearch serve` shows, in a real browser: its shell, player and rows."""

import re

import pytest
from pages import choose_action, opened, play, position, row, search, titles, wait_until_played
from playwright.sync_api import expect
from screens import SCREENS, serious_violations
from served import EVIL, serving
from sounds import tone, write

VIEWS = ["find", "playlist", "map"]
WIDTHS = [1440, 1024, 390]


def queue_titles(page):
    return page.locator("#queue-list .title")


def open_queue(page):
    page.locator("#queue").click()
    expect(page.locator("#queue-panel")).to_be_visible()


# One player


def test_the_page_has_one_player_in_every_view(page):
    play(row(page, "tune1"))
    for view in VIEWS:
        page.locator(f"nav [data-view={view}]").click()
        expect(page.locator("#player")).to_be_visible()
        expect(page.locator("#now-title")).to_have_text("tune1.ogg")
        assert page.locator("audio").count() == 1
        assert not page.locator("#audio").evaluate("audio => audio.paused || audio.controls")
        assert page.locator("#player").bounding_box()["height"] == 64


@pytest.mark.parametrize("width", WIDTHS)
def test_the_player_is_at_the_bottom_and_covers_no_row(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    box = page.locator("#player").bounding_box()
    assert (box["y"] + box["height"], box["width"]) == (844, width)
    page.keyboard.press("End")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = page.locator("#hits .row").last.bounding_box()
    assert last["y"] + last["height"] <= box["y"]


def test_the_row_that_plays_is_marked(page):
    first, second = row(page, "tone0"), row(page, "tone1")
    play(first)
    expect(first).to_have_attribute("aria-current", "true")
    expect(first.locator(".play-button")).to_have_attribute("aria-label", re.compile("^Pause"))
    play(second)
    expect(first).not_to_have_attribute("aria-current", "true")
    expect(second).to_have_class(re.compile("is-playing"))
    page.locator("#play").click()
    expect(second).not_to_have_class(re.compile("is-playing"))
    expect(second).to_have_class(re.compile("is-current"))
    search(page, "tone1", 1)
    expect(row(page, "tone1")).to_have_class(re.compile("is-current"))


def test_the_list_that_a_track_was_played_in_follows(page):
    order = titles(page).all_inner_texts()
    play(page.locator("#hits .row").nth(3))
    page.locator("#next").click()
    expect(page.locator("#now-title")).to_have_text(order[4])
    page.locator("#previous").click()
    expect(page.locator("#now-title")).to_have_text(order[3])
    search(page, "hiss1", 1)
    page.locator("#next").click()
    expect(page.locator("#now-title")).to_have_text(order[4])


def test_previous_starts_a_track_again_that_has_played_for_a_while(page):
    play(row(page, "tune1"))
    page.locator("#audio").evaluate("audio => { audio.pause(); audio.currentTime = 3.5 }")
    page.locator("#previous").click()
    expect(page.locator("#now-title")).to_have_text("tune1.ogg")
    assert position(page) < 1


def test_the_next_track_is_loaded_before_the_current_one_ends(page):
    order = titles(page).all_inner_texts()
    with page.expect_request(re.compile(r"/api/tracks/\d+/audio")) as first:
        play(page.locator("#hits .row").first)
    with page.expect_request(
        lambda request: request.url.endswith("/audio") and request.url != first.value.url
    ):
        expect(page.locator("#now-title")).to_have_text(order[0])
    page.locator("#audio").evaluate("audio => audio.currentTime = audio.duration - 0.1")
    expect(page.locator("#now-title")).to_have_text(order[1])
    expect(page.locator("#audio")).to_have_js_property("paused", False)


@pytest.mark.parametrize(
    ("key", "seconds"),
    [("ArrowRight", 4.0), ("End", 4.0), ("Home", 0.0), ("ArrowLeft", 0.0)],
)
def test_the_waveform_of_the_player_is_a_slider_for_keys(page, key, seconds):
    slider = page.get_by_role("slider", name="Position")
    play(row(page, "tone0"))
    page.locator("#audio").evaluate("audio => { audio.pause(); audio.currentTime = 2 }")
    slider.press(key)
    assert position(page) == pytest.approx(seconds, abs=0.1)


def test_a_click_on_the_waveform_of_the_player_seeks(page):
    play(row(page, "tone0"))
    page.locator("#play").click()
    box = page.locator("#seek").bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
    assert position(page) == pytest.approx(3.0, abs=0.1)
    expect(page.locator("#seek")).to_have_attribute("aria-valuetext", "0:03 of 0:04")
    assert page.locator("#seek canvas").evaluate(
        "canvas => canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    )


def test_the_volume_is_kept(page):
    page.locator("#volume").fill("0.5")
    assert page.locator("#audio").evaluate("audio => audio.volume") == pytest.approx(0.25)
    page.locator("#mute").click()
    expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    page.reload()
    assert page.locator("#audio").evaluate("audio => audio.volume") == pytest.approx(0.25)


def test_a_player_without_volume_is_turned_up_by_its_button(page):
    page.locator("#volume").fill("0")
    expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    page.locator("#mute").click()
    expect(page.locator("#mute")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#audio")).to_have_js_property("volume", 1)


def test_media_keys_and_the_lock_screen_know_the_track(page):
    play(row(page, EVIL))
    session = page.evaluate(
        "[navigator.mediaSession.metadata.title, navigator.mediaSession.metadata.artist,"
        " navigator.mediaSession.playbackState]"
    )
    assert session == [EVIL, EVIL, "playing"]
    page.locator("#play").click()
    assert page.evaluate("navigator.mediaSession.playbackState") == "paused"


def test_the_queue_shows_what_comes_next(page):
    order = titles(page).all_inner_texts()
    play(page.locator("#hits .row").nth(12))
    choose_action(row(page, order[0]), "Add to queue")
    choose_action(row(page, order[1]), "Play next")
    open_queue(page)
    expect(queue_titles(page)).to_have_text([order[12], order[1], *order[13:], order[0]])
    page.locator("#queue-list li").nth(1).get_by_label("Remove").click()
    expect(queue_titles(page)).to_have_text([order[12], *order[13:], order[0]])
    page.locator("#queue-list .queue-entry").last.click()
    expect(page.locator("#now-title")).to_have_text(order[0])
    page.locator("#queue-list li").get_by_label("Remove").click()
    expect(page.locator("#now-title")).to_have_text("Nothing is playing")
    expect(page.locator("#queue-empty")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#queue-panel")).to_be_hidden()


def test_the_queue_keeps_the_focus_on_a_track_while_others_play(page):
    play(page.locator("#hits .row").first)
    open_queue(page)
    entries = page.locator("#queue-list .queue-entry")
    entries.nth(2).press("Enter")
    expect(entries.first).to_be_focused()
    entries.nth(3).focus()
    title = queue_titles(page).nth(3).inner_text()
    page.locator("#next").evaluate("button => button.click()")
    expect(page.locator("#queue-list .queue-entry:focus .title")).to_have_text(title)


def test_the_buttons_of_the_queue_are_one_line_on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    open_queue(page)
    assert page.locator(".queue-controls").bounding_box()["height"] < 2 * 44


def test_the_queue_survives_a_reload_without_playing(page):
    play(row(page, "tune2"))
    page.reload()
    expect(page.locator("#now-title")).to_have_text("tune2.ogg")
    expect(page.locator("#audio")).to_have_js_property("paused", True)
    page.locator("#play").click()
    wait_until_played(page, 0.2)


def test_the_player_finds_more_like_its_track(page):
    play(row(page, "hiss1"))
    page.locator("#like-current").click()
    expect(page.locator("#hits-title")).to_have_text("Results for hiss1.flac")


@pytest.fixture
def tone3(served):
    """The file of a track, which a test may replace."""
    path = served.folder / "music" / "tone3.wav"
    content = path.read_bytes()
    yield path
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def press_play(page, words):
    search(page, words, 1)
    page.locator("#hits .play-button").click()


def test_a_file_that_the_browser_fails_to_play_plays_as_a_copy(page, tone3):
    tone3.unlink()
    write(tone3, tone(300, 4.0), format="WAV", subtype="MS_ADPCM")
    press_play(page, "tone3")
    wait_until_played(page, 0.2)
    expect(page.locator("#toast")).to_be_hidden()


def answer_nonsense(page):
    """Let the browser get files that it can't play; only mp3 copies are what they should be."""
    page.route(
        re.compile(r"/api/(tracks|uploads)/[^/]+/audio$"),
        lambda route: route.fulfill(body=b"no audio", content_type="audio/wav"),
    )


def test_copies_seek_and_are_played_one_after_another(page):
    order = titles(page).all_inner_texts()
    answer_nonsense(page)
    play(page.locator("#hits .row").nth(2))
    wait_until_played(page, 0.2)
    assert page.locator("#audio").get_attribute("src").endswith("?format=mp3")
    slider = page.locator("#seek").bounding_box()
    page.mouse.click(slider["x"] + 0.75 * slider["width"], slider["y"] + 20)
    assert position(page) == pytest.approx(3.0, abs=0.3)
    assert page.evaluate("navigator.mediaSession.metadata.title") == order[2]
    page.locator("#audio").evaluate("audio => audio.currentTime = audio.duration - 0.1")
    expect(page.locator("#now-title")).to_have_text(order[3])
    wait_until_played(page, 0.2)
    page.locator("#next").click()
    expect(page.locator("#now-title")).to_have_text(order[4])
    wait_until_played(page, 0.2)
    expect(page.locator("#toast")).to_be_hidden()


def test_a_track_that_does_not_play_is_skipped_unless_it_was_chosen(page, tone3):
    page.allowed_faults = ["Failed to load resource"]
    order = titles(page).all_inner_texts()
    number = order.index("tone3.wav")
    tone3.unlink()
    play(page.locator("#hits .row").nth(number - 1))
    page.locator("#audio").evaluate("audio => audio.currentTime = audio.duration - 0.1")
    expect(page.locator("#now-title")).to_have_text(order[number + 1])
    wait_until_played(page, 0.2)
    expect(page.locator("#status")).to_contain_text("Can't play tone3.wav.")
    page.locator("#previous").click()
    expect(page.locator("#now-title")).to_have_text("tone3.wav")
    page.wait_for_function("() => document.querySelector('#audio').error?.code === 4")
    page.wait_for_timeout(200)
    expect(page.locator("#now-title")).to_have_text("tone3.wav")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(
            lambda path: path.write_bytes(b"RIFF no audio"), "it can't be played", id="no audio"
        ),
        pytest.param(
            lambda path: (path.unlink(), path.symlink_to("tone2.wav")),
            "was replaced: its path leads to another place",
            id="replaced",
        ),
    ],
)
def test_the_page_says_why_a_file_does_not_play(page, tone3, damage, problem):
    page.allowed_faults = ["Failed to load resource"]
    damage(tone3)
    press_play(page, "tone3")
    expect(page.locator("#status")).to_contain_text("Can't play tone3.wav.")
    expect(page.locator("#status")).to_contain_text(problem)
    expect(page.locator("#toast")).to_have_class("error")


def test_a_player_without_a_track_says_so_in_its_middle_on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    player, name = (page.locator(one).bounding_box() for one in ("#player", "#now-title"))
    assert name["y"] + name["height"] / 2 == pytest.approx(player["y"] + 32, abs=2)
    expect(page.locator("#seek")).to_be_hidden()


# Rows


@pytest.mark.parametrize("query", ["#find", "#find?track={hiss1.flac}"], ids=["tracks", "hits"])
def test_ten_rows_of_56_pixels_are_seen_at_once(page, served, query):
    page.set_viewport_size({"width": 1440, "height": 900})
    address = re.sub(r"\{(.*)\}", lambda match: str(served.ids[match[1]]), query)
    page.goto(f"{served.url}/{address}")
    expect(page.locator("#count")).to_have_text("15 tracks" if query == "#find" else "10 results")
    boxes = [page.locator("#hits .row").nth(n).bounding_box() for n in range(10)]
    assert {box["height"] for box in boxes} == {56}
    assert boxes[9]["y"] + 56 <= page.locator("#player").bounding_box()["y"]


def test_a_row_shows_names_length_and_sounds(page):
    tagged = row(page, EVIL)
    expect(tagged.locator(".title bdi")).to_have_text(EVIL)
    expect(tagged.locator(".subtitle bdi")).to_have_text(f"{EVIL} \N{EN DASH} {EVIL}")
    expect(tagged.locator(".chip bdi")).to_have_text(["Hiss", EVIL])
    untagged = row(page, "tone1")
    expect(untagged.locator(".title")).to_have_text("tone1.wav")
    expect(untagged.locator(".subtitle")).to_have_text("music")
    expect(untagged.locator(".length")).to_have_text("4.0 s")


def test_a_row_shows_its_waveform_once_it_is_known(page):
    expect(page.locator("#hits .row").first.locator("canvas")).to_have_class(re.compile("is-known"))


def test_absent_covers_are_not_requested(page):
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    page.reload()
    expect(page.locator("#hits .row").first.locator("canvas")).to_have_class(re.compile("is-known"))
    assert [url for url in requested if "/cover?" in url] == []
    hues = page.evaluate(
        "new Set([...document.querySelectorAll('#hits .cover')]"
        ".map(one => one.style.getPropertyValue('--hue'))).size"
    )
    assert hues == 2  # one for each album or folder


def test_a_similarity_is_a_percentage(page):
    row(page, "hiss1").get_by_label("More like this").click()
    expect(page.locator("#hits .match").first).to_have_text(re.compile(r"^\d{1,3} %$"))


def test_actions_of_a_row_are_in_its_menu(page):
    button = row(page, EVIL).locator("[aria-haspopup=menu]")
    button.press("Enter")
    names = page.get_by_role("menuitem").all_inner_texts()
    assert names == [
        *("More like this", "Add to queue", "Play next", "Start a playlist"),
        *("Show on map", "Go to artist", "Go to album"),
    ]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-chips li")).to_have_text([f"Album{EVIL}"])
    expect(titles(page)).to_have_text([EVIL])


def test_a_message_names_a_track_shortly(page):
    def with_long_titles(route):
        found = route.fetch().json()
        tracks = [track | {"title": "Long title " * 45} for track in found["tracks"]]
        route.fulfill(json=found | {"tracks": tracks})

    page.route("**/api/tracks?*", with_long_titles)
    search(page, "tune", 4)
    page.locator("#words").blur()  # without suggestions, which may come later
    page.locator("#hits .play-button").first.click()
    choose_action(page.locator("#hits .row").nth(1), "Add to queue")
    expect(page.locator("#status")).to_have_text(re.compile("^Added (Long title )+.{0,10}… to the"))
    assert len(page.locator("#status").inner_text()) < 90


def test_a_second_click_closes_a_menu(page):
    button = row(page, "tone1").locator("[aria-haspopup=menu]")
    button.click()
    expect(page.locator("#menu")).to_be_visible()
    button.click()
    page.wait_for_timeout(100)
    expect(page.locator("#menu")).to_be_hidden()


def test_a_menu_closes_and_returns_the_focus(page):
    button = row(page, "tone1").locator("[aria-haspopup=menu]")
    button.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#menu")).to_be_hidden()
    expect(button).to_be_focused()


def test_tags_are_shown_as_text_not_html(page, served):
    play(row(page, EVIL))
    choose_action(row(page, EVIL), "Start a playlist")
    expect(page.locator("#seeds li")).to_have_text(f"{EVIL} \N{EN DASH} {EVIL}")
    expect(page.locator("#now-title")).to_have_text(EVIL)
    page.goto(f"{served.url}/#find?track={served.ids['hiss0.flac']}")
    expect(page.locator("#hits-title")).to_have_text(f"Results for {EVIL}")
    expect(page.locator("#cards .title")).to_have_text(EVIL)
    assert page.locator("img[src=x]").count() == 0


# Keys


def test_keys_move_the_focus_and_play(page):
    rows = page.locator("#hits .row")
    page.keyboard.press("/")
    expect(page.locator("#words")).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press(" ")
    expect(rows.nth(1)).to_have_class(re.compile("is-playing"))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(rows.first).to_have_class(re.compile("is-playing"))
    page.evaluate("document.activeElement.blur()")
    for is_paused in (True, False):
        page.keyboard.press(" ")
        expect(page.locator("#audio")).to_have_js_property("paused", is_paused)


def test_every_action_of_the_find_view_has_a_place_in_the_tab_order(page):
    seen = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(22):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"words", "record", "file", "sort", "direction", "toggle-filters", "play-button"} <= seen


# Shell


def test_the_api_key_is_requested_once_and_stays_out_of_the_address(browser, served):
    with serving(served.folder, served.ids, "--api-key", "open sesame") as locked:
        page = browser.new_page()
        page.goto(f"{locked.url}/#find?words=tune")
        expect(page.locator("#key-text")).to_be_focused()
        assert serious_violations(page) == []
        page.locator("#key-text").fill("open barley")
        page.locator("#key button").click()
        expect(page.locator("#key-wrong")).to_be_visible()
        page.locator("#key-text").fill("open sesame")
        page.locator("#key button").click()
        expect(titles(page)).to_have_count(4)
        page.reload()
        expect(titles(page)).to_have_count(4)
        assert "sesame" not in page.url
        page.close()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_every_view_is_accessible(page, served, view, scheme, width):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 844})
    play(row(page, "hiss1"))
    if view == "playlist":
        choose_action(row(page, "hiss1"), "Start a playlist")
        expect(page.locator("#playlist-tracks .row").first).to_be_visible()
        if page.locator("#toggle-settings").is_visible():
            page.locator("#toggle-settings").click()
        page.locator("summary").click()
    page.locator(f"nav [data-view={view}]").click()
    if view == "map":
        expect(page.locator(".map-count")).to_have_text("15 tracks", timeout=60_000)
    if view == "find":
        page.locator("#toggle-filters").click()
        open_queue(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_violations(page) == []


@pytest.mark.parametrize("view", ["find", "playlist"])
def test_what_can_be_touched_is_at_least_44_pixels_large(browser, served, view):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = opened(context.new_page(), served.url)
    choose_action(row(page, "tone1"), "Start a playlist")
    page.goto(f"{served.url}/#{view}")
    small = page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)]
          .filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
          .map((one) => [one.id || one.className || one.textContent, one.getBoundingClientRect()])
          .filter(([, { width, height }]) => Math.min(width, height) < 44)
          .map(([name, { width, height }]) => `${name} ${width} ${height}`)""",
        "button, a, select, label.button, summary, [role=slider], "
        "input:not([type=checkbox], [type=file])",
    )
    assert small == []
    context.close()


def test_a_tap_on_a_row_plays_it(browser, served):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = opened(context.new_page(), served.url)
    row(page, "tune2").locator(".title").tap()
    expect(page.locator("#now-title")).to_have_text("tune2.ogg")
    wait_until_played(page, 0.1)
    context.close()


@pytest.mark.parametrize(("width", "font_px"), [(1440, 32), (1024, 32), (390, 24)])
def test_larger_fonts_cut_nothing_off(page, width, font_px):
    page.set_viewport_size({"width": width, "height": 844})
    page.evaluate(f"document.documentElement.style.fontSize = '{font_px}px'")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture
def large_fonts(browser, served):
    """A phone on which the browser's settings make fonts twice as large."""
    chromium = browser.browser_type.launch(
        executable_path="/usr/bin/chromium", args=["--blink-settings=defaultFontSize=32"]
    )
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    yield opened(page, served.url)
    chromium.close()


def test_fonts_of_twice_the_size_fit_on_a_phone(large_fonts, served):
    page = large_fonts
    search(page, "tune1", 1)
    page.locator("#hits .play-button").click()
    expect(page.locator("#now-title")).to_have_text("tune1.ogg")
    track = f"track={served.ids['hiss1.flac']}"
    for address in ("find", f"find?{track}", f"playlist?{track}&n=3"):
        page.goto(f"{served.url}/#{address}")
        expect(page.locator("section:not([hidden]) .row").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("#top").bounding_box()["height"] <= 2 * 56 + 1
        for button in ("#play", "#next", "#queue"):
            box = page.locator(button).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert min(box["width"], box["height"]) >= 44


def test_the_page_names_the_modules_that_it_uses(page):
    used, named = page.evaluate(
        """[performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname),
            [...document.querySelectorAll("link[rel=modulepreload]")].map(
                (link) => new URL(link.href).pathname)]"""
    )
    modules = {path for path in used if path.endswith(".js") and "/page/map" not in path}
    assert set(named) == modules


def test_the_page_without_the_map_is_small(page, served):
    page.reload()
    expect(page.locator("#hits .row").first).to_be_visible()
    sizes = page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter(({ name }) => !name.includes('/api/')).map(one => one.encodedBodySize)"
    )
    assert sum(sizes) < 150_000
    assert not [frame for frame in sizes if frame > 20_000]

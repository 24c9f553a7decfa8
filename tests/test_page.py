"""The page that `audiosearch serve` shows, in a real browser."""

import queue

import pytest
from playwright.sync_api import expect
from screens import SCREENS, serious_violations
from served import EVIL, serving
from sounds import tone, write

from audiosearch import defaults
from audiosearch.playlist_files import read_playlist

VIEWS = ["find", "playlist", "map"]


@pytest.fixture
def page(browser_page, served):
    faults = []
    browser_page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    browser_page.on("pageerror", lambda error: faults.append(str(error)))
    browser_page.goto(served.url)
    expect(browser_page.locator("#status")).to_have_text("15 tracks")
    yield browser_page
    assert faults == []


def hits(page):
    return page.locator("#hits li .name strong")


def seed(page, words):
    """Search for words that match one track, and make this track the seed of a playlist."""
    page.locator("#words").fill(words)
    expect(hits(page)).to_have_count(1)
    page.locator("#hits").get_by_text("Playlist from this").click()


def make_playlist(page, n_tracks):
    """Make a playlist of ``n_tracks`` tracks, and return the elements with their names."""
    page.locator("#playlist-form [name=n]").fill(str(n_tracks))
    page.locator("#playlist-form button[type=submit]").click()
    names = page.locator("#playlist-tracks .name strong")
    expect(names).to_have_count(n_tracks)
    return names


def wait_until_played(page, seconds):
    """Wait until the first player is past a position in seconds."""
    for _ in range(100):
        if page.evaluate("document.querySelector('#hits audio').currentTime") > seconds:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the player did not reach {seconds} s")


def test_a_chosen_file_finds_similar_tracks(page, served):
    page.locator("#file").set_input_files(served.clip("tone.wav"))
    expect(page.locator("#hits-title")).to_have_text("Most similar to tone.wav")
    expect(hits(page).first).to_contain_text("tone")
    expect(page.locator("#hits meter")).to_have_count(defaults.HITS)


def test_a_dropped_file_finds_similar_tracks(page, served):
    content = list(served.clip("hiss.flac").read_bytes())
    page.evaluate(
        """(content) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(content)], "hiss.flac"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
        }""",  # noqa: E501
        content,
    )
    expect(page.locator("#hits-title")).to_have_text("Most similar to hiss.flac")
    assert "hiss" in hits(page).first.inner_text() or EVIL in hits(page).first.inner_text()


def test_a_recording_finds_similar_tracks(page):
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(2_000)
    page.locator("#record").click()
    expect(page.locator("#hits-title")).to_have_text("Most similar to the recording")
    expect(page.locator("#hits li")).to_have_count(defaults.HITS)


def test_a_recording_can_be_discarded(page):
    page.locator("#record").click()
    expect(page.locator("#record")).to_contain_text("(1 s)")
    page.locator("#discard").click()
    expect(page.locator("#status")).to_have_text("Recording discarded.")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#hits-title")).to_have_text("Tracks")


def test_show_more_reaches_all_tracks(page, served):
    page.route("**/api/tracks?*", lambda route: route.continue_(url=fewer(route.request.url)))
    page.reload()
    for n_shown in (6, 12, 15):
        expect(page.locator("#hits li")).to_have_count(n_shown)
        if n_shown < 15:
            expect(page.locator("#status")).to_have_text(f"Showing {n_shown} of 15 tracks")
            page.locator("#more").click()
    expect(page.locator("#more")).to_be_hidden()
    assert len(set(hits(page).all_inner_texts())) == 15
    assert page.evaluate("document.activeElement === document.querySelectorAll('#hits li')[12]")


def fewer(url):
    return url.replace(f"limit={defaults.TRACKS_PER_PAGE}", "limit=6")


def test_a_file_without_audio_is_an_error(page, served):
    page.locator("#file").set_input_files(served.clip("text.mp3"))
    expect(page.locator("#status")).to_contain_text("it contains no audio that can be decoded")
    expect(page.locator("#status")).to_have_class("error")


def test_a_track_plays_from_any_position(page):
    page.locator("#words").fill("tune1")
    expect(hits(page)).to_have_count(1)
    page.locator("#hits li").focus()
    page.keyboard.press(" ")
    expect(page.locator("#hits audio")).to_have_js_property("paused", False)
    wait_until_played(page, 0.1)
    page.evaluate("document.querySelector('#hits audio').currentTime = 3")
    wait_until_played(page, 3.0)
    page.locator("#hits li").focus()
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('#hits audio').paused")


@pytest.fixture
def tone3(served):
    """The file of a track, which a test may replace."""
    path = served.folder / "music" / "tone3.wav"
    content = path.read_bytes()
    yield path
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def play_tone3(page):
    page.locator("#words").fill("tone3")
    expect(hits(page)).to_have_count(1)
    page.locator("#hits li").focus()
    page.keyboard.press(" ")


def test_a_file_that_the_browser_fails_to_play_plays_as_mp3(page, tone3):
    tone3.unlink()
    write(tone3, tone(300, 4.0), format="WAV", subtype="MS_ADPCM")
    play_tone3(page)
    wait_until_played(page, 0.2)
    expect(page.locator("#status")).not_to_have_class("error")


def test_a_file_that_cannot_be_played_at_all_is_an_error(page, tone3):
    tone3.write_bytes(b"RIFF no audio")
    play_tone3(page)
    expect(page.locator("#status")).to_contain_text("Can't play tone3.wav. Track #")
    expect(page.locator("#status")).to_contain_text("it can't be played")


PLAY_AGAIN = """() => {
  const audio = document.querySelector('#player audio');
  audio.setAttribute('src', `${audio.getAttribute('src')}?again`);
  audio.play().catch(() => {});
}"""


@pytest.mark.parametrize("is_moved", [False, True], ids=["in its list", "at the bottom"])
def test_the_page_says_why_a_file_does_not_play(page, tone3, is_moved):
    if is_moved:
        play_tone3(page)
        wait_until_played(page, 0.1)
        page.locator("#words").fill("tone2")
        expect(page.locator("#player strong")).to_have_text("tone3.wav")
    tone3.unlink()
    tone3.symlink_to("tone2.wav")
    if is_moved:
        # The browser keeps what it has of a file, so that another address is needed.
        page.evaluate(PLAY_AGAIN)
    else:
        play_tone3(page)
    expect(page.locator("#status")).to_contain_text("was replaced: its path leads to another place")
    expect(page.locator("#status")).to_contain_text("run `audiosearch add` on its folder again")
    expect(page.locator("#status")).to_have_class("error")


def test_space_pauses_the_playing_track_without_focus(page):
    players = page.locator("#hits audio")
    page.locator("#hits li").nth(3).focus()
    page.keyboard.press(" ")
    expect(players.nth(3)).to_have_js_property("paused", False)
    page.evaluate("document.activeElement.blur()")
    for paused in (True, False):
        page.keyboard.press(" ")
        expect(players.nth(3)).to_have_js_property("paused", paused)
    assert page.evaluate(N_PLAYING) == 1


N_PLAYING = "[...document.querySelectorAll('audio')].filter((one) => !one.paused).length"


def test_playback_continues_when_its_list_is_replaced_or_hidden(page):
    page.locator("#words").fill("tune1")
    expect(hits(page)).to_have_count(1)
    page.locator("#hits li").focus()
    page.keyboard.press(" ")
    wait_until_played(page, 0.2)
    page.locator("#words").fill("hiss1")
    expect(page.locator("#player strong")).to_have_text("tune1.ogg")
    expect(page.locator("#player audio")).to_have_js_property("paused", False)
    assert page.evaluate("document.querySelector('#player audio').currentTime") > 0.1
    page.locator("#hits li").first.focus()
    page.keyboard.press(" ")
    expect(page.locator("#player audio")).to_have_js_property("paused", True)
    page.get_by_role("link", name="Playlist").click()
    expect(page.locator("#player strong")).to_have_text("hiss1.flac")
    assert page.evaluate(N_PLAYING) == 1
    page.get_by_label("Close the player").click()
    expect(page.locator("#player li")).to_have_count(0)


def test_a_late_response_is_not_shown(page):
    held = queue.SimpleQueue()

    def hold(route):
        held.put(route)

    page.route("**/api/query", hold)
    page.locator("#hits").get_by_text("More like this").first.click()
    page.locator("#words").fill("tune")
    expect(hits(page)).to_have_count(4)
    held.get(timeout=10).continue_()
    page.wait_for_timeout(500)
    expect(page.locator("#hits-title")).to_have_text("Tracks matching tune")
    expect(hits(page)).to_have_count(4)


def test_defaults_and_limits_come_from_the_server(page, served):
    changed = {"hits": 3, "playlist_tracks": 4, "max_playlist_tracks": 9, "keep_seeds": False}

    def change(route):
        route.fulfill(json=route.fetch().json() | changed)

    page.route("**/api/defaults", change)
    page.reload()
    page.locator("#hits").get_by_text("More like this").first.click()
    expect(page.locator("#hits meter")).to_have_count(3)
    n_tracks = page.locator("#playlist-form [name=n]")
    expect(n_tracks).to_have_value("4")
    expect(n_tracks).to_have_attribute("max", "9")
    expect(page.locator("#playlist-form [name=seeds]")).not_to_be_checked()


def test_the_playlist_form_starts_with_the_defaults(page):
    form = page.locator("#playlist-form")
    expect(form.locator("[name=n]")).to_have_value(str(defaults.PLAYLIST_TRACKS))
    expect(form.locator("[name=artist_gap]")).to_have_value(str(defaults.ARTIST_GAP))
    expect(form.locator("[name=diversity]")).to_have_value(f"{defaults.DIVERSITY:g}")
    expect(form.locator("[name=seeds]")).to_be_checked(checked=defaults.KEEP_SEEDS)
    expect(form.locator("[name=year]")).to_have_attribute(
        "maxlength", str(defaults.MAX_RANGE_LENGTH)
    )


def test_show_more_adds_hits(page):
    page.locator("#hits").get_by_text("More like this").first.click()
    expect(page.locator("#hits li")).to_have_count(defaults.HITS)
    page.locator("#more").click()
    expect(page.locator("#hits li")).to_have_count(14)
    expect(page.locator("#more")).to_be_hidden()


@pytest.mark.parametrize(
    "saved", ["{", "[]", '{"list": 1}', '{"library": "of another", "list": 1}']
)
def test_an_unusable_saved_playlist_is_ignored(page, saved):
    page.evaluate("(saved) => sessionStorage.setItem('audiosearch.playlist', saved)", saved)
    page.reload()
    expect(page.locator("#status")).to_have_text("15 tracks")
    expect(page.locator("#playlist-count")).to_be_hidden()


def test_a_map_that_failed_is_an_error_and_is_requested_again(page):
    problem = {"error": "The index is empty.", "hint": "Add something."}
    page.route("**/api/map", lambda route: route.fulfill(status=409, json=problem))
    page.get_by_role("link", name="Map").click()
    expect(page.locator("#status")).to_have_text("The index is empty. Add something.")
    page.unroute("**/api/map")
    page.get_by_role("link", name="Find").click()
    page.get_by_role("link", name="Map").click()
    count = page.frame_locator("#map iframe").locator("#count")
    expect(count).to_have_text("15 tracks", timeout=60_000)


def test_more_like_this_finds_similar_tracks(page):
    page.locator("#words").fill("hiss1")
    expect(hits(page)).to_have_count(1)
    page.get_by_text("More like this").click()
    expect(page.locator("#hits-title")).to_have_text("Most similar to hiss1.flac")
    expect(page.locator("#hits li")).to_have_count(defaults.HITS)


@pytest.mark.parametrize("kind", ["m3u8", "xspf", "jspf"])
def test_a_playlist_is_made_reordered_and_downloaded(page, served, tmp_path, kind):
    seed(page, "hiss1")
    names = make_playlist(page, 5)
    before = names.all_inner_texts()
    page.locator("#playlist-tracks li").nth(4).drag_to(page.locator("#playlist-tracks li").nth(1))
    order = [before[0], before[4], *before[1:4]]
    expect(names).to_have_text(order)
    page.locator("#playlist-tracks li").nth(0).get_by_text("Down").click()
    page.locator("#playlist-tracks li").nth(4).get_by_text("Remove").click()
    order = [order[1], order[0], *order[2:4]]
    expect(names).to_have_text(order)
    page.locator("#download [name=format]").select_option(kind)
    with page.expect_download() as download:
        page.locator("#download button").click()
    path = tmp_path / f"list.{kind}"
    download.value.save_as(path)
    ids = [served.ids.get(name, served.ids["hiss0.flac"]) for name in order]
    by_id = {number: name for name, number in served.ids.items()}
    expected = [str(served.folder / "music" / by_id[number]) for number in ids]
    assert [entry.path for entry in read_playlist(str(path))] == expected


def test_moving_a_track_does_not_stop_playback(page):
    seed(page, "tune1")
    names = make_playlist(page, 4)
    order = names.all_inner_texts()
    page.locator("#playlist-tracks li").nth(1).focus()
    page.keyboard.press(" ")
    playing = (
        "[...document.querySelectorAll('#playlist-tracks audio')].findIndex((one) => !one.paused)"
    )
    page.wait_for_function(f"{playing} === 1")
    moves = [(1, "Up", 0), (0, "Down", 1), (2, "Up", 2), (1, "Up", 2), (2, "Down", 3)]
    for position, button, plays_at in moves:
        other = position + (1 if button == "Down" else -1)
        order[position], order[other] = order[other], order[position]
        page.locator("#playlist-tracks li").nth(position).get_by_text(button, exact=True).click()
        expect(names).to_have_text(order)
        assert page.evaluate(playing) == plays_at
        item = f"document.querySelectorAll('#playlist-tracks li')[{other}]"
        focused = f"{item}.contains(document.activeElement)"
        assert page.evaluate(focused)


def test_a_playlist_survives_a_reload(page):
    seed(page, "hiss1")
    names = make_playlist(page, 3)
    before = names.all_inner_texts()
    page.reload()
    expect(names).to_have_text(before)
    assert page.locator("#seeds").inner_text().startswith("hiss1")
    assert page.locator("#download [name=name]").input_value() == "Like hiss1"


def test_playlists_take_the_options_of_the_command_line(page, served, tmp_path):
    (tmp_path / "played.m3u8").write_bytes("C:\\Music\\hiss2.flac\r\n".encode("utf-16"))
    seed(page, "hiss1")
    page.locator("summary").click()
    page.locator("#playlist-form [name=n]").fill("15")
    page.locator("#playlist-form [name=exclude]").set_input_files(tmp_path / "played.m3u8")
    page.locator("#playlist-form [name=not_artist]").fill(f"{EVIL}; Nobody")
    page.locator("#playlist-form [name=under]").fill(str(served.folder / "music"))
    page.locator("#playlist-form [name=seconds]").fill("1..100")
    page.locator("#playlist-form [name=random_seed]").fill("3")
    page.locator("#playlist-form [name=whiten]").select_option("Never")
    page.locator("#playlist-form button[type=submit]").click()
    names = page.locator("#playlist-tracks .name strong")
    expect(names).to_have_count(13)
    assert not {"hiss2.flac", EVIL} & set(names.all_inner_texts())


def test_the_sounds_of_a_track_are_shown_as_text(page):
    page.locator("#words").fill("hiss0")
    expect(hits(page)).to_have_count(1)
    expect(page.locator("#hits .sounds")).to_have_text(f"Heard: Hiss; {EVIL}")


def test_a_lasso_on_the_map_sets_the_seeds_of_a_playlist(page):
    page.get_by_role("link", name="Map").click()
    frame = page.frame_locator("#map iframe")
    expect(frame.locator("#count")).to_have_text("15 tracks", timeout=60_000)
    frame.locator("#lasso").click()
    box = page.locator("#map iframe").bounding_box()
    corners = [(0.02, 0.2), (0.7, 0.2), (0.7, 0.97), (0.02, 0.97), (0.02, 0.2)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=10)
    page.mouse.up()
    expect(page.locator("#status")).to_contain_text("from the map. Press “Make playlist” next.")
    assert page.locator("#seeds li").count() >= 1


def test_a_click_on_the_map_plays_the_track(page, served):
    page.get_by_role("link", name="Map").click()
    frame = page.frame_locator("#map iframe")
    expect(frame.locator("#count")).to_have_text("15 tracks", timeout=60_000)
    inside = page.frames[1]
    point = inside.evaluate(
        "() => { const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;"
        " return [box.x + xaxis._offset + xaxis.l2p(data.x[0]),"
        " box.y + yaxis._offset + yaxis.l2p(data.y[0])]; }"
    )
    box = page.locator("#map iframe").bounding_box()
    page.mouse.move(box["x"] + point[0], box["y"] + point[1])
    page.mouse.click(box["x"] + point[0], box["y"] + point[1])
    expect(page.locator("#map-player audio")).to_have_js_property("paused", False)
    number = inside.evaluate("data.ids[selectedRow]")
    assert f"/tracks/{number}/" in page.locator("#map-player audio").get_attribute("src")
    nearest = frame.locator("#selected li button").first
    nearest.press("Enter")
    assert inside.evaluate("data.ids[selectedRow]") != number
    number = inside.evaluate("data.ids[selectedRow]")
    expect(page.locator("#map-player audio")).to_have_attribute(
        "src", f"/api/tracks/{number}/audio"
    )


def test_tags_are_shown_as_text_not_html(page, served):
    seed(page, "onerror")
    page.locator("#playlist-form [name=n]").fill("2")
    page.locator("#playlist-form button[type=submit]").click()
    expect(page.locator("#playlist-tracks .name strong").first).to_have_text(EVIL)
    page.locator("#playlist-tracks").get_by_text("More like this").first.click()
    expect(page.locator("#hits-title")).to_contain_text(EVIL)
    assert page.locator("img[src=x]").count() == 0


def test_keys_move_the_focus(page):
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "words"
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement === document.querySelectorAll('#hits li')[1]")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement === document.querySelectorAll('#hits li')[0]")


def test_the_api_key_is_requested_once(browser, served):
    with serving(served.folder, served.ids, "--api-key", "open sesame") as locked:
        page = browser.new_page()
        page.goto(locked.url)
        expect(page.locator("#key-text")).to_be_focused()
        assert serious_violations(page) == []
        page.locator("#key-text").fill("open barley")
        page.locator("#key button").click()
        expect(page.locator("#key-wrong")).to_be_visible()
        page.locator("#key-text").fill("open sesame")
        page.locator("#key button").click()
        expect(page.locator("#status")).to_have_text("15 tracks")
        page.reload()
        expect(page.locator("#status")).to_have_text("15 tracks")
        page.close()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_every_view_is_accessible(page, served, view, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    if view == "playlist":
        seed(page, "hiss1")
        page.locator("#playlist-form button[type=submit]").click()
        expect(page.locator("#playlist-tracks li").first).to_be_visible()
    page.goto(f"{served.url}/#{view}")
    if view == "map":
        count = page.frame_locator("#map iframe").locator("#count")
        expect(count).to_have_text("15 tracks", timeout=60_000)
    if view == "playlist":
        page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for frame in page.frames:
        assert serious_violations(frame) == []

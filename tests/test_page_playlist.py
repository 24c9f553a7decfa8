"""The tracks of a playlist on the page: removed, moved, dragged, played and downloaded."""

import re

import pytest
from pages import choose_action, play
from playlist_page import make, names, remove, show, tracks
from playwright.sync_api import expect
from served import wait_until

from audiosearch.playlist_files import read_playlist

MOUSE, FINGER = "mouse", "touch"


def test_removed_tracks_stay_out_when_the_playlist_is_made_again(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    removed = names(page)[0:2]
    remove(page, 0)
    remove(page, 0)
    expect(page.locator("#playlist-removed")).to_contain_text("2 removed tracks stay out.")
    assert make(page)["exclude_tracks"] == [served.ids[name] for name in removed]
    expect(tracks(page)).to_have_count(5)
    assert not set(removed) & set(names(page))
    page.get_by_text("Let them come back").click()
    assert make(page)["exclude_tracks"] == []
    expect(tracks(page).first).to_contain_text(removed[0])


def test_a_removed_track_comes_back_as_a_starting_track(page, served):
    show(page, served, "tune0.ogg", n=5)
    name = names(page)[1]
    remove(page, 1)
    page.locator("#add-seed").fill(name)
    page.locator("#add-seed-suggestions li").first.click()
    assert make(page)["exclude_tracks"] == []


def test_a_removed_starting_track_stays_out_when_another_one_is_added(page, served):
    show(page, served, "tune0.ogg", n=5)
    remove(page, 0)
    page.locator("#add-seed").fill("hiss3")
    page.locator("#add-seed-suggestions li").first.click()
    assert make(page)["exclude_tracks"] == [served.ids["tune0.ogg"]]


CHANGES = {
    "removing": lambda page: remove(page, 2),
    "moving": lambda page: tracks(page).nth(2).locator(".grip").press("ArrowUp"),
    "making again": lambda page: (page.locator("#playlist-n").fill("3"), make(page)),
}


@pytest.mark.parametrize("way", ["button", "key", "message"])
@pytest.mark.parametrize("change", CHANGES)
def test_changes_can_be_undone(page, served, change, way):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    before = names(page)
    CHANGES[change](page)
    expect(page.locator("#toast")).to_contain_text("Undo")
    assert names(page) != before
    if way == "key":
        page.keyboard.press("Control+z")
    else:
        page.locator({"button": "#undo", "message": "#status-action"}[way]).click()
    expect(page.locator("#status")).to_contain_text("Undone")
    assert names(page) == before
    expect(page.locator("#playlist-n")).to_have_value("5")
    expect(page.locator("#playlist-removed")).to_be_hidden()


def test_undo_goes_back_step_by_step(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    states = [names(page)]
    for position in (0, 2):
        remove(page, position)
        states.append(names(page))
    for state in states[1::-1]:
        page.keyboard.press("Control+z")
        expect(tracks(page)).to_have_count(len(state))
        assert names(page) == state


def test_moving_a_track_does_not_stop_playback(page, served):
    show(page, served, "tune0.ogg", n=4)
    expect(tracks(page)).to_have_count(4)
    order = names(page)
    play(tracks(page).nth(1))
    choose_action(tracks(page).nth(1), "Move up")
    assert names(page) == [order[1], order[0], *order[2:]]
    expect(tracks(page).first).to_be_focused()
    expect(tracks(page).first).to_have_attribute("aria-current", "true")
    expect(page.locator("#audio")).to_have_js_property("paused", False)


def test_undo_in_a_text_field_is_left_to_the_browser(page, served):
    show(page, served, "tune0.ogg", n=5)
    remove(page, 0)
    page.locator("#playlist-name").press("Control+z")
    expect(tracks(page)).to_have_count(4)


def drag(page, pointer, start, end):
    """Drag from a point to another one with a mouse or a finger."""
    steps = [
        (start[0] + (end[0] - start[0]) * n / 8, start[1] + (end[1] - start[1]) * n / 8)
        for n in range(9)
    ]
    if pointer == MOUSE:
        page.mouse.move(*start)
        page.mouse.down()
        for step in steps:
            page.mouse.move(*step)
        page.mouse.up()
        return
    touch = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(steps):
        kind_of = "touchStart" if number == 0 else "touchMove"
        touch.send("Input.dispatchTouchEvent", {"type": kind_of, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize(
    ("pointer", "part"),
    [
        pytest.param(MOUSE, ".grip", id="mouse"),
        pytest.param(MOUSE, ".name", id="mouse, anywhere"),
        pytest.param(FINGER, ".grip", id="finger"),
    ],
)
@pytest.mark.parametrize(("start", "end"), [(0, 3), (4, 1)], ids=["down", "up"])
def test_tracks_are_dragged_to_another_position(browser, served, pointer, part, start, end):
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, has_touch=pointer == FINGER
    )
    page = context.new_page()
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    before = names(page)
    handle = tracks(page).nth(start).locator(part)
    (x, _), (_, y) = middle(handle), middle(tracks(page).nth(end))
    drag(page, pointer, middle(handle), (x, y + (4 if end > start else -4)))
    expected = list(before)
    expected.insert(end, expected.pop(start))
    assert names(page) == expected
    expect(page.locator("#status")).to_contain_text(f"to position {end + 1}")
    page.locator("#undo").click()
    assert names(page) == before
    context.close()


def test_escape_ends_dragging_without_a_change(page, served):
    show(page, served, "tune0.ogg", n=5)
    before = names(page)
    page.mouse.move(*middle(tracks(page).first.locator(".grip")))
    page.mouse.down()
    page.mouse.move(*middle(tracks(page).nth(3)), steps=5)
    expect(tracks(page).first).to_have_class(re.compile("is-dragged"))
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(tracks(page).first).not_to_have_class(re.compile("is-dragged"))
    assert names(page) == before


def test_a_list_that_is_shown_while_a_row_is_dragged_stays_in_order(page, served):
    show(page, served, "tune0.ogg", n=5)
    remove(page, 4)
    page.mouse.move(*middle(tracks(page).first.locator(".grip")))
    page.mouse.down()
    page.mouse.move(*middle(tracks(page).nth(2)), steps=5)
    page.keyboard.press("Control+z")
    expect(tracks(page)).to_have_count(5)
    order = names(page)
    page.mouse.up()
    assert names(page) == order
    expect(tracks(page).first).not_to_have_class(re.compile("is-dragged"))


def test_a_finger_on_a_row_scrolls_and_does_not_drag(browser, served):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    show(page, served, "tune0.ogg")
    before, (x, y) = names(page), middle(tracks(page).nth(5).locator(".name"))
    drag(page, FINGER, (x, y), (x, y - 150))
    wait_until(lambda: page.evaluate("scrollY") > 50)
    assert names(page) == before
    context.close()


@pytest.mark.parametrize(
    ("key", "is_on_grip", "position"),
    [
        ("ArrowDown", True, 3),
        ("ArrowUp", True, 1),
        ("Alt+ArrowDown", False, 3),
        ("Alt+ArrowUp", False, 1),
    ],
)
def test_tracks_are_moved_by_keys(page, served, key, is_on_grip, position):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    name = names(page)[2]
    target = tracks(page).nth(2)
    (target.locator(".grip") if is_on_grip else target).press(key)
    assert names(page)[position] == name
    page.keyboard.press(key)
    assert names(page)[position + (1 if position == 3 else -1)] == name


def test_delete_removes_the_focused_track(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    tracks(page).nth(1).press("Delete")
    expect(tracks(page)).to_have_count(4)
    expect(tracks(page).nth(1)).to_be_focused()


# Playing


def test_play_all_and_shuffle_play_the_whole_list(page, served):
    show(page, served, "tune0.ogg")
    expect(tracks(page)).to_have_count(15)
    order = names(page)
    page.locator("#play-all").click()
    expect(page.locator("#now-title")).to_have_text(order[0])
    expect(tracks(page).first).to_have_class(re.compile("is-current"))
    page.locator("#queue").click()
    assert page.locator("#queue-list .title").all_inner_texts() == order
    page.locator("#shuffle").click()
    expect(page.locator("#queue-list .title").first).to_be_visible()
    queued = page.locator("#queue-list .title").all_inner_texts()
    assert sorted(queued) == sorted(order)
    assert queued != order
    assert names(page) == order


def test_keep_playing_goes_on_by_the_same_rules_without_repeating(page, served):
    show(page, served, "tune0.ogg", n=4, not_under="/nowhere")
    expect(tracks(page)).to_have_count(4)
    removed = names(page)[3]
    remove(page, 3)
    page.locator("#endless").check()
    page.locator("#play-all").click()
    with page.expect_request("**/api/playlist") as request:
        page.locator("#next").click()
    body = request.value.post_data_json
    assert body["unless"]["under"] == ["/nowhere"]
    assert (body["seeds"], body["tracks"]) == (False, [served.ids["tune0.ogg"]])
    expect(page.locator("#status")).to_contain_text("more tracks in the queue")
    page.locator("#queue").click()
    queued = page.evaluate(
        "JSON.parse(sessionStorage['audiosearch.queue']).value.tracks.map(({ file }) => file)"
    )
    assert len(queued) == len(set(queued)) == 13
    assert removed not in queued
    page.reload()
    expect(page.locator("#endless")).to_be_checked()


def test_keep_playing_says_when_nothing_is_left(page, served):
    show(page, served, "tune0.ogg")
    expect(tracks(page)).to_have_count(15)
    page.locator("#endless").check()
    play(tracks(page).nth(13))
    expect(page.locator("#status")).to_contain_text("No other tracks fit the settings")


def test_keep_playing_leaves_other_lists_alone(page, served):
    show(page, served, "tune0.ogg", n=2, unless="", not_under="/nowhere")
    page.locator("#endless").check()
    page.locator("nav [data-view=find]").click()
    page.locator("#words").fill("hiss3")
    expect(page.locator("#hits .row")).to_have_count(1)
    requests = []
    page.on(
        "request", lambda request: "/api/playlist" in request.url and requests.append(request.url)
    )
    play(page.locator("#hits .row").first)
    page.wait_for_timeout(300)
    assert requests == []


# Files


@pytest.mark.parametrize("suffix", ["m3u8", "xspf", "jspf", "pls"])
def test_the_playlist_is_downloaded_as_a_file(page, served, tmp_path, suffix):
    show(page, served, "tune0.ogg", n=5)
    remove(page, 1)
    page.locator("#playlist-name").fill("Rain & sea")
    page.locator("#more-of-playlist").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=f"Download as {suffix.upper()}").click()
    assert download.value.suggested_filename == f"Rain _ sea.{suffix}"
    path = tmp_path / f"a.{suffix}"
    download.value.save_as(path)
    assert [entry.path.rsplit("/", 1)[-1] for entry in read_playlist(path).entries] == files_of(
        page
    )


def files_of(page):
    return page.evaluate(
        "JSON.parse(sessionStorage['audiosearch.playlist']).value.tracks.map(({ file }) => file)"
    )


@pytest.mark.parametrize(
    "is_allowed", [True, False], ids=["clipboard", "without the clipboard of the browser"]
)
def test_paths_are_copied(browser, served, is_allowed):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    if not is_allowed:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    show(page, served, "tune0.ogg", n=3)
    page.locator("#more-of-playlist").click()
    page.get_by_role("menuitem", name="Copy paths").click()
    expect(page.locator("#status")).to_have_text("Copied 3 paths.")
    reader = context.new_page()
    reader.goto(f"{served.url}/#find")
    copied = reader.evaluate("navigator.clipboard.readText()")
    assert copied.split("\n") == [str(served.folder / "music" / name) for name in files_of(page)]
    context.close()

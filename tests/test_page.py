"""The page that `audiosearch serve` shows, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from served import EVIL, serving

from audiosearch.formats import read_playlist

VIEWS = ["find", "playlist", "map"]


@pytest.fixture
def page(browser_page, served):
    faults = []
    browser_page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    browser_page.on("pageerror", lambda error: faults.append(str(error)))
    browser_page.goto(served.url)
    expect(browser_page.locator("#status")).to_have_text("15 tracks in all")
    yield browser_page
    assert faults == []


def hits(page):
    return page.locator("#hits li .name strong")


def seed(page, words):
    """Make the track that words name the seed of a playlist."""
    page.locator("#words").fill(words)
    expect(hits(page)).to_have_count(1)
    page.locator("#hits").get_by_text("Playlist from it").click()


def until_played(page, seconds):
    """Wait until the first player is past a moment."""
    for _ in range(100):
        if page.evaluate("document.querySelector('#hits audio').currentTime") > seconds:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"nothing is played after {seconds} s")


def test_a_clip_finds_what_sounds_like_it(page, served):
    page.locator("#file").set_input_files(served.clip("tone.wav"))
    expect(page.locator("#hits-title")).to_have_text("Most like tone.wav")
    expect(hits(page).first).to_contain_text("tone")
    expect(page.locator("#hits meter")).to_have_count(10)


def test_a_dropped_clip_does_too(page, served):
    content = list(served.clip("hiss.flac").read_bytes())
    page.evaluate(
        """(content) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(content)], "hiss.flac"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
        }""",  # noqa: E501
        content,
    )
    expect(page.locator("#hits-title")).to_have_text("Most like hiss.flac")
    assert "hiss" in hits(page).first.inner_text() or EVIL in hits(page).first.inner_text()


def test_the_microphone_does_too(page):
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(2_000)
    page.locator("#record").click()
    expect(page.locator("#hits-title")).to_have_text("Most like the recording")
    expect(page.locator("#hits li")).to_have_count(10)


def test_what_is_no_sound_is_said(page, served):
    page.locator("#file").set_input_files(served.clip("text.mp3"))
    expect(page.locator("#status")).to_contain_text("it holds no sound that can be decoded")
    expect(page.locator("#status")).to_have_class("failed")


def test_a_track_plays_and_can_be_sought_in(page):
    page.locator("#words").fill("tune1")
    expect(hits(page)).to_have_count(1)
    page.locator("#hits li").focus()
    page.keyboard.press(" ")
    expect(page.locator("#hits audio")).to_have_js_property("paused", False)
    until_played(page, 0.1)
    page.evaluate("document.querySelector('#hits audio').currentTime = 3")
    until_played(page, 3.0)
    page.locator("#hits li").focus()
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('#hits audio').paused")


def test_more_like_a_track(page):
    page.locator("#words").fill("hiss1")
    expect(hits(page)).to_have_count(1)
    page.get_by_text("More like this").click()
    expect(page.locator("#hits-title")).to_have_text("Most like hiss1.flac")
    expect(page.locator("#hits li")).to_have_count(10)


@pytest.mark.parametrize("kind", ["m3u8", "xspf", "jspf"])
def test_a_playlist_is_made_put_in_order_and_downloaded(page, served, tmp_path, kind):
    seed(page, "hiss1")
    page.locator("#wanted [name=n]").fill("5")
    page.locator("#wanted button[type=submit]").click()
    names = page.locator("#list .name strong")
    expect(names).to_have_count(5)
    before = names.all_inner_texts()
    page.locator("#list li").nth(4).drag_to(page.locator("#list li").nth(1))
    order = [before[0], before[4], *before[1:4]]
    expect(names).to_have_text(order)
    page.locator("#list li").nth(0).get_by_text("Down").click()
    page.locator("#list li").nth(4).get_by_text("Remove").click()
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


def test_a_lasso_on_the_map_gives_the_seeds_of_a_playlist(page):
    page.get_by_role("link", name="Map").click()
    frame = page.frame_locator("#map iframe")
    expect(frame.locator("#found")).to_have_text("15 tracks", timeout=60_000)
    frame.locator("#lasso").click()
    box = page.locator("#map iframe").bounding_box()
    corners = [(0.02, 0.2), (0.7, 0.2), (0.7, 0.97), (0.02, 0.97), (0.02, 0.2)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=10)
    page.mouse.up()
    expect(page.locator("#status")).to_contain_text("are the seeds")
    assert page.locator("#seeds li").count() >= 1


def test_a_click_on_the_map_plays(page, served):
    page.get_by_role("link", name="Map").click()
    frame = page.frame_locator("#map iframe")
    expect(frame.locator("#found")).to_have_text("15 tracks", timeout=60_000)
    inside = page.frames[1]
    place = inside.evaluate(
        "() => { const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;"
        " return [box.x + xaxis._offset + xaxis.l2p(data.x[0]),"
        " box.y + yaxis._offset + yaxis.l2p(data.y[0])]; }"
    )
    box = page.locator("#map iframe").bounding_box()
    page.mouse.move(box["x"] + place[0], box["y"] + place[1])
    page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    expect(page.locator("#playing audio")).to_have_count(1)


def test_tags_stay_text(page, served):
    seed(page, "onerror")
    page.locator("#wanted [name=n]").fill("2")
    page.locator("#wanted button[type=submit]").click()
    expect(page.locator("#list .name strong").first).to_have_text(EVIL)
    page.locator("#list").get_by_text("More like this").first.click()
    expect(page.locator("#hits-title")).to_contain_text(EVIL)
    assert page.locator("img[src=x]").count() == 0


def test_keys_reach_everything(page):
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "words"
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement === document.querySelectorAll('#hits li')[1]")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement === document.querySelectorAll('#hits li')[0]")


def test_a_key_is_asked_for_once(browser, served):
    with serving(served.folder, served.ids, "--api-key", "open sesame") as locked:
        page = browser.new_page()
        page.goto(locked.url)
        page.locator("#key-text").fill("open barley")
        page.locator("#key button").click()
        expect(page.locator("#key-wrong")).to_be_visible()
        page.locator("#key-text").fill("open sesame")
        page.locator("#key button").click()
        expect(page.locator("#status")).to_have_text("15 tracks in all")
        page.reload()
        expect(page.locator("#status")).to_have_text("15 tracks in all")
        page.close()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_view_keeps_anyone_out(page, served, view, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    if view == "playlist":
        seed(page, "hiss1")
        page.locator("#wanted button[type=submit]").click()
        expect(page.locator("#list li").first).to_be_visible()
    page.goto(f"{served.url}/#{view}")
    if view == "map":
        found = page.frame_locator("#map iframe").locator("#found")
        expect(found).to_have_text("15 tracks", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(page).response["violations"]
    serious = [v for v in violations if v["impact"] in {"serious", "critical"}]
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in serious] == []

"""Finding tracks on the page that `audiosearch serve` shows: words, clips, filters, addresses."""

import queue
import re

import numpy as np
import pytest
from pages import DROP, choose_action, play, row, search, titles, watched
from playwright.sync_api import expect
from screens import serious_violations
from served import EVIL, serving
from sounds import tone, write

from audiosearch import Index, defaults


def cards(page):
    return page.locator("#cards .card")


def upload(page, *paths):
    page.locator("#file").set_input_files(paths)


# Words


def test_words_find_tracks_while_they_are_typed(page):
    page.locator("#words").press_sequentially("tone1")
    expect(titles(page)).to_have_text(["tone1.wav"])
    expect(page.locator("#hits-title")).to_have_text("Results for tone1")
    expect(page.locator("#count")).to_have_text("1 track")
    page.locator("#words").fill("")
    expect(page.locator("#count")).to_have_text("15 tracks")


def test_words_find_sounds(page):
    search(page, "hiss", 4)
    assert EVIL in titles(page).all_inner_texts()  # its title is not hiss, but hiss is heard in it


def test_a_late_response_is_not_shown(page):
    held = queue.SimpleQueue()
    page.route("**/api/query", lambda route: held.put(route))  # noqa: PLW0108
    row(page, "hiss1").get_by_label("More like this").click()
    search(page, "tune", 4)
    held.get(timeout=10).abort()
    page.wait_for_timeout(300)
    expect(page.locator("#hits-title")).to_have_text("Results for tune")
    expect(titles(page)).to_have_count(4)


def test_suggestions_are_chosen_with_keys(page):
    field = page.locator("#words")
    field.fill("onerr")
    options = page.locator("#words-suggestions").get_by_role("option")
    expect(options.filter(has_text="artist")).to_have_count(1)
    fields = [text.rsplit("\n", 1)[-1] for text in options.all_inner_texts()]
    steps = next(number for number, text in enumerate(fields) if "artist" in text) + 1
    for _ in range(steps):
        field.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", f"words-suggestions-{steps - 1}")
    field.press("Enter")
    expect(page.locator("#filter-chips li")).to_have_text([f"Artist{EVIL}"])
    expect(titles(page)).to_have_text([EVIL])
    expect(field).to_have_value("")


def test_escape_closes_the_suggestions(page):
    page.locator("#words").press_sequentially("tune")
    expect(page.locator("#words-suggestions")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#words-suggestions")).to_be_hidden()
    expect(titles(page)).to_have_count(4)


# Clips


def test_a_chosen_file_finds_similar_tracks_and_stays_visible(page, served):
    upload(page, served.clip("tone.wav"))
    expect(page.locator("#hits-title")).to_have_text("Results for tone.wav")
    expect(titles(page).first).to_contain_text("tone")
    expect(page.locator("#hits .match")).to_have_count(defaults.HITS)
    card = cards(page)
    expect(card.locator(".title")).to_have_text("tone.wav")
    expect(card.locator(".length")).to_have_text("3.0 s")
    card.get_by_label("Play tone.wav").click()
    expect(page.locator("#now-title")).to_have_text("tone.wav")
    expect(page.locator("#audio")).to_have_js_property("paused", False)
    card.get_by_label("Remove").click()
    expect(page.locator("#count")).to_have_text("15 tracks")
    expect(page.locator("#query-card")).to_be_hidden()


@pytest.mark.parametrize("place", ["#top", "#hits", "#player"])
def test_the_whole_window_takes_a_dropped_file(page, served, place):
    content = list(served.clip("hiss.flac").read_bytes())
    page.evaluate(DROP, [place, "hiss.flac", content])
    expect(page.locator("#hits-title")).to_have_text("Results for hiss.flac")
    expect(page.locator("#drop")).to_be_hidden()


def test_a_file_over_the_window_is_told_where_to_go(page):
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["a"], "a.wav"));
          document.body.dispatchEvent(new DragEvent("dragenter", { dataTransfer, bubbles: true }));
        }"""
    )
    expect(page.locator("#drop")).to_be_visible()


def test_a_recording_finds_similar_tracks(page):
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(2_000)
    page.locator("#record").click()
    expect(page.locator("#hits-title")).to_have_text("Results for Recording")
    expect(page.locator("#hits .row")).to_have_count(defaults.HITS)


def test_a_recording_can_be_discarded(page):
    page.locator("#record").click()
    expect(page.locator("#record")).to_contain_text(re.compile(r"\(0:0[1-9]\)"))
    page.locator("#discard").click()
    expect(page.locator("#status")).to_have_text("Recording discarded.")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#hits-title")).to_have_text("All tracks")


def test_suggestions_close_when_another_search_is_shown(page, served):
    page.locator("#words").press_sequentially("tune")
    expect(page.locator("#words-suggestions")).to_be_visible()
    page.goto(f"{served.url}/#find?words=hiss")
    expect(page.locator("#words-suggestions")).to_be_hidden()


def test_the_title_filters_and_number_of_results_are_one_line_on_a_phone(page, served):
    page.set_viewport_size({"width": 390, "height": 844})
    for query in (f"track={served.ids['hiss1.flac']}", "words=tune"):
        page.goto(f"{served.url}/#find?{query}")
        expect(page.locator("#hits .row").first).to_be_visible()
        expect(page.locator("#count")).not_to_have_text("15 tracks")
        assert page.locator(".results-bar").bounding_box()["height"] < 2 * 44


def test_clips_have_large_waveforms(page, served):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(
        f"{served.url}/#find?track={served.ids['hiss1.flac']}&track={served.ids['tone1.wav']}"
    )
    expect(page.locator(".card .clip-waveform")).to_have_count(2)
    for waveform in page.locator(".card .clip-waveform").all():
        assert waveform.bounding_box()["width"] > 400


def test_several_clips_are_like_and_unlike(page, served):
    upload(page, served.clip("tone.wav"), served.clip("hiss.flac"))
    expect(page.locator("#hits-title")).to_have_text("Results for 2 clips")
    choose_action(page.locator("#hits .row").last, "Less like this")
    expect(cards(page)).to_have_count(3)
    with page.expect_request("**/api/query") as sent:
        cards(page).nth(1).get_by_role("button", name="More like this").click()
    body = sent.value.post_data
    ids = re.findall(r'name="(upload|unlike_upload|unlike)"', body)
    assert sorted(ids) == ["unlike", "unlike_upload", "upload"]
    expect(cards(page).nth(1)).to_have_class(re.compile("is-unlike"))
    cards(page).first.get_by_label("Remove").click()
    # Nothing would be left to be like.
    expect(page.locator(".card.is-unlike")).to_have_count(0)


def test_a_clip_can_be_added_to_a_search(page, served):
    row(page, "hiss1").get_by_label("More like this").click()
    expect(cards(page)).to_have_count(1)
    page.locator("#added-file").set_input_files(served.clip("tone.wav"))
    expect(cards(page).locator(".title")).to_have_text(["hiss1.flac", "tone.wav"])


def test_a_file_without_audio_is_an_error(page, served):
    page.allowed_faults = ["Failed to load resource"]
    upload(page, served.clip("text.mp3"))
    expect(page.locator("#toast")).to_have_class("error")
    sentence = re.compile(r"^text\.mp3: it contains no audio that can be decoded\. [A-Z]")
    expect(page.locator("#status")).to_have_text(sentence)
    expect(page.locator("#count")).to_have_text("15 tracks")


def test_an_error_stays_while_other_tasks_succeed(page, served):
    page.allowed_faults = ["Failed to load resource"]
    upload(page, served.clip("text.mp3"), served.clip("tone.wav"))
    expect(page.locator("#hits-title")).to_have_text("Results for tone.wav")
    expect(page.locator("#hits .row")).to_have_count(defaults.HITS)
    expect(page.locator("#status")).to_contain_text("text.mp3: ")
    expect(page.locator("#toast")).to_have_class("error")
    page.locator("#close-status").click()
    expect(page.locator("#toast")).to_be_hidden()


def test_a_clip_may_have_any_name(page, served):
    name = "\N{MUSICAL NOTE}" * 250
    content = served.clip("tone.wav").read_bytes()
    clip = {"name": name, "mimeType": "audio/wav", "buffer": content}
    page.locator("#file").set_input_files([clip])
    expect(page.locator("#hits-title")).to_have_text(f"Results for {name[:200]}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_bar_of_a_busy_page_makes_it_no_wider(page, served):
    width_at = """share => {
      document.body.setAttribute("aria-busy", "true");
      const [animation] = document.getElementById("top").getAnimations({ subtree: true });
      const { delay, duration } = animation.effect.getTiming();
      animation.pause();
      animation.currentTime = delay + share * duration;
      return document.documentElement.scrollWidth;
    }"""
    assert {page.evaluate(width_at, share) for share in (0.0, 0.5, 0.99)} == {1280}


def test_more_clips_than_a_search_takes_are_refused_before_they_are_sent(page, served):
    upload(page, *[served.clip("tone.wav")] * (defaults.MAX_QUERY_FILES + 1))
    expect(page.locator("#status")).to_have_text("A search takes at most 10 clips.")
    expect(page.locator("#uploads li")).to_have_count(0)


def test_a_file_dropped_on_another_view_is_searched_with(page, served):
    page.locator("nav [data-view=playlist]").click()
    content = list(served.clip("hiss.flac").read_bytes())
    page.evaluate(DROP, ["#playlist", "hiss.flac", content])
    expect(page.locator("#hits-title")).to_have_text("Results for hiss.flac")
    expect(page.locator("#find")).to_be_visible()


@pytest.fixture
def without_clips(page):
    """A page whose server can't embed clips; and a function that lets the server find its model."""
    reason = "The server can't embed clips: the model is not on this machine. Fetch it."
    problems = {"clips": False, "clips_problem": reason}
    page.route("**/api/health", lambda route: route.fulfill(json=route.fetch().json() | problems))
    page.reload()
    expect(page.locator("#record")).to_have_attribute("aria-disabled", "true")
    return reason, lambda: problems.update(clips=True, clips_problem="")


@pytest.mark.parametrize("place", ["#record", "label:has(#file)", "drop"])
def test_without_its_model_the_page_says_why_clips_cannot_be_used(
    page, served, without_clips, place
):
    reason, find_model = without_clips
    sent = []
    page.on("request", lambda request: sent.append(request.url))

    def use():
        if place == "drop":
            page.evaluate(DROP, ["#top", "a.wav", list(served.clip("tone.wav").read_bytes())])
        else:
            page.locator(place).click(force=True)

    use()
    expect(page.locator("#status")).to_have_text(reason)
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "false")
    assert not [url for url in sent if "/api/uploads" in url]
    assert serious_violations(page) == []
    find_model()
    use()
    expect(page.locator("#record")).to_have_attribute("aria-disabled", "false")


def test_an_upload_shows_its_progress_and_can_be_canceled(page, tmp_path):
    path = tmp_path / "long.wav"
    write(path, np.tile(tone(300, 10.0), 60))
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2**20}
    network.send("Network.emulateNetworkConditions", slow)
    upload(page, path)
    progress = page.get_by_role("progressbar", name="Upload of long.wav")
    expect(progress).to_be_visible()
    expect(page.locator("#uploads .subtitle")).to_have_text(re.compile(r"Uploading … \d+ %"))
    page.get_by_label("Cancel the upload of long.wav").click()
    expect(progress).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Upload canceled.")
    expect(page.locator("#count")).to_have_text("15 tracks")


def test_a_part_of_a_clip_is_chosen_by_dragging_or_with_keys(page, served):
    upload(page, served.clip("tone.wav"))
    expect(page.locator("#hits-title")).to_have_text("Results for tone.wav")
    box = page.locator(".clip-waveform").bounding_box()
    y = box["y"] + box["height"] / 2
    with page.expect_request("**/api/query") as sent:
        page.mouse.move(box["x"] + box["width"] / 3, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 2 / 3, y, steps=4)
        page.mouse.up()
    assert re.search(r'name="from"\r\n\r\n(0\.9|1\b|1\.0)', sent.value.post_data)
    assert re.search(r'name="to"\r\n\r\n(1\.9|2\b|2\.0)', sent.value.post_data)
    expect(page.locator("#hits-title")).to_have_text(
        re.compile(r"Results for tone\.wav, 0:0(0\.9|1\.0)-0:0(1\.9|2\.0)")
    )
    end = page.get_by_role("slider", name="End of the part")
    with page.expect_request("**/api/query") as sent:
        end.press("ArrowRight")
    assert re.search(r'name="to"\r\n\r\n2\.[45]', sent.value.post_data)
    expect(end).to_have_attribute("aria-valuetext", re.compile(r"0:02\.[45]"))


def test_a_part_may_reach_to_the_end_of_a_clip(page, tmp_path):
    write(tmp_path / "odd.wav", tone(300, 2.9969))
    upload(page, tmp_path / "odd.wav")
    expect(page.locator("#hits-title")).to_have_text("Results for odd.wav")
    start = page.get_by_role("slider", name="Start of the part")
    start.press("ArrowRight")
    expect(page.locator("#hits-title")).to_have_text("Results for odd.wav, 0:00.5-0:03.0")
    expect(page.locator("#hits .row")).to_have_count(defaults.HITS)


def test_the_controls_of_a_clip_keep_the_focus(page, served):
    upload(page, served.clip("tone.wav"))
    expect(page.locator("#hits-title")).to_have_text("Results for tone.wav")
    page.get_by_role("slider", name="Start of the part").focus()
    for start in ("0.5", "1.0", "1.5"):
        page.keyboard.press("ArrowRight")
        expect(page.locator("#hits-title")).to_have_text(f"Results for tone.wav, 0:0{start}-0:03.0")
    page.locator("#added-file").set_input_files(served.clip("hiss.flac"))
    expect(cards(page)).to_have_count(2)
    like = cards(page).last.locator(".like")
    like.focus()
    for text in ("Less like this", "More like this"):
        page.keyboard.press("Enter")
        expect(like).to_have_text(text)
        expect(like).to_be_focused()


def test_no_part_of_several_clips_can_be_chosen(page, served):
    upload(page, served.clip("tone.wav"), served.clip("hiss.flac"))
    expect(page.locator("#hits-title")).to_have_text("Results for 2 clips")
    waveform = page.locator(".clip-waveform").first
    box = waveform.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 20, steps=3)
    page.mouse.up()
    expect(waveform).not_to_have_class(re.compile("has-part"))


# Results


def test_a_search_that_failed_can_be_tried_again(page):
    page.allowed_faults = ["Failed to load resource"]
    page.route("**/api/tracks?*", lambda route: route.abort())
    page.locator("#words").fill("tune")
    expect(page.locator("#empty strong")).to_have_text("The search failed")
    expect(page.locator("#hits .row")).to_have_count(0)
    expect(page.locator("#status")).to_contain_text("The server doesn't answer.")
    page.unroute("**/api/tracks?*")
    page.get_by_role("button", name="Try again").click()
    expect(titles(page)).to_have_count(4)
    expect(page.locator("#empty")).to_be_hidden()


def test_a_page_of_a_list_that_failed_can_be_loaded_again(page):
    page.allowed_faults = ["Failed to load resource"]
    has_failed = []

    def answer(route):
        if "offset=0" not in route.request.url and not has_failed:
            has_failed.append(True)
            return route.abort()
        limited = route.request.url.replace(f"limit={defaults.TRACKS_PER_PAGE}", "limit=6")
        return route.continue_(url=limited)

    page.route("**/api/tracks?*", answer)
    page.reload()
    expect(page.locator("#status")).to_contain_text("The server doesn't answer.")
    expect(page.locator("#hits .row")).to_have_count(6)
    page.locator("#more").click()
    expect(page.locator("#hits .row")).to_have_count(15)


@pytest.mark.parametrize(
    ("similarities", "matches", "shown"),
    [
        pytest.param([0.9, 0.8, 0.2], [None] * 3, ["90 %", "80 %", "20 %"], id="tracks"),
        pytest.param([0.5, 0.9, 0.4], [0.3, None, 0.1], ["90 %", "90 %", "40 %"], id="a match"),
        pytest.param([0.5, 0.7, 0.4], [0.9, 0.6, None], ["90 %", "70 %", "40 %"], id="matches"),
    ],
)
def test_no_hit_shows_less_than_those_after_it(page, similarities, matches, shown):
    def answer(route):
        hits = route.fetch().json()["hits"][: len(shown)]
        for hit, similarity, match in zip(hits, similarities, matches, strict=True):
            hit |= {"similarity": similarity, "match": match, "start": 0.0, "end": 1.0}
        route.fulfill(json={"hits": hits, "warnings": []})

    page.route("**/api/query", answer)
    row(page, "hiss1").get_by_label("More like this").click()
    expect(page.locator("#hits .match")).to_have_text(shown)


def test_warnings_about_clips_are_sentences(page):
    def with_warnings(route):
        route.fulfill(
            json=route.fetch().json() | {"warnings": ["clip.wav: too long", "Cut short."]}
        )

    page.route("**/api/query", with_warnings)
    row(page, "tone1").get_by_label("More like this").click()
    expect(page.locator("#status")).to_have_text("clip.wav: too long. Cut short.")


def test_more_tracks_are_listed_while_scrolling(page, served):
    page.route(
        "**/api/tracks?*",
        lambda route: route.continue_(
            url=route.request.url.replace(f"limit={defaults.TRACKS_PER_PAGE}", "limit=6")
        ),
    )
    page.reload()
    expect(page.locator("#hits .row")).to_have_count(15)
    expect(page.locator("#more")).to_be_hidden()
    assert len(set(titles(page).all_inner_texts())) == 15


def test_more_hits_are_shown_when_asked_for(page):
    row(page, "hiss1").get_by_label("More like this").click()
    expect(page.locator("#hits .match")).to_have_count(defaults.HITS)
    page.locator("#more").press("Enter")
    expect(page.locator("#hits .row")).to_have_count(14)
    expect(page.locator("#more")).to_be_hidden()
    expect(page.locator("#hits .row").nth(defaults.HITS)).to_be_focused()


def test_without_results_the_page_says_what_to_do(page):
    search(page, "xyzzy", 0)
    expect(page.locator("#empty strong")).to_have_text("No results for xyzzy")
    page.locator("#empty button").click()
    expect(page.locator("#count")).to_have_text("15 tracks")
    expect(page.locator("#empty")).to_be_hidden()


def test_an_index_without_tracks_says_how_to_add_some(browser_page, served, tmp_path):
    with Index(served.folder / "index") as full:
        Index(tmp_path / "index", spec=full.spec).close()
    with serving(tmp_path, {}) as empty, watched(browser_page):
        browser_page.goto(empty.url)
        expect(browser_page.locator("#empty strong")).to_have_text("There are no tracks yet")
        expect(browser_page.locator("#empty code")).to_contain_text("audiosearch add")


def test_defaults_and_limits_come_from_the_server(page, served):
    changed = {"hits": 3, "playlist_tracks": 4, "max_playlist_tracks": 9, "keep_seeds": False}
    page.route("**/api/defaults", lambda route: route.fulfill(json=route.fetch().json() | changed))
    page.reload()
    row(page, "hiss1").get_by_label("More like this").click()
    expect(page.locator("#hits .match")).to_have_count(3)
    n_tracks = page.locator("#playlist-form [name=n]")
    expect(n_tracks).to_have_value("4")
    expect(n_tracks).to_have_attribute("max", "9")


# Filters and order


@pytest.mark.parametrize(
    ("name", "text", "n_tracks"),
    [
        pytest.param("sound", "Hiss", None, id="sound"),
        pytest.param("artist", EVIL, 1, id="artist"),
        pytest.param("seconds", "0:05-1:00", 0, id="length"),
        pytest.param("seconds", "1-5", 15, id="length in seconds"),
        pytest.param("year", "1990-1999", 0, id="years"),
    ],
)
def test_filters_narrow_a_list(page, name, text, n_tracks):
    page.locator("#toggle-filters").click()
    field = page.locator(f"#filters [name={name}]")
    field.fill(text)
    field.press("Enter")
    expect(page.locator("#filter-chips li")).to_have_count(1)
    expect(page.locator("#filter-count")).to_have_text("1")
    if n_tracks is not None:
        expect(titles(page)).to_have_count(n_tracks)
    page.get_by_label("Remove the filter").click()
    expect(titles(page)).to_have_count(15)


def test_a_filter_has_suggestions_from_the_library(page):
    page.locator("#toggle-filters").click()
    page.locator("#filters [name=artist]").press_sequentially("oner")
    page.locator("#filter-artist-suggestions").get_by_role("option").click()
    expect(page.locator("#filter-chips bdi")).to_have_text([EVIL])


def test_a_folder_is_suggested_and_chosen_by_its_name(page):
    page.locator("#toggle-filters").click()
    page.locator("#filters [name=folder]").press_sequentially("mus")
    page.locator("#filter-folder-suggestions").get_by_role("option").click()
    expect(page.locator("#filter-chips li")).to_have_text(["Foldermusic"])
    expect(page.locator("#count")).to_have_text("15 tracks")
    page.get_by_label("Remove the filter").click()
    page.locator("#filters [name=folder]").fill("usic")
    page.locator("#filters [name=folder]").press("Enter")
    expect(page.locator("#hits .row")).to_have_count(0)


def test_enter_that_ends_the_input_of_a_word_adds_no_filter(page):
    page.locator("#toggle-filters").click()
    field = page.locator("#filters [name=artist]")
    field.fill("だい")
    field.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    expect(field).to_have_value("だい")
    expect(page.locator("#filter-chips li")).to_have_count(0)


def test_what_is_typed_into_a_filter_counts_once_it_is_chosen(page):
    page.locator("#toggle-filters").click()
    field = page.locator("#filters [name=artist]")
    field.press_sequentially("onerr")
    expect(page.locator("#filter-artist-suggestions").get_by_role("option")).to_have_count(1)
    page.locator("#filters [name=album]").focus()
    expect(page.locator("#filter-chips li")).to_have_count(0)
    field.fill("onerro")
    expect(page.locator("#filter-artist-suggestions").get_by_role("option")).to_have_count(1)
    field.press("Enter")
    expect(page.locator("#filter-chips bdi")).to_have_text([EVIL])


def test_a_length_follows_the_address(page):
    page.locator("#toggle-filters").click()
    field = page.locator("#filters [name=seconds]")
    field.fill("0:01-0:05")
    field.press("Enter")
    expect(page.locator("#filter-chips li")).to_have_count(1)
    page.evaluate("history.back()")
    expect(page.locator("#filter-chips li")).to_have_count(0)
    expect(field).to_have_value("")


@pytest.mark.parametrize(
    ("typed", "shown"), [("0:30-1:05:00", "0:30-1:05:00"), ("90", "1:30"), ("0.5-", "0.5-")]
)
def test_a_length_is_shown_as_a_time(page, typed, shown):
    page.locator("#toggle-filters").click()
    field = page.locator("#filters [name=seconds]")
    field.fill(typed)
    field.press("Enter")
    expect(page.locator("#filter-chips bdi")).to_have_text([shown])


@pytest.mark.parametrize("text", ["nineties", "1999-1990", "-"])
def test_years_that_are_no_range_are_explained_beside_the_field(page, text):
    page.locator("#toggle-filters").click()
    field = page.locator("#filters [name=year]")
    field.fill(text)
    field.press("Enter")
    expect(page.get_by_text("Enter years like 1990-1999")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#filter-chips li")).to_have_count(0)


def test_what_is_no_range_is_cleared_with_the_filters(page):
    page.locator("#toggle-filters").click()
    field = page.locator("#filters [name=year]")
    field.fill("nineties")
    field.press("Enter")
    page.locator("#clear-filters").click()
    expect(field).to_have_value("")
    expect(page.get_by_text("Enter years like 1990-1999")).to_be_hidden()


def test_filters_apply_to_clips_too(page):
    row(page, "tone1").get_by_label("More like this").click()
    expect(titles(page)).to_have_count(defaults.HITS)
    page.locator("#toggle-filters").click()
    page.locator("#filters [name=artist]").fill(EVIL)
    page.locator("#filters [name=artist]").press("Enter")
    expect(titles(page)).to_have_text([EVIL])
    expect(cards(page)).to_have_count(1)


def test_a_list_is_sorted(page):
    before = titles(page).all_inner_texts()
    page.locator("#direction").click()
    expect(page.locator("#direction")).to_have_attribute("aria-pressed", "true")
    expect(titles(page)).to_have_text(before[::-1])
    page.locator("#sort").select_option("title")
    expect(page.locator("#direction")).to_have_attribute("aria-pressed", "false")
    expect(titles(page)).to_have_text(sorted(before))


# Addresses


def test_a_search_is_in_the_address(page, served, browser):
    search(page, "tune", 4)
    page.locator("#sort").select_option("seconds")
    expect(page).to_have_url(f"{served.url}/#find?words=tune&sort=seconds")
    page.reload()
    expect(titles(page)).to_have_count(4)
    expect(page.locator("#words")).to_have_value("tune")
    other = browser.new_page()
    other.goto(page.url)
    expect(titles(other)).to_have_count(4)
    expect(other.locator("#sort")).to_have_value("seconds")
    other.close()


def test_back_returns_to_the_search_before(page, served):
    page.locator("#words").press_sequentially("tune")
    expect(titles(page)).to_have_count(4)
    row(page, "tune1").get_by_label("More like this").click()
    expect(page.locator("#hits-title")).to_have_text("Results for tune1.ogg")
    page.locator("nav [data-view=playlist]").click()
    page.go_back()
    expect(page.locator("#hits-title")).to_have_text("Results for tune1.ogg")
    page.go_back()
    expect(page.locator("#hits-title")).to_have_text("Results for tune")
    expect(page.locator("#words")).to_have_value("tune")
    page.go_back()
    expect(page.locator("#hits-title")).to_have_text("All tracks")
    page.go_forward()
    expect(titles(page)).to_have_count(4)


def test_a_view_is_left_and_found_as_it_was(page):
    search(page, "tune", 4)
    page.locator("nav [data-view=playlist]").click()
    page.locator("nav [data-view=find]").click()
    expect(page.locator("#words")).to_have_value("tune")
    expect(titles(page)).to_have_count(4)
    page.locator(".brand").click()
    expect(page.locator("#count")).to_have_text("15 tracks")


def test_back_returns_to_the_same_place_of_a_list(page):
    page.set_viewport_size({"width": 1280, "height": 500})
    page.evaluate("scrollTo(0, 300)")
    page.wait_for_timeout(300)  # the place is kept a moment after scrolling
    page.locator("#hits .row").nth(7).get_by_label("More like this").click()
    expect(page.locator("#query-card")).to_be_visible()
    page.go_back()
    expect(page.locator("#count")).to_have_text("15 tracks")
    page.wait_for_function("() => scrollY === 300")


def test_an_upload_survives_a_reload_but_not_its_end(page, served):
    page.allowed_faults = ["Failed to load resource"]
    upload(page, served.clip("hiss.flac"))
    expect(page.locator("#hits-title")).to_have_text("Results for hiss.flac")
    before = titles(page).all_inner_texts()
    page.reload()
    expect(titles(page)).to_have_text(before)
    expect(cards(page).locator(".title")).to_have_text("hiss.flac")
    page.goto(f"{served.url}/#find?upload=gone")
    expect(cards(page).locator(".title")).to_have_text("This clip is gone")
    cards(page).get_by_label("Remove").click()
    expect(page.locator("#count")).to_have_text("15 tracks")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "#",
            "#nowhere",
            "#find?track=x",
            "#find?track=1&from=x",
            "#find?words=tune&track=1",
            "#find?words=%ff",
            "#find?sort=",
        ),
        *("#playlist?track=x&n=many", "#playlist?track=999999", "#find?nothing=3"),
    ],
)
def test_an_unusable_address_shows_a_usable_page(browser_page, served, address):
    with watched(browser_page):
        browser_page.goto(f"{served.url}/{address}")
        browser_page.wait_for_timeout(300)
        browser_page.locator(".brand").click()
        expect(browser_page.locator("#count")).to_have_text("15 tracks")


def test_a_track_keeps_playing_through_all_searches(page):
    play(row(page, "tune1"))
    search(page, "hiss1", 1)
    expect(page.locator("#now-title")).to_have_text("tune1.ogg")
    expect(page.locator("#audio")).to_have_js_property("paused", False)

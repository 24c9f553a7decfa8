"""Settings of a playlist on the page, in a real browser."""

import re

import pytest
from pages import choose_action, row
from playlist_page import kind, make, names, problem, show, tracks
from playwright.sync_api import expect

from audiosearch import defaults


def test_the_settings_start_with_the_defaults(page):
    form = page.locator("#playlist-form")
    expect(form.locator("[name=n]")).to_have_value(str(defaults.PLAYLIST_TRACKS))
    expect(form.locator("[name=artist_gap]")).to_have_value(str(defaults.ARTIST_GAP))
    expect(form.locator("[name=diversity]")).to_have_value(f"{defaults.DIVERSITY:g}")
    expect(form.locator("[name=seeds]")).to_be_checked(checked=defaults.KEEP_SEEDS)
    expect(form.locator("[name=year]")).to_have_attribute(
        "maxlength", str(defaults.MAX_RANGE_LENGTH)
    )


def test_a_track_is_added_by_its_name_and_the_playlist_is_made_at_once(page):
    page.locator("nav [data-view=playlist]").click()
    expect(page.locator("#playlist-empty")).to_be_visible()
    page.get_by_role("combobox", name="Add a track").fill("tun")
    expect(page.locator("#add-seed-suggestions li")).to_have_count(4)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#seeds li")).to_have_count(1)
    expect(tracks(page)).to_have_count(15)
    assert names(page)[0].startswith("tune")
    expect(page.locator("#playlist-name")).to_have_value(re.compile("^Like tune"))
    expect(page.locator("#playlist-length")).to_have_text("15 tracks · 1:00")


def test_enter_takes_the_first_suggestion_even_before_it_is_shown(page):
    page.locator("nav [data-view=playlist]").click()
    field = page.get_by_role("combobox", name="Add a track")
    field.fill("tune2")
    field.press("Enter")
    expect(page.locator("#seeds li")).to_have_text(["tune2.ogg"])
    expect(field).to_have_value("")


def test_start_a_playlist_beside_a_track_makes_one(page):
    choose_action(row(page, "hiss1"), "Start a playlist")
    expect(tracks(page)).to_have_count(15)
    page.locator("nav [data-view=find]").click()
    choose_action(row(page, "tone1"), "Start a playlist")
    expect(page.locator("#seeds li")).to_have_text(["hiss1.flac", "tone1.wav"])
    assert names(page)[0] == "hiss1.flac"
    assert make(page)["tracks"] == [int(one) for one in re.findall(r"track=(\d+)", page.url)]


def test_a_selection_of_tracks_takes_the_place_of_the_playlist(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    page.locator("nav [data-view=find]").click()
    page.evaluate(
        """async (ids) => {
          const { startPlaylist } = await import("/page/playlist/seeds.js");
          const query = new URLSearchParams(ids.map((id) => ["id", id]));
          startPlaylist((await (await fetch(`/api/tracks?${query}`)).json()).tracks);
        }""",
        [served.ids["hiss1.flac"], served.ids["hiss2.flac"]],
    )
    expect(tracks(page).first).to_contain_text("hiss1.flac")
    expect(page.locator("#seeds li")).to_have_text(["hiss1.flac", "hiss2.flac"])
    page.locator("#undo").click()
    expect(tracks(page).first).to_contain_text("tune0.ogg")
    expect(page.locator("#seeds li")).to_have_text(["tune0.ogg"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("Similar", {"strategy": "similar"}, id="similar"),
        pytest.param("Drift", {"strategy": "drift"}, id="drift"),
        pytest.param("Journey", {"strategy": "path"}, id="journey"),
    ],
)
def test_each_kind_is_one_choice_with_a_drawing_and_a_line_of_help(page, served, name, expected):
    show(page, served, "low.mp3", "tone1.wav", "hiss1.flac")
    kind(page, name).check()
    expect(page.locator(".kinds label").filter(has_text=name).locator("svg")).to_be_visible()
    expect(page.locator("#kind-help")).not_to_be_empty()
    request = make(page)
    assert request.items() >= expected.items()
    if name == "Journey":
        ids = [served.ids[one] for one in ("low.mp3", "tone1.wav", "hiss1.flac")]
        assert (request["tracks"], request["via"], request["to"]) == (ids[:1], ids[1:2], ids[2])
        expect(page.locator("#playlist-name")).to_have_value(re.compile("^From low"))
        assert (names(page)[0], names(page)[-1]) == ("low.mp3", "hiss1.flac")


def test_a_journey_can_be_reversed(page, served):
    show(page, served, "low.mp3", "hiss1.flac", kind="journey")
    page.get_by_text("Reverse the journey").click()
    make(page)
    expect(tracks(page).first).to_contain_text("hiss1.flac")


@pytest.mark.parametrize(
    ("field", "bad", "good", "message"),
    [
        pytest.param("year", "nineties", "1990-1999", "Enter years like 1990-1999.", id="years"),
        pytest.param(
            "year",
            "1999-1990",
            "1990..1999",
            "Enter years like 1990-1999.",
            id="years the wrong way",
        ),
        pytest.param(
            "not_year", "x", "-1989", "Enter years like 1990-1999.", id="years to leave out"
        ),
        pytest.param("seconds", "long", "0:30-5:00", "Enter a length like 1:00-5:00.", id="length"),
        pytest.param(
            "max_per_artist", "0", "2", "Enter a whole number from 1 to 1,000.", id="per artist"
        ),
        pytest.param("artist_gap", "", "2", "Enter a whole number from 0 to 1,000.", id="gap"),
        pytest.param(
            "random_seed", "-1", "7", "Enter a whole number, 0 or more.", id="random seed"
        ),
    ],
)
def test_a_problem_is_shown_beside_its_field_while_typing(page, served, field, bad, good, message):
    show(page, served, "tune0.ogg")
    page.locator("summary").click()
    page.locator(f"#playlist-{field}").fill(bad)
    expect(problem(page, field)).to_have_text(message)
    page.locator("summary").click()
    page.locator("#make").click()
    expect(page.locator(f"#playlist-{field}")).to_be_focused()
    page.locator(f"#playlist-{field}").fill(good)
    expect(problem(page, field)).to_be_hidden()


@pytest.mark.parametrize(
    ("unit", "bad"), [("Tracks", "0"), ("Tracks", "1001"), ("Tracks", ""), ("Minutes", "0")]
)
def test_a_wrong_length_is_reported_beside_it(page, served, unit, bad):
    show(page, served, "tune0.ogg")
    page.get_by_role("radio", name=unit).check()
    page.locator(".length-setting input:visible:not([type=radio])").fill(bad)
    expect(page.locator("#length-problem")).to_contain_text("Enter a")
    page.locator("#make").click()
    assert len(names(page)) == 15


def test_a_journey_needs_two_starting_tracks(page, served):
    show(page, served, "tune0.ogg")
    kind(page, "Journey").check()
    expect(page.locator("#seeds-problem")).to_have_text(
        "A journey needs at least two starting tracks. Add another one."
    )
    page.locator("#make").click()
    expect(page.locator("#add-seed")).to_be_focused()
    page.locator("#add-seed").fill("hiss1")
    page.locator("#add-seed-suggestions li").first.click()
    expect(page.locator("#seeds-problem")).to_be_hidden()
    assert make(page)["to"] == served.ids["hiss1.flac"]


def test_a_playlist_needs_a_starting_track(page):
    page.locator("nav [data-view=playlist]").click()
    page.locator("#make").click()
    expect(page.locator("#seeds-problem")).to_have_text(
        "Add a track that the playlist should sound like."
    )
    expect(page.locator("#add-seed")).to_be_focused()


def test_the_length_is_in_tracks_or_minutes(page, served):
    show(page, served, "tune0.ogg", n=5)
    expect(tracks(page)).to_have_count(5)
    page.get_by_role("radio", name="Minutes").check()
    expect(page.locator("#playlist-n")).to_be_hidden()
    page.locator("#playlist-minutes").fill("0.5")
    expect(page.locator("#length-problem")).to_be_visible()
    page.locator("#playlist-minutes").fill("1")
    request = make(page)
    assert request["minutes"] == 1
    assert "n" not in request
    page.get_by_role("radio", name="Tracks").check()
    assert make(page)["n"] == 5


@pytest.mark.parametrize(
    ("action", "field"),
    [
        *[
            pytest.param(lambda page: kind(page, "Journey").check(), field, id=f"journey, {field}")
            for field in ("diversity", "vary", "random_seed", "seeds", "whiten")
        ],
        pytest.param(
            lambda page: page.locator("#playlist-max_per_artist").fill("1"),
            "artist_gap",
            id="one song per artist",
        ),
    ],
)
def test_settings_without_effect_are_switched_off_and_say_why(page, served, action, field):
    show(page, served, "tune0.ogg", "hiss1.flac", diversity=0.5, random_seed=3, artist_gap=2)
    page.locator("summary").click()
    help_text = page.locator(f"#playlist-{field}-help").inner_text()
    action(page)
    expect(page.locator(f"#playlist-{field}")).to_be_disabled()
    expect(page.locator(f"#playlist-{field}-help")).not_to_have_text(help_text)
    assert field not in {name for name, value in make(page).items() if value is not None}
    page.locator("#playlist-max_per_artist").fill("")
    kind(page, "Similar").check()
    expect(page.locator(f"#playlist-{field}")).to_be_enabled()
    expect(page.locator(f"#playlist-{field}-help")).to_have_text(help_text)


def test_a_random_seed_varies_the_playlist(page, served):
    show(page, served, "tune0.ogg")
    page.locator("summary").click()
    page.locator("#playlist-random_seed").fill("3")
    expect(page.get_by_label("Vary")).to_be_checked()
    page.get_by_label("Vary").uncheck()
    expect(page.locator("#playlist-random_seed")).to_have_value("")


def test_every_setting_has_a_label_and_a_line_of_help(page):
    page.locator("nav [data-view=playlist]").click()
    page.locator("summary").click()
    settings = page.locator(".setting")
    assert settings.count() == 22
    for setting in settings.all():
        assert setting.locator("label").inner_text()
        assert setting.locator(".help").inner_text()
    for label in (
        "Max tracks per artist",
        "Space between songs by the same artist",
        "Include the starting tracks",
        "Improved ranking",
    ):
        expect(page.get_by_label(label)).to_be_visible()
    expect(page.locator("legend", has_text="Skip tracks from these playlists")).to_be_visible()


def test_all_settings_are_sent(page, served, tmp_path):
    skipped = tmp_path / "skipped.m3u8"
    skipped.write_bytes("C:\\Music\\tune3.ogg\r\n".encode("utf-16"))
    settings = {
        "n": 7, "diversity": 0.25, "max_per_artist": 3, "max_per_album": 4, "artist_gap": 2,
        "random_seed": 5, "vary": "yes", "seeds": "no", "whiten": "no",
        "seconds": "0:01-1:00", "not_year": "1990..1999", "not_genre": "Jazz",
        "under": str(served.folder),
    }  # fmt: skip
    show(page, served, "tune0.ogg", **settings)
    page.locator("summary").click()
    page.locator("#skip-files").set_input_files([skipped])
    request = make(page)
    expected = {"n": 7, "diversity": 0.25, "max_per_artist": 3, "max_per_album": 4, "artist_gap": 2}
    expected |= {
        "random_seed": 5,
        "vary": True,
        "seeds": False,
        "whiten": False,
        "exclude_tracks": [],
    }
    assert request.items() >= expected.items()
    nothing = {
        "artist": [],
        "album": [],
        "genre": [],
        "sound": [],
        "under": [],
        "year": "",
        "seconds": "",
    }
    assert request["only"] == nothing | {"seconds": "1..60", "under": [str(served.folder)]}
    assert request["unless"] == nothing | {"year": "1990..1999", "genre": ["Jazz"]}
    assert [one["name"] for one in request["exclude_playlists"]] == ["skipped.m3u8"]
    expect(tracks(page)).to_have_count(7)
    assert not {"tune0.ogg", "tune3.ogg"} & set(names(page))


def test_a_value_is_wanted_or_left_out_but_not_both(page, served):
    show(page, served, "tune0.ogg", sound="Hiss")
    page.locator("summary").click()
    page.locator("#playlist-not_sound").fill("hi")
    page.locator("#playlist-not_sound-suggestions li", has_text="Hiss").click()
    expect(page.locator("#playlist-not_sound-values")).to_have_text("Hiss")
    expect(page.locator("#playlist-sound-values li")).to_have_count(0)
    request = make(page)
    assert (request["only"]["sound"], request["unless"]["sound"]) == ([], ["Hiss"])
    page.get_by_label("Remove Hiss").click()
    assert make(page)["unless"]["sound"] == []


def test_notes_of_the_server_are_shown(page, served):
    show(page, served, "tune0.ogg", n=30)
    expect(page.locator("#playlist-notes li")).to_have_count(1)
    expect(page.locator("#playlist-notes li")).to_contain_text(re.compile(r"^[A-Z].*30.*\.$"))
    page.reload()
    expect(page.locator("#playlist-notes li")).to_have_count(1)


def test_resetting_all_settings_also_skips_no_files_any_more(page, served, tmp_path):
    skipped = tmp_path / "skipped.m3u8"
    skipped.write_text("tune3.ogg\n")
    show(page, served, "tune0.ogg", n=5)
    page.locator("summary").click()
    page.locator("#skip-files").set_input_files([skipped])
    expect(page.locator("#skipped li")).to_have_count(1)
    page.locator("#reset-settings").click()
    expect(page.locator("#skipped li")).to_have_count(0)
    assert make(page)["exclude_playlists"] == []


def test_the_number_of_changed_settings_counts_each_once(page, served):
    show(page, served, "tune0.ogg", not_genre="Jazz", not_artist="x")
    page.locator("summary").click()
    page.locator("#playlist-not_genre").fill("Rock; Folk")
    page.locator("#playlist-not_genre").press("Enter")
    expect(page.locator("#advanced-count")).to_have_text("2")

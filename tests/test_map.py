"""The map: places that are kept, regions with names, and a page that shows them."""

import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect
from test_ranking import a_track, crowd

from audiosearch import Index, LibraryError
from audiosearch.errors import MissingExtra
from audiosearch.library.index import Identity
from audiosearch.models.registry import compact
from audiosearch.soundmap import draw, sound_map
from audiosearch.soundmap.regions import regions_of
from audiosearch.upkeep.transfer import import_vectors

EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


@pytest.fixture(autouse=True)
def _quiet_libraries():
    """Numba and scikit-learn warn of what is theirs to mend."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def filled(directory, n_tracks, start=0, **fields):
    vectors = crowd(n_tracks)
    model = compact()
    with Index(directory, identity=Identity(model.name, model.fingerprint)) as index:
        for number in range(start, n_tracks):
            index.add(replace(a_track(number), **fields), vectors[number])
    return directory


def a_map(directory, **options):
    with Index(directory) as index:
        return sound_map(index, **options)


@pytest.fixture(scope="module")
def songs(tmp_path_factory, shared):
    directory = tmp_path_factory.mktemp("songs") / "i"
    import_vectors(directory, shared / "songs/embeddings.npy", shared / "songs/tracks.json")
    return directory


def test_neighbours_by_sound_are_neighbours_on_the_map(songs):
    found = a_map(songs)
    assert len(found.tracks) == 915
    assert found.trustworthiness() >= 0.85
    cosines = found.vectors @ found.vectors.T
    np.fill_diagonal(cosines, -2)
    best = np.take_along_axis(cosines, found.neighbours, axis=1)
    np.testing.assert_allclose(best, -np.sort(-cosines, axis=1)[:, :5], atol=1e-6)


@pytest.mark.parametrize("n_tracks", [30, 80])
def test_the_same_library_is_the_same_map(tmp_path, n_tracks):
    one, other = (a_map(filled(tmp_path / name, n_tracks)) for name in ("one", "other"))
    np.testing.assert_array_equal(one.places, other.places)
    assert np.abs(one.places).max() <= 1
    assert one.regions == other.regions
    again = a_map(tmp_path / "one")
    np.testing.assert_array_equal(again.places, one.places)


def test_new_tracks_are_placed_without_moving_the_old(tmp_path):
    directory = filled(tmp_path / "i", 80)
    before = a_map(directory)
    filled(directory, 90, start=80)
    after = a_map(directory)
    np.testing.assert_array_equal(after.places[:80], before.places)
    # Each lies amid the old tracks that it sounds most like.
    cosines = after.vectors[80:] @ after.vectors[:80].T
    likest = np.argsort(-cosines, axis=1)[:, :5]
    for place, rows in zip(after.places[80:], likest, strict=True):
        low, high = before.places[rows].min(axis=0), before.places[rows].max(axis=0)
        assert (place >= low - 1e-9).all()
        assert (place <= high + 1e-9).all()
    anew = a_map(directory, anew=True)
    assert np.abs(anew.places[:80] - before.places).max() > 0.01
    np.testing.assert_array_equal(a_map(directory).places, anew.places)


def test_a_track_that_sounds_otherwise_now_is_placed_again(tmp_path):
    directory = filled(tmp_path / "i", 60)
    before = a_map(directory)
    with Index(directory) as index:
        first, last = before.tracks[0], before.tracks[-1]
        index.add(first, index.vector(last))
        ids, _ = index.positions()
        assert first.id not in ids
    after = a_map(directory)
    moved = np.linalg.norm(after.places[0] - after.places[-1])
    assert moved < np.linalg.norm(before.places[0] - before.places[-1])
    np.testing.assert_array_equal(after.places[1:], before.places[1:])


@pytest.mark.parametrize("n_tracks", [1, 2, 3])
def test_a_few_tracks_are_a_map_too(tmp_path, n_tracks):
    found = a_map(filled(tmp_path / "i", n_tracks))
    assert found.places.shape == (n_tracks, 2)
    assert found.neighbours.shape == (n_tracks, n_tracks - 1)
    assert np.isfinite(found.places).all()


def test_no_tracks_are_no_map(tmp_path):
    filled(tmp_path / "i", 1)
    with Index(tmp_path / "i") as index:
        index.remove(list(index))
        with pytest.raises(LibraryError, match="empty"):
            sound_map(index)


def test_a_region_is_named_by_what_is_most_its_own():
    artists = ["Ann"] * 20 + ["Bob"] * 20
    tracks = [replace(a_track(n), genre="pop", artist=name) for n, name in enumerate(artists)]
    clusters = np.repeat([0, 1], 20)
    places = np.repeat([[0.0, 1.0], [2.0, 3.0]], 20, axis=0)
    regions = regions_of(tracks, places, clusters)
    assert [(r.name, r.x, r.y, r.n_tracks) for r in regions] == [
        ("Ann", 0.0, 1.0, 20),
        ("Bob", 2.0, 3.0, 20),
    ]


def test_the_command_draws_by_suffix_and_says_how_true_the_map_is(songs, run, tmp_path):
    page = run("map", "--index", songs, "-o", tmp_path / "m.html", "--title", "My & songs")
    assert page.exit_code == 0
    assert "915 tracks" in page.stderr
    assert float(page.stderr.split("neighbours: ")[1].split()[0]) >= 0.85
    assert run("map", "--index", songs, "-o", tmp_path / "m.png").exit_code == 0
    assert (tmp_path / "m.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert run("map", "--index", songs, "-o", tmp_path / "m", "--format", "svg").exit_code == 0
    assert ET.parse(tmp_path / "m").getroot().tag.endswith("svg")


def test_a_folder_that_cannot_be_written_is_said(songs, run, tmp_path):
    refused = run("map", "--index", songs, "-o", tmp_path / "nowhere" / "m.html")
    assert refused.exit_code == 1
    assert "cannot be written" in refused.stderr


@pytest.mark.parametrize(
    ("package", "kind"),
    [
        ("umap", "html"),
        ("sklearn.cluster", "html"),
        ("plotly.offline", "html"),
        ("matplotlib.figure", "png"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    tmp_path, monkeypatch, package, kind
):
    directory = filled(tmp_path / "i", 60)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra) as caught:
        draw(a_map(directory), tmp_path / f"m.{kind}", kind=kind)
    assert "is not installed" in str(caught.value)
    assert caught.value.hint == "pip install 'audiosearch[map]'"


def test_tensorflow_is_not_loaded_for_a_map(tmp_path):
    import subprocess

    directory = filled(tmp_path / "i", 60)
    code = (
        "import sys; from audiosearch.cli import app; "
        f"app(['map', '--index', {str(directory)!r}], standalone_mode=False); "
        "assert 'umap' in sys.modules; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.fixture(scope="module")
def evil_page(tmp_path_factory):
    """A page of 60 tracks whose tags would be harmful if they were more than text."""
    folder = tmp_path_factory.mktemp("page")
    directory = filled(folder / "i", 60, artist="Ann", title=EVIL, genre=EVIL)
    draw(a_map(directory), folder / "map.html", kind="html", title=EVIL)
    return folder / "map.html"


class TestPage:
    @pytest.fixture
    def page(self, browser_page, evil_page):
        requests = []
        browser_page.on("request", lambda request: requests.append(request.url))
        browser_page.on("dialog", lambda dialog: pytest.fail(f"a tag ran: {dialog.message}"))
        browser_page.on("pageerror", lambda error: pytest.fail(f"{error}"))
        browser_page.goto(evil_page.as_uri())
        expect(browser_page.locator("#found")).to_have_text("60 tracks")
        yield browser_page
        assert requests == [evil_page.as_uri()]

    def test_tags_stay_text(self, page):
        assert page.title() == EVIL
        assert page.locator("h1").inner_text() == EVIL
        page.locator("#find").fill("onerror")
        page.locator("#find").press("Enter")
        assert page.locator("#chosen h2").inner_text() == EVIL
        assert page.locator("img").count() == 0

    def test_words_light_up_what_they_match(self, page):
        page.keyboard.press("/")
        page.keyboard.type("ANN img")
        expect(page.locator("#found")).to_have_text("60 of 60")
        page.keyboard.type(" nothing like it")
        expect(page.locator("#found")).to_have_text("0 of 60")
        page.keyboard.press("Escape")
        expect(page.locator("#found")).to_have_text("60 tracks")

    def test_a_click_shows_the_nearest(self, page):
        place = page.evaluate(
            "() => { const box = plot.getBoundingClientRect(), l = plot._fullLayout;"
            " return [box.x + l.xaxis._offset + l.xaxis.l2p(data.x[7]),"
            " box.y + l.yaxis._offset + l.yaxis.l2p(data.y[7])]; }"
        )
        page.mouse.move(*place)
        page.mouse.click(*place)
        expect(page.locator("#chosen li")).to_have_count(5)
        chosen = page.evaluate("chosen")
        nearest = page.evaluate("data.neighbours[chosen]")
        page.locator("#chosen button").nth(1).click()
        assert chosen is not None
        assert page.evaluate("chosen") == nearest[1]

    def test_colours_are_by_what_is_chosen(self, page):
        assert page.locator("#color").input_value() == "album"
        page.locator("#color").select_option("artist")
        expect(page.locator("#legend li")).to_have_count(1)
        assert "Ann" in page.locator("#legend").inner_text()

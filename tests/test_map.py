"""The map: places that are kept, regions with names, and a page that shows them."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from test_ranking import a_track, crowd

from audiosearch import Index, LibraryError
from audiosearch.errors import IndexUnwritable, MissingExtra
from audiosearch.library.index import EmbeddingSpec
from audiosearch.models.registry import compact
from audiosearch.soundmap import draw, layout, sound_map
from audiosearch.soundmap.labels import labels_of, name_of
from audiosearch.soundmap.regions import Region, regions_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SWIG|builtin type:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::numba.NumbaWarning"),
]


def filled(directory, n_tracks, start=0, **fields):
    vectors = crowd(400)
    model = compact()
    with Index(directory, spec=EmbeddingSpec(model.name, model.weights_digest)) as index:
        for number in range(start, n_tracks):
            index.add(replace(a_track(number), **fields), vectors[number])
    return directory


def a_map(directory, **options):
    with Index(directory) as index:
        return sound_map(index, **options)


def test_neighbours_by_sound_are_neighbours_on_the_map(songs):
    found = a_map(songs)
    assert len(found.tracks) == 915
    assert found.trustworthiness() >= 0.85
    cosines = found.vectors @ found.vectors.T
    np.fill_diagonal(cosines, -2)
    best = np.take_along_axis(cosines, found.neighbours(), axis=1)
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
    anew = a_map(directory, relayout=True)
    assert np.abs(anew.places[:80] - before.places).max() > 0.01
    np.testing.assert_array_equal(a_map(directory).places, anew.places)


def test_a_track_that_sounds_otherwise_now_is_placed_again(tmp_path):
    directory = filled(tmp_path / "i", 60)
    before = a_map(directory)
    with Index(directory) as index:
        first, last = before.tracks[0], before.tracks[-1]
        index.add(first, index.vector(last))
        assert first.id not in index.coordinates().ids
    after = a_map(directory)
    moved = np.linalg.norm(after.places[0] - after.places[-1])
    assert moved < np.linalg.norm(before.places[0] - before.places[-1])
    np.testing.assert_array_equal(after.places[1:], before.places[1:])


def test_a_track_whose_tags_are_changed_stays_where_it_is(tmp_path):
    directory = filled(tmp_path / "i", 60)
    before = a_map(directory)
    with Index(directory) as index:
        for track in before.tracks:
            retagged = replace(track, title="new", content_hash="f" * 32)
            index.add(retagged, index.vector(track))
    after = a_map(directory)
    assert not after.is_relayout
    np.testing.assert_array_equal(after.places, before.places)


@pytest.mark.parametrize(("n_before", "n_after"), [(1, 400), (3, 400), (49, 51), (60, 130)])
def test_a_library_that_outgrows_its_map_is_laid_out_anew(tmp_path, n_before, n_after):
    directory = filled(tmp_path / "i", n_before)
    assert a_map(directory).is_relayout
    filled(directory, n_after, start=n_before)
    after = a_map(directory)
    assert after.is_relayout
    np.testing.assert_array_equal(after.places, a_map(filled(tmp_path / "j", n_after)).places)


def test_tracks_that_are_the_same_lie_at_the_same_place(tmp_path):
    model = compact()
    vector = crowd(1)[0]
    with Index(tmp_path / "i", spec=EmbeddingSpec(model.name, model.weights_digest)) as index:
        for number in range(60):
            index.add(a_track(number), vector)
        found = sound_map(index)
    assert np.isfinite(found.places).all()
    assert all(row not in near for row, near in enumerate(found.neighbours().tolist()))


def test_a_layout_made_meanwhile_is_not_mixed_with_an_older_one(tmp_path, monkeypatch):
    directory = filled(tmp_path / "i", 80)
    a_map(directory)
    filled(directory, 90, start=80)
    laid_out_meanwhile = []

    def slow(*arguments):
        if not laid_out_meanwhile:
            laid_out_meanwhile.append(a_map(directory, relayout=True))
        return placed(*arguments)

    placed = layout._placed
    monkeypatch.setattr(layout, "_placed", slow)
    np.testing.assert_array_equal(a_map(directory).places, laid_out_meanwhile[0].places)


def test_an_index_that_cannot_be_written_can_be_mapped(tmp_path, monkeypatch, caplog):
    directory = filled(tmp_path / "i", 30)

    def refuse(*_, **__):
        raise IndexUnwritable("The disk is full.", hint="Make room.")

    monkeypatch.setattr(Index, "put_coordinates", refuse)
    assert len(a_map(directory).tracks) == 30
    assert "is not kept" in caplog.text


@pytest.mark.parametrize("n_tracks", [1, 2, 3])
def test_a_few_tracks_are_a_map_too(tmp_path, n_tracks):
    found = a_map(filled(tmp_path / "i", n_tracks))
    assert found.places.shape == (n_tracks, 2)
    assert found.neighbours().shape == (n_tracks, n_tracks - 1)
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
    assert regions == [Region("Ann", 0.0, 1.0, 20, 0), Region("Bob", 2.0, 3.0, 20, 1)]


def test_a_region_is_not_named_by_one_stray_track():
    tracks = [replace(a_track(n), genre="pop", artist=None, album=None) for n in range(40)]
    tracks = [replace(track, path=f"/m/{n}.mp3") for n, track in enumerate(tracks)]
    tracks[3] = replace(tracks[3], artist="One Off")
    assert regions_of(tracks, np.zeros((40, 2)), np.repeat([0, 1], 20)) == []


def test_labels_are_spelled_as_most_spell_them():
    genres = ["Rock", "rock", "Rock; Pop", " ", None, "Jazz/Soul"]
    tracks = [replace(a_track(n), genre=genre) for n, genre in enumerate(genres)]
    assert labels_of(tracks, "genre") == ["Rock", "Rock", "Rock", None, None, "Jazz"]
    paths = ["/m/CD1/AC\\DC.mp3", "C:\\music\\Abba\\a.mp3"]
    tracks = [replace(a_track(0), path=path, title=None) for path in paths]
    assert labels_of(tracks, "folder") == ["CD1", "Abba"]
    assert [name_of(track) for track in tracks] == ["AC\\DC.mp3", "a.mp3"]
    paths = ["/m/One/CD1/a.mp3", "/m/Two/CD1/a.mp3", "/m/Three/a.mp3"]
    tracks = [replace(a_track(0), path=path) for path in paths]
    assert labels_of(tracks, "folder") == ["One/CD1", "Two/CD1", "Three"]


def test_the_command_draws_by_suffix_and_says_how_true_the_map_is(songs, run, tmp_path):
    page = run("map", "--index", songs, "-o", tmp_path / "m.html", "--title", "My & songs")
    assert page.exit_code == 0
    assert "915 tracks" in page.stderr
    assert float(page.stderr.split("neighbours: ")[1].split()[0]) >= 0.85
    assert run("map", "--index", songs, "-o", tmp_path / "m.png").exit_code == 0
    assert (tmp_path / "m.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert run("map", "--index", songs, "-o", tmp_path / "m", "--format", "svg").exit_code == 0
    assert ET.parse(tmp_path / "m").getroot().tag.endswith("svg")


@pytest.mark.parametrize("name", ["m.pdf", ".", "", "m.html.gz", "audiosearch.db", "/dev/full"])
@pytest.mark.parametrize("options", [[], ["--format", "html"]])
def test_nothing_but_a_map_s_file_is_written_over(songs, run, name, options):
    refused = run("map", "--index", songs, "-o", name, *options)
    assert refused.exit_code == 2
    assert refused.stderr.count("hint:") == 1


def test_a_colour_that_no_track_has_is_refused(songs, run):
    refused = run("map", "--index", songs, "--color-by", "genre")
    assert refused.exit_code == 2
    assert "No track has a genre" in refused.stderr


@pytest.mark.filterwarnings("error")
def test_a_still_shows_texts_as_they_are(tmp_path):
    directory = filled(tmp_path / "i", 60, artist="_Ann", genre="$x$", album="\u65e5\u672c")
    for kind in ("png", "svg"):
        title = "$\\frac{1}$ \udcff"
        draw(a_map(directory), tmp_path / f"m.{kind}", kind=kind, color_by="artist", title=title)
    texts = "".join(ET.parse(tmp_path / "m.svg").getroot().itertext())
    assert "_Ann" in texts
    assert "$\\frac{1}$" in texts


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
    assert "'audiosearch[map]'" in caught.value.hint


def test_tensorflow_is_not_loaded_for_a_map(tmp_path):

    directory = filled(tmp_path / "i", 60)
    code = (
        "import sys; from audiosearch.cli import app; "
        f"app(['map', '--index', {str(directory)!r}], standalone_mode=False); "
        "assert 'umap' in sys.modules; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)

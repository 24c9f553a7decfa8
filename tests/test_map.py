"""The map: stable positions, named regions, and the files that `audiosearch map` writes."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_ranking import a_track, crowd
from tracks import heard, some_track

from audiosearch import Index, LibraryError
from audiosearch.errors import IndexUnwritable, MissingExtra
from audiosearch.library.index import EmbeddingSpec
from audiosearch.models.registry import compact
from audiosearch.models.sound import Sound
from audiosearch.soundmap import SoundMap, default_color_field, draw, layout, sound_map
from audiosearch.soundmap.colors import legend
from audiosearch.soundmap.columns import columns_of
from audiosearch.soundmap.content import content
from audiosearch.soundmap.labels import labels_of, name_of
from audiosearch.soundmap.palette import PALETTE
from audiosearch.soundmap.regions import Region, RegionNames

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*SWIG|builtin type:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::numba.NumbaWarning"),
]


def filled(directory, n_tracks, start=0, **fields):
    vectors = crowd(400)
    model = compact()
    with Index(directory, spec=EmbeddingSpec(model.name, model.weights_digest)) as index:
        index.add_all(
            (replace(a_track(number), **fields), vectors[number])
            for number in range(start, n_tracks)
        )
    return directory


def sounding(directory, scores, n_tracks):
    """Index untagged tracks in which sounds are heard, or (None) to which nothing has listened."""
    with Index(directory, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        for number, vector in enumerate(crowd(n_tracks)):
            sounds = scores[number % len(scores)]
            listened = {} if sounds is None else {"sounds": heard(**sounds), "tagger": "t"}
            index.add(replace(some_track(number), **listened), vector)
    return directory


def clustered(*groups):
    """Return tracks and their clusters, given the fields of each track of each cluster."""
    fields = [(fields, cluster) for cluster, group in enumerate(groups) for fields in group]
    tracks = [replace(some_track(number), **one) for number, (one, _) in enumerate(fields)]
    return tracks, np.array([cluster for _, cluster in fields])


def region_names(*groups):
    tracks, clusters = clustered(*groups)
    return [one.name for one in RegionNames(tracks).regions(np.zeros((len(tracks), 2)), clusters)]


def a_map(directory, **options):
    with Index(directory) as index:
        return sound_map(index, **options)


def test_similar_tracks_are_neighbors_on_the_map(songs):
    result = a_map(songs)
    assert len(result.tracks) == 915
    assert result.trustworthiness() >= 0.85
    cosines = result.vectors @ result.vectors.T
    np.fill_diagonal(cosines, -2)
    best = np.take_along_axis(cosines, result.neighbors(), axis=1)
    np.testing.assert_allclose(best, -np.sort(-cosines, axis=1)[:, :5], atol=1e-6)


@pytest.mark.parametrize("n_tracks", [30, 80])
def test_the_same_library_gives_the_same_map(tmp_path, n_tracks):
    one, other = (a_map(filled(tmp_path / name, n_tracks)) for name in ("one", "other"))
    np.testing.assert_array_equal(one.positions, other.positions)
    assert np.abs(one.positions).max() <= 1
    assert one.regions == other.regions
    again = a_map(tmp_path / "one")
    np.testing.assert_array_equal(again.positions, one.positions)


def test_new_tracks_are_placed_without_moving_old_ones(tmp_path):
    directory = filled(tmp_path / "i", 80)
    before = a_map(directory)
    filled(directory, 90, start=80)
    after = a_map(directory)
    np.testing.assert_array_equal(after.positions[:80], before.positions)
    # Each new track is among the old tracks that it sounds most like.
    cosines = after.vectors[80:] @ after.vectors[:80].T
    nearest = np.argsort(-cosines, axis=1)[:, :5]
    for position, rows in zip(after.positions[80:], nearest, strict=True):
        low, high = before.positions[rows].min(axis=0), before.positions[rows].max(axis=0)
        assert (position >= low - 1e-9).all()
        assert (position <= high + 1e-9).all()
    again = a_map(directory, relayout=True)
    assert np.abs(again.positions[:80] - before.positions).max() > 0.01
    np.testing.assert_array_equal(a_map(directory).positions, again.positions)


def test_a_track_with_a_new_vector_is_placed_again(tmp_path):
    directory = filled(tmp_path / "i", 60)
    before = a_map(directory)
    with Index(directory) as index:
        first, last = before.tracks[0], before.tracks[-1]
        index.add(first, index.vector(last))
        assert first.id not in index.coordinates().ids
    after = a_map(directory)
    moved = np.linalg.norm(after.positions[0] - after.positions[-1])
    assert moved < np.linalg.norm(before.positions[0] - before.positions[-1])
    np.testing.assert_array_equal(after.positions[1:], before.positions[1:])


def test_a_track_with_new_tags_keeps_its_position(tmp_path):
    directory = filled(tmp_path / "i", 60)
    before = a_map(directory)
    with Index(directory) as index:
        for track in before.tracks:
            retagged = replace(track, title="new", content_hash="f" * 32)
            index.add(retagged, index.vector(track))
    after = a_map(directory)
    assert not after.is_relayout
    np.testing.assert_array_equal(after.positions, before.positions)


@pytest.mark.parametrize(("n_before", "n_after"), [(1, 400), (3, 400), (49, 51), (60, 130)])
def test_a_library_that_has_doubled_is_laid_out_again(tmp_path, n_before, n_after):
    directory = filled(tmp_path / "i", n_before)
    assert a_map(directory).is_relayout
    filled(directory, n_after, start=n_before)
    after = a_map(directory)
    assert after.is_relayout
    np.testing.assert_array_equal(after.positions, a_map(filled(tmp_path / "j", n_after)).positions)


def test_tracks_with_the_same_vector_have_a_map(tmp_path):
    model = compact()
    vector = crowd(1)[0]
    with Index(tmp_path / "i", spec=EmbeddingSpec(model.name, model.weights_digest)) as index:
        for number in range(60):
            index.add(a_track(number), vector)
        result = sound_map(index)
    assert np.isfinite(result.positions).all()
    assert all(row not in near for row, near in enumerate(result.neighbors().tolist()))


def test_layouts_of_two_processes_are_not_mixed(tmp_path, monkeypatch):
    directory = filled(tmp_path / "i", 80)
    a_map(directory)
    filled(directory, 90, start=80)
    other_layouts = []

    def slow(*arguments):
        if not other_layouts:
            other_layouts.append(a_map(directory, relayout=True))
        return place_tracks(*arguments)

    place_tracks = layout._place
    monkeypatch.setattr(layout, "_place", slow)
    np.testing.assert_array_equal(a_map(directory).positions, other_layouts[0].positions)


def test_a_read_only_index_can_be_mapped(tmp_path, monkeypatch, caplog):
    directory = filled(tmp_path / "i", 30)

    def refuse(*_, **__):
        raise IndexUnwritable("The disk is full.", hint="Make room.")

    monkeypatch.setattr(Index, "put_coordinates", refuse)
    assert len(a_map(directory).tracks) == 30
    assert "are not stored" in caplog.text


@pytest.mark.parametrize("n_tracks", [1, 2, 3])
def test_one_to_three_tracks_have_a_map(tmp_path, n_tracks):
    result = a_map(filled(tmp_path / "i", n_tracks))
    assert result.positions.shape == (n_tracks, 2)
    assert result.neighbors().shape == (n_tracks, n_tracks - 1)
    assert np.isfinite(result.positions).all()


def test_an_empty_index_is_refused(tmp_path):
    filled(tmp_path / "i", 1)
    with Index(tmp_path / "i") as index:
        index.remove(list(index))
        with pytest.raises(LibraryError, match="empty"):
            sound_map(index)


def test_a_region_is_named_after_its_most_characteristic_tag():
    artists = ["Ann"] * 20 + ["Bob"] * 20
    tracks = [replace(a_track(n), genre="pop", artist=name) for n, name in enumerate(artists)]
    clusters = np.repeat([0, 1], 20)
    positions = np.repeat([[0.0, 1.0], [2.0, 3.0]], 20, axis=0)
    regions = RegionNames(tracks).regions(positions, clusters)
    assert regions == [Region("Ann", 0.0, 1.0, 20, 0), Region("Bob", 2.0, 3.0, 20, 1)]


def test_a_region_is_not_named_after_a_single_track():
    tracks = [replace(a_track(n), genre="pop", artist=None, album=None) for n in range(40)]
    tracks = [replace(track, path=f"/m/{n}.mp3") for n, track in enumerate(tracks)]
    tracks[3] = replace(tracks[3], artist="One Off")
    assert RegionNames(tracks).regions(np.zeros((40, 2)), np.repeat([0, 1], 20)) == []


def test_a_region_is_named_where_most_of_its_tracks_are():
    tracks = [replace(a_track(n), genre="pop", artist="Ann") for n in range(40)]
    positions = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    positions[:15] = np.random.default_rng(1).uniform(0.70, 0.72, (15, 2))
    region, *_ = RegionNames(tracks + [a_track(99)] * 9).regions(
        np.vstack([positions, np.zeros((9, 2))]), np.repeat([0, 1], [40, 9])
    )
    assert 0.69 < region.x < 0.73
    assert 0.69 < region.y < 0.73


def test_labels_have_their_most_frequent_spelling():
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


GUITARS, DRUMS, SONGS = (
    [{"sounds": heard(Music=0.95, **sounds)}] * 20
    for sounds in ({"Guitar": 0.5}, {"Drum": 0.4}, {})
)
TAGGED = [{"artist": "Ann", "sounds": heard(Music=0.9, Piano=0.8)}] * 20
SPOKEN = [{"sounds": heard(Speech=0.9)}] * 20


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        pytest.param([GUITARS, DRUMS], ["Guitar", "Drum"], id="untagged: by sounds"),
        pytest.param([TAGGED, DRUMS], ["Ann", "Drum"], id="each cluster as its tracks are tagged"),
        pytest.param([TAGGED[:3] + DRUMS, SONGS], ["Drum", "Music"], id="few are tagged"),
        pytest.param(
            [[{"sounds": heard(Animal=0.9, Dog=0.8)}] * 9, SPOKEN],
            ["Speech", "Dog"],
            id="a kind of a sound before the sound",
        ),
        pytest.param(
            [GUITARS, [fields | {"genre": "pop"} for fields in DRUMS], [{"genre": "pop"}] * 20],
            ["Guitar", "pop"],
            id="a name is used once",
        ),
        pytest.param(
            [
                [{"sounds": heard(Music=0.95, Piano=0.3)}] * 20,
                [{"sounds": heard(Music=0.2, Drum=0.6)}] * 20,
                [{"sounds": heard(Music=0.2, Guitar=0.6)}] * 20,
                SPOKEN,
            ],
            ["Piano", "Drum", "Guitar", "Speech"],
            id="not after what most of the library is",
        ),
        pytest.param([SPOKEN, SPOKEN[:9]], ["Speech", "Speech 2"], id="a sound of all clusters"),
        pytest.param([GUITARS[:2] + [{}] * 9, SPOKEN], ["Speech"], id="rare sounds"),
        pytest.param(
            [[{"sounds": heard(Silence=0.9)}] * 9, [{"sounds": heard(Silence=0.9, Tap=0.3)}] * 9],
            ["Silence", "Tap"],
            id="silence only where nothing else is heard",
        ),
    ],
)
def test_a_region_of_untagged_tracks_is_named_after_its_most_characteristic_sound(groups, names):
    assert region_names(*groups) == names


def test_a_sound_that_is_heard_throughout_is_more_characteristic_than_a_moment_of_another():
    long, short = (
        Sound("Rain", 0.8, 0.7, 0.0),
        Sound("Thunder", 0.9, 0.01, 3.0),
    )
    stormy = [{"sounds": (short, long)}] * 9
    assert region_names(stormy, SPOKEN) == ["Speech", "Rain"]
    tracks, _ = clustered(stormy, SPOKEN)
    assert labels_of(tracks, "sound") == ["Rain"] * 9 + ["Speech"] * 20


def test_a_track_is_colored_by_the_sound_that_few_other_tracks_have():
    tracks, _ = clustered(GUITARS, DRUMS, SONGS, [{}])
    expected = ["Guitar"] * 20 + ["Drum"] * 20 + ["Music"] * 20 + [None]
    assert labels_of(tracks, "sound") == expected


def test_a_very_rare_sound_with_a_low_score_does_not_color_a_track():
    odd = [{"sounds": heard(Guitar=0.9, Sonar=0.12)}]
    tracks, _ = clustered(GUITARS + odd, DRUMS, SONGS)
    assert labels_of(tracks, "sound")[20] == "Guitar"


def test_tracks_that_all_have_the_same_sound_are_colored_by_their_first_one():
    tracks, _ = clustered([{"sounds": heard(Speech=1.0, Air=1.0)}] * 5)
    assert labels_of(tracks, "sound") == ["Speech"] * 5


def test_scores_of_zero_are_not_heard():
    silent = [{"sounds": heard(Dog=0.0)}] * 5
    assert region_names(silent, SPOKEN) == ["Speech"]
    assert labels_of(clustered(silent)[0], "sound") == [None] * 5


def test_many_kinds_of_sounds_share_the_colors():
    animals = [{"sounds": heard(Animal=0.9, **{f"Beast_{n}": 0.95})} for n in range(40)]
    tracks, _ = clustered(animals * 2, SPOKEN, DRUMS)
    labels = labels_of(tracks, "sound")
    entries = legend(labels)
    assert len(entries) == len(PALETTE)
    assert {"Animal", "Speech", "Music"} <= {label for label, _, _ in entries}
    assert sum(count for _, count, _ in entries) == len(labels)


def test_clusters_of_untagged_tracks_have_names(tmp_path):
    kinds = [{"Music": 0.9, f"Kind {number}": 0.5} for number in range(3)]
    result = a_map(sounding(tmp_path / "i", kinds, n_tracks=45))
    names = result.labels["cluster"]
    assert len(set(names)) == len(set(result.clusters.tolist())) > 1
    assert all(name.startswith(("Kind ", "Music")) for name in names)
    parts = columns_of(result, color_by="sound")
    assert parts["points"]["columns"]["cluster"]["values"] == sorted(
        set(names), key=lambda name: (-names.count(name), name)
    )
    json = content(result)
    assert json["sounds"][:2] == ["Music; Kind 0", "Music; Kind 1"]
    assert json["sound"][:2] == ["Kind 0", "Kind 1"]
    assert {name for name, _, _ in json["colors"]["sound"]} == {"Kind 0", "Kind 1", "Kind 2"}


def test_parts_of_regions_have_names_of_their_own(tmp_path):
    kinds = [{"Music": 0.9, f"Kind {number}": 0.5} for number in range(8)]
    result = a_map(sounding(tmp_path / "i", kinds, n_tracks=240))
    assert result.parts
    sizes = [part.n_tracks for part in result.parts]
    assert sizes == sorted(sizes, reverse=True)
    names = [region.name for region in (*result.regions, *result.parts)]
    assert len(set(names)) == len(names)
    points = columns_of(result, color_by="sound")["points"]
    assert [region["name"] for region in points["regions"] + points["parts"]] == names
    assert content(result)["regions"] == points["regions"]


def test_tracks_without_tags_in_one_folder_are_colored_by_sound(tmp_path):
    result = a_map(sounding(tmp_path / "i", [{"Dog": 0.9}, {"Cat": 0.9}], n_tracks=20))
    assert default_color_field(result) == "sound"


SORTS = [heard(**{name: 0.9}) for name in ("Dog", "Cat", "Owl")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([{"genre": f"g{n % 4}"} for n in range(40)], "genre", id="few genres"),
        pytest.param(
            [{"genre": "pop", "artist": f"a{n % 5}"} for n in range(40)],
            "artist",
            id="all have the same genre",
        ),
        pytest.param(
            [{"genre": "rock" if n else "pop", "album": f"a{n % 5}"} for n in range(40)],
            "album",
            id="nearly all have the same genre",
        ),
        pytest.param(
            [{"path": f"/m/{n // 2}/{n}.wav", "sounds": SORTS[n % 3]} for n in range(90)],
            "sound",
            id="two thirds are in folders without a color",
        ),
        pytest.param(
            [{"genre": f"g{n}" if n < 12 else None, "sounds": SORTS[n % 3]} for n in range(90)],
            "sound",
            id="few tracks have a genre",
        ),
        pytest.param([{"artist": "Ann"}], "artist", id="a single track"),
        pytest.param([{}] * 30, "cluster", id="only clusters differ"),
    ],
)
def test_a_map_is_colored_by_the_first_field_that_tells_tracks_apart(fields, expected):
    plain = {"genre": None, "artist": None, "album": None, "path": "/m/a.wav"}
    tracks = [replace(some_track(number), **plain | one) for number, one in enumerate(fields)]
    clusters = np.arange(len(tracks)) % 3
    positions = np.zeros((len(tracks), 2))
    result = SoundMap(tracks, positions, clusters, [], crowd(len(tracks)), is_relayout=True)
    assert default_color_field(result) == expected


@pytest.mark.parametrize("n_tracks", [30, 80])
def test_the_progress_of_a_layout_grows(tmp_path, n_tracks):
    shares = []
    a_map(filled(tmp_path / "i", n_tracks), on_progress=shares.append)
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert len(shares) > 2 or n_tracks < 50


@pytest.mark.parametrize("kind", ["html", "svg", "png"])
def test_every_kind_of_map_can_be_colored_by_sound(run, tmp_path, kind):
    directory = sounding(tmp_path / "i", [{"Dog": 0.9}, {"Cat": 0.9}, None], n_tracks=30)
    path = tmp_path / f"m.{kind}"
    drawn = run("map", "--index", directory, "--color-by", "sound", "-o", path)
    assert drawn.exit_code == 0
    assert "10 of 30 tracks have no sounds; run `audiosearch refresh --sounds`" in drawn.stderr
    if kind == "svg":
        assert {"Sound", "Dog", "Cat", "No sound"} <= set(ET.parse(path).getroot().itertext())
    if kind == "html":
        assert '"color_by":"sound"' in path.read_text()


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        pytest.param(None, "have no sounds; run `audiosearch refresh", id="nothing has listened"),
        pytest.param({}, "no track has one", id="nothing is heard"),
    ],
)
def test_an_index_without_sounds_is_not_colored_by_sound(run, tmp_path, sounds, message):
    directory = sounding(tmp_path / "i", [sounds], n_tracks=20)
    refused = run("map", "--index", directory, "--color-by", "sound")
    assert refused.exit_code != 0
    assert message in refused.stderr
    assert refused.stderr.count("hint:") == 1


def test_the_command_draws_by_suffix_and_prints_the_trustworthiness(made_up_songs, run, tmp_path):
    page = run("map", "--index", made_up_songs, "-o", tmp_path / "m.html", "--title", "My & songs")
    assert page.exit_code == 0
    assert "915 tracks" in page.stderr
    assert float(page.stderr.split("neighbors: ")[1].split()[0]) >= 0.85
    assert run("map", "--index", made_up_songs, "-o", tmp_path / "m.png").exit_code == 0
    assert (tmp_path / "m.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (
        run("map", "--index", made_up_songs, "-o", tmp_path / "m", "--format", "svg").exit_code == 0
    )
    assert ET.parse(tmp_path / "m").getroot().tag.endswith("svg")


@pytest.mark.parametrize("name", ["m.pdf", ".", "", "m.html.gz", "audiosearch.db", "/dev/full"])
@pytest.mark.parametrize("options", [[], ["--format", "html"]])
def test_a_file_name_of_another_kind_is_refused(made_up_songs, run, name, options):
    refused = run("map", "--index", made_up_songs, "-o", name, *options)
    assert refused.exit_code == 2
    assert refused.stderr.count("hint:") == 1


def test_a_tag_that_no_track_has_is_refused(made_up_songs, run):
    refused = run("map", "--index", made_up_songs, "--color-by", "genre")
    assert refused.exit_code == 2
    assert "no track has one" in refused.stderr


@pytest.mark.filterwarnings("error")
def test_a_static_image_shows_texts_unchanged(tmp_path):
    directory = filled(tmp_path / "i", 60, artist="_Ann", genre="$x$", album="\u65e5\u672c")
    for kind in ("png", "svg"):
        title = "$\\frac{1}$ \udcff"
        draw(a_map(directory), tmp_path / f"m.{kind}", kind=kind, color_by="artist", title=title)
    texts = "".join(ET.parse(tmp_path / "m.svg").getroot().itertext())
    assert "_Ann" in texts
    assert "$\\frac{1}$" in texts


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("options", "background"),
    [
        pytest.param([], (255, 255, 255), id="light"),
        pytest.param(["--dark"], (15, 17, 21), id="dark"),
    ],
)
def test_a_static_image_is_light_or_dark(run, tmp_path, options, background):
    directory = filled(tmp_path / "i", 30)
    drawn = run("map", "--index", directory, "-o", tmp_path / "m.png", *options)
    assert drawn.exit_code == 0
    assert tuple(pixels_of(tmp_path / "m.png")[-1, -1]) == background


@pytest.mark.parametrize(("width", "height"), [(2.0, 2.0), (2.0, 0.5), (0.5, 2.0)])
def test_a_static_image_is_as_high_as_the_map_needs(tmp_path, width, height):
    tracks, clusters = clustered([{}] * 200)
    positions = np.random.default_rng(0).uniform(-0.5, 0.5, (200, 2)) * (width, height)
    result = SoundMap(tracks, positions, clusters, [], crowd(200), is_relayout=True)
    draw(result, tmp_path / "m.png", kind="png", color_by="folder")
    image = pixels_of(tmp_path / "m.png")
    left = image[:, : int(0.78 * image.shape[1])]  # without the legend
    is_drawn = (left.max(axis=2) - left.min(axis=2)) > 80  # a dot
    rows, columns = np.flatnonzero(is_drawn.any(axis=1)), np.flatnonzero(is_drawn.any(axis=0))
    free_rows = image.shape[0] - (rows[-1] - rows[0])
    free_columns = left.shape[1] - (columns[-1] - columns[0])
    assert min(free_rows / image.shape[0], free_columns / left.shape[1]) < 0.2


def test_few_tracks_have_large_dots_and_names_in_a_static_image(tmp_path):
    shares = []
    for n_tracks in (5, 400):
        tracks, clusters = clustered([{"title": f"Song {n}"} for n in range(n_tracks)])
        positions = np.random.default_rng(0).uniform(-1, 1, (n_tracks, 2))
        result = SoundMap(tracks, positions, clusters, [], crowd(n_tracks), is_relayout=True)
        draw(result, tmp_path / "m.svg", kind="svg", color_by="folder")
        texts = {text.strip() for text in ET.parse(tmp_path / "m.svg").getroot().itertext()}
        assert ("Song 0" in texts) == (n_tracks == 5)
        draw(result, tmp_path / "m.png", kind="png", color_by="folder")
        image = pixels_of(tmp_path / "m.png")
        shares.append(((image.max(axis=2) - image.min(axis=2)) > 130).mean() / n_tracks)
    assert shares[0] > 3 * shares[1]


def test_names_of_regions_in_a_static_image_do_not_overlap(tmp_path):
    tracks, clusters = clustered(GUITARS, DRUMS, SPOKEN)
    positions = np.array([[0.0, 0.0], [0.0, 0.004], [0.0, 0.008]])[clusters]
    regions = RegionNames(tracks).regions(positions, clusters)
    result = SoundMap(tracks, positions, clusters, regions, crowd(len(tracks)), is_relayout=True)
    draw(result, tmp_path / "m.svg", kind="svg", color_by="folder")
    texts = {text.strip() for text in ET.parse(tmp_path / "m.svg").getroot().itertext()}
    # The second one is at the other side of its point, and there is no room for the third one.
    assert texts & {"Guitar", "Drum", "Speech"} == {"Guitar", "Drum"}


def test_names_of_regions_in_a_static_image_are_above_their_points_or_below(tmp_path):
    tracks, clusters = clustered([{}] * 40)
    positions = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    positions[:2] = [[0.0, 0.0], [-1.0, 0.5]]
    corner, wide = tuple(positions[1]), "M" * 20
    regions = [
        Region("Above", 0.0, 0.0, 10, 0),
        Region("Below", 0.0, 0.0, 10, 1),
        Region(wide, *corner, 10, 2),
        Region("i", *corner, 10, 3),
    ]
    result = SoundMap(tracks, positions, clusters, regions, crowd(40), is_relayout=True)
    draw(result, tmp_path / "m.svg", kind="svg", color_by="folder")
    texts = {e.text: e for e in ET.parse(tmp_path / "m.svg").iter() if e.tag.endswith("}text")}
    at = {r.name: [float(texts[r.name].get(axis)) for axis in "xy"] for r in regions}
    assert at["Above"][0] == pytest.approx(at["Below"][0])
    assert at["Above"][1] + 16 < at["Below"][1]
    assert at[wide][0] > at["i"][0] + 20  # moved away from the edge


@pytest.mark.parametrize("n_words", [1, 20, 400])
def test_a_long_title_of_a_static_image_is_above_the_map(tmp_path, n_words):
    tracks, clusters = clustered([{}] * 200)
    positions = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    result = SoundMap(tracks, positions, clusters, [], crowd(200), is_relayout=True)
    draw(result, tmp_path / "m.png", kind="png", title="word " * n_words, color_by="folder")
    image = pixels_of(tmp_path / "m.png")
    rows_of_title = np.flatnonzero((image < 80).all(axis=2)[:, : image.shape[1] // 2].any(axis=1))
    rows_of_dots = np.flatnonzero((image.max(axis=2) - image.min(axis=2) > 80).any(axis=1))
    assert rows_of_title[-1] < rows_of_dots[0]


def test_a_missing_folder_is_refused(made_up_songs, run, tmp_path):
    refused = run("map", "--index", made_up_songs, "-o", tmp_path / "nowhere" / "m.html")
    assert refused.exit_code == 1
    assert "Can't write" in refused.stderr


@pytest.mark.parametrize(
    ("package", "kind"),
    [
        ("umap", "html"),
        ("sklearn.cluster", "html"),
        ("matplotlib.figure", "png"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_installs_it(
    tmp_path, monkeypatch, package, kind
):
    directory = filled(tmp_path / "i", 60)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra) as caught:
        draw(a_map(directory), tmp_path / f"m.{kind}", kind=kind)
    assert "is not installed" in str(caught.value)
    assert "[map]'" in caught.value.hint


def test_the_map_does_not_import_tensorflow(tmp_path):
    directory = filled(tmp_path / "i", 60)
    code = (
        "import sys; from audiosearch.cli import app; "
        f"app(['map', '--index', {str(directory)!r}], standalone_mode=False); "
        "assert 'umap' in sys.modules; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)

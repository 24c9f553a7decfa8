"""Finding tracks: by words, sounds and ids, in an order; suggestions, samples, excluded tracks."""

import dataclasses

import httpx
import numpy as np
import pytest
from locations import location_in
from served import serving
from tracks import SPEC, heard, some_track, unit_vectors

from audiosearch import Index
from audiosearch.library.suggestions import FIELDS, ranked
from audiosearch.search.listing import matching_ids
from audiosearch.search.sample import sample_ids, spread

COLUMNS = ("title", "artist", "album", "genre", "year", "seconds", "path", "sounds")
LIBRARY = [
    ("Rain", "Beat", "Blue", "Rock", 1990, 100.0, "/m/Blue/1.mp3", {}),
    ("Sun", "Bjo\u0308rk; Beat", "Blue", "Jazz/Folk", 2001, 300.0, "/m/Blue/2.mp3", {"Rain": 0.3}),
    ("Wind", "Rainer", "Gray", None, None, 0.0, "/m/Gray/3.mp3", {"Rain": 0.9, "Bark": 0.2}),
    (None, None, None, None, None, 20.0, "/m/drums/drum4.wav", {"Raindrop": 0.5, "Dog": 0.4}),
    ("sunrise", "BEAT", None, "rock", 1970, 50.0, "/m/rainy/5.mp3", {"Speech": 0.4}),
]


def library():
    """Return the tracks of the library with vectors, and with the ids 1 to 5."""
    for number, (row, vector) in enumerate(zip(LIBRARY, unit_vectors(5), strict=True), start=1):
        fields = dict(zip(COLUMNS, row, strict=True))
        fields |= {"sounds": heard(**fields["sounds"]), "tagger": "t", "id": number}
        fields["content_hash"] = f"{number:032}"  # otherwise all are the same recording
        yield dataclasses.replace(some_track(number), **fields), vector


@pytest.fixture(params=["folder", pytest.param("milvus", marks=pytest.mark.slow), "toy"])
def index(request, tmp_path, monkeypatch):
    """The library in each backend."""
    location = location_in(request.param, tmp_path, monkeypatch)
    with Index(location, spec=SPEC) as opened:
        opened.add_all(library())
        yield opened


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A server of the library in a folder, without a model."""
    folder = tmp_path_factory.mktemp("finding")
    with Index(folder / "index", spec=SPEC) as opened:
        opened.add_all(library())
    with (
        serving(folder, {}) as served,
        httpx.Client(base_url=f"{served.url}/api", timeout=60) as client,
    ):
        yield client


def listed(api, **parameters):
    response = api.get("/tracks", params=parameters)
    assert response.status_code == 200, response.text
    return [track["id"] for track in response.json()["tracks"]]


def suggested(index, words, fields=FIELDS, limit=8):
    found = ranked(index.suggestions.suggestions(words, fields), words, limit)
    return [(one.field, one.text, one.tracks) for one in found]


@pytest.mark.parametrize(
    ("words", "in_texts", "by_sound"),
    [
        pytest.param("rain", {1, 3, 5}, [4, 2], id="a sound, best first"),
        pytest.param("rai", {1, 3, 5}, [4, 2], id="beginning"),
        pytest.param("RAIN sun", {5}, [2], id="a word and a sound"),
        pytest.param("barking", set(), [3], id="another form"),
        pytest.param("rain barking", set(), [3], id="two words"),
        pytest.param("dog rain", set(), [4], id="two sounds"),
        pytest.param("ra", {1, 3, 5}, [], id="too short for a sound"),
        pytest.param("wuthering", set(), [], id="nothing"),
    ],
)
def test_a_word_is_in_the_texts_of_a_track_or_heard_in_it(words, in_texts, by_sound, index):
    ids = matching_ids(index, words, has_sounds=True)
    assert set(ids[: len(in_texts)]) == in_texts
    assert ids[len(in_texts) :] == by_sound
    assert set(matching_ids(index, words, has_sounds=False)) == in_texts


def test_sounds_are_not_words_of_tracks_in_a_library_without_sounds(tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as plain:
        plain.add_all((dataclasses.replace(t, sounds=(), tagger=""), v) for t, v in library())
        assert set(matching_ids(plain, "rain", has_sounds=True)) == {1, 3, 5}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({}, [1, 2, 3, 4, 5], id="all"),
        pytest.param({"sort": "id", "descending": True}, [5, 4, 3, 2, 1], id="id, descending"),
        pytest.param({"descending": True}, [5, 4, 3, 2, 1], id="descending"),
        pytest.param({"sort": "title"}, [4, 1, 2, 5, 3], id="title, or else the name of the file"),
        pytest.param({"sort": "artist"}, [1, 5, 2, 3, 4], id="artist, without case"),
        pytest.param({"sort": "album", "descending": True}, [3, 1, 2, 4, 5], id="missing last"),
        pytest.param({"sort": "year"}, [5, 1, 2, 3, 4], id="year"),
        pytest.param({"sort": "seconds"}, [4, 5, 1, 2, 3], id="unknown length last"),
        pytest.param({"sort": "relevance"}, [1, 2, 3, 4, 5], id="relevance without words"),
        pytest.param({"sort": "year", "words": "rain"}, [5, 1, 2, 3, 4], id="words"),
        pytest.param({"words": "sun", "only.genre": "rock"}, [5], id="words and a filter"),
        pytest.param({"sort": "title", "offset": 1, "limit": 2}, [1, 2], id="page"),
        pytest.param({"id": [5, 99, 2, 2]}, [5, 2, 2], id="ids"),
    ],
)
def test_tracks_are_listed_in_an_order(parameters, expected, api):
    assert listed(api, **parameters) == expected


def test_the_total_counts_all_matches(api):
    assert api.get("/tracks", params={"words": "rain", "limit": 2}).json()["total"] == 5
    assert api.get("/tracks", params={"id": [3, 99]}).json()["total"] == 1


@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        pytest.param({"sort": "relevance", "descending": True}, 400, "relevance", id="reversed"),
        pytest.param({"sort": "path"}, 422, "sort", id="paths are never sent"),
        pytest.param({"id": [1], "words": "rain"}, 400, "Ids of tracks", id="ids and words"),
        pytest.param({"id": [0]}, 422, "id", id="no id"),
    ],
)
def test_an_invalid_list_is_a_sentence(parameters, status, words, api):
    response = api.get("/tracks", params=parameters)
    assert response.status_code == status
    assert words in response.json()["error"]


def test_a_track_names_its_folder_and_file(api):
    track = api.get("/tracks/4").json()
    assert (track["folder"], track["file"], track["name"]) == ("drums", "drum4.wav", "drum4.wav")
    assert "/m" not in api.get("/tracks/4").text


@pytest.mark.parametrize(
    ("words", "fields", "expected"),
    [
        pytest.param("be", FIELDS, [("artist", "Beat", 3)], id="several spellings are one"),
        pytest.param("bjork", FIELDS, [("artist", "Bjo\u0308rk", 1)], id="without accents"),
        pytest.param(
            "rain",
            FIELDS,
            [
                ("sound", "Rain", 2),
                ("title", "Rain", 1),
                ("artist", "Rainer", 1),
                ("sound", "Raindrop", 1),
                ("folder", "rainy", 1),
            ],
            id="equal values first",
        ),
        pytest.param("r", ["genre"], [("genre", "Rock", 2)], id="one field"),
        pytest.param(
            "drum", FIELDS, [("folder", "drums", 1), ("title", "drum4.wav", 1)], id="file"
        ),
        pytest.param(
            "",
            ["genre"],
            [("genre", "Rock", 2), ("genre", "Folk", 1), ("genre", "Jazz", 1)],
            id="all",
        ),
        pytest.param("fo ja", FIELDS, [], id="words of different values"),
        pytest.param('"', ["album"], [("album", "Blue", 2), ("album", "Gray", 1)], id="no word"),
    ],
)
def test_values_are_suggested_for_words(words, fields, expected, index):
    assert suggested(index, words, fields) == expected


def test_suggestions_follow_changes(index):
    assert suggested(index, "gray", ["album"]) == [("album", "Gray", 1)]
    index.remove([index.resolve("#3")])
    assert suggested(index, "gray", ["album"]) == []
    assert suggested(index, "rain", ["sound"]) == [("sound", "Rain", 1), ("sound", "Raindrop", 1)]


def test_two_values_of_a_field_come_before_more_of_it(tmp_path):
    with Index(tmp_path / "index", spec=SPEC) as many:
        tracks = [dataclasses.replace(some_track(n), artist=f"Sing {n}") for n in range(9)]
        many.add_all(zip(tracks, unit_vectors(9), strict=True))
        fields = [field for field, _, _ in suggested(many, "s", limit=6)]
    assert fields == ["artist", "artist", "title", "title", "artist", "artist"]


def test_suggestions_over_http(api):
    answer = api.get("/suggestions", params={"words": "ra", "limit": 2}).json()
    assert answer == {
        "suggestions": [
            {"field": "sound", "text": "Rain", "tracks": 2},
            {"field": "artist", "text": "Rainer", "tracks": 1},
        ]
    }
    only = api.get("/suggestions", params={"words": "ra", "field": ["title", "album"]}).json()
    assert [one["field"] for one in only["suggestions"]] == ["title"]
    fields = {one["field"] for one in api.get("/suggestions").json()["suggestions"]}
    assert fields == {"artist", "album", "genre", "sound", "folder"}
    assert api.get("/suggestions", params={"field": "path"}).status_code == 422
    assert api.get("/suggestions", params={"limit": 101}).status_code == 422


def test_a_sample_has_tracks_of_each_group():
    centers, noise = unit_vectors(6, seed=1), 0.1 * unit_vectors(600, seed=2)
    sizes = [500, 60, 20, 10, 5, 5]
    groups = np.repeat(np.arange(6), sizes)
    vectors = centers[groups] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = spread(vectors.astype(np.float32), 12)
    assert len(set(chosen.tolist())) == 12
    assert set(groups[chosen].tolist()) == set(range(6))


def test_a_sample_of_equal_vectors_has_different_tracks():
    assert len(set(spread(np.repeat(unit_vectors(1), 50, axis=0), 20).tolist())) == 20


def test_a_sample_is_always_the_same_and_leaves_out_missing_tracks(index):
    ids = [4, 2, 99, 1, 3]
    chosen = sample_ids(index, ids, 2)
    assert len(chosen) == 2
    assert chosen == [i for i in ids if i in chosen]
    assert set(sample_ids(index, ids[::-1], 2)) == set(chosen)
    assert sample_ids(index, ids, 25) == [4, 2, 1, 3]


def test_samples_over_http(api):
    answer = api.post("/tracks/sample", json={"tracks": [5, 1, 2, 3], "n": 2}).json()
    assert len(answer["tracks"]) == 2
    many = api.post("/tracks/sample", json={"tracks": list(range(1, 20_001)), "n": 25}).json()
    assert [track["id"] for track in many["tracks"]] == [1, 2, 3, 4, 5]
    too_many = api.post("/tracks/sample", json={"tracks": list(range(1, 20_002))})
    assert too_many.status_code == 422


def test_excluded_tracks_stay_out_of_a_playlist_even_as_seeds(api):
    def ids(**fields):
        response = api.post("/playlist", json={"tracks": [1], "n": 5, **fields})
        assert response.status_code == 200, response.text
        return {track["id"] for track in response.json()["tracks"]}

    assert ids() == {1, 2, 3, 4, 5}
    assert ids(exclude_tracks=[2, 4, 99]) == {1, 3, 5}
    assert ids(exclude_tracks=[1, 2]) == {3, 4, 5}

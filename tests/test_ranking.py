"""Ranking of hits: filters, words, whitening, duplicates, evaluation."""

import json
from dataclasses import replace

import numpy as np
import pytest

from audiosearch import Index, LibraryError, TrackNotFound, UsageError, similar
from audiosearch.errors import AmbiguousTrack
from audiosearch.library.filters import EVERYTHING, Filters, Range
from audiosearch.library.index import EmbeddingSpec, Track
from audiosearch.models.registry import ModelRequest, compact
from audiosearch.search.duplicates import duplicates
from audiosearch.search.evaluate import Label, deduplicate, evaluate
from audiosearch.search.query import Query, SearchOptions, search_batch
from audiosearch.search.query_vectors import QueryVectors
from audiosearch.search.same_recording import same_recordings

GENRES = ("Rock", "Jazz; Soul", "rock/pop", None)


def crowd(n_tracks, seed=0):
    """Return unit vectors that are similar to each other, as VGGish's are, in clusters of five."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((n_tracks // 5 + 1, 128)).repeat(5, axis=0)[:n_tracks]
    vectors = 2 * np.abs(rng.standard_normal(128)) + 0.5 * centers
    vectors += 0.4 * rng.standard_normal((n_tracks, 128)) * rng.uniform(0.2, 2, 128)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def a_track(number):
    return Track(
        path=f"/music/{number % 7}/{number}.mp3",
        size=number,
        mtime_ns=1,
        content_hash=f"{number:032x}",
        seconds=30.0 * (number % 20),
        sample_rate_hz=44_100,
        channels=2,
        format="mp3",
        title=f"Song {number}",
        artist=f"Band {number // 5}",
        album=f"LP {number // 10}",
        album_artist="Various" if number % 2 else None,
        genre=GENRES[number % 4],
        year=1980 + number % 30 if number % 3 else None,
        id=number + 1,
    )


def filled(place):
    index = Index(place, spec=EmbeddingSpec("compact", compact().weights_digest))
    index.add_all(zip(map(a_track, range(400)), crowd(400), strict=True))
    return index


@pytest.fixture
def index(place):
    with filled(place) as index:
        yield index


@pytest.fixture
def in_folder(tmp_path):
    with filled(tmp_path / "i") as index:
        yield index


def test_a_batch_of_queries_has_the_hits_of_each_query_alone(index):
    all_options = (
        SearchOptions(),
        SearchOptions(whiten=True),
        SearchOptions(Filters(genre=("Soul",))),
    )
    queries = []
    for number, track in enumerate(list(index)[:30]):
        seeds = QueryVectors(index, ModelRequest())
        negatives = seeds.empty_copy()
        seeds.add_track(track)
        if number % 4 == 1:
            negatives.add_track(index.resolve("#99"))
        options = all_options[number % 3]
        queries.append(Query(index, seeds, negatives, k=1 + number, options=options))
    batch = search_batch(index, queries)
    alone = [search_batch(index, [query])[0] for query in queries]
    for query, first, second in zip(queries, batch, alone, strict=True):
        assert len(first.hits) == query.k
        assert [hit.track for hit in first.hits] == [hit.track for hit in second.hits]
        cosines = [[hit.similarity for hit in result.hits] for result in (first, second)]
        np.testing.assert_allclose(*cosines, atol=1e-6)


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (Filters(artist=("band 3", "BAND 7")), lambda t: t.artist in ("Band 3", "Band 7")),
        (Filters(artist=("various",)), lambda t: t.album_artist == "Various"),
        (Filters(album=("lp 2",)), lambda t: t.album == "LP 2"),
        (Filters(genre=("rock",)), lambda t: t.genre in ("Rock", "rock/pop")),
        (Filters(genre=("soul",)), lambda t: t.genre == "Jazz; Soul"),
        (Filters(year=(Range(1990, 1995),)), lambda t: 1990 <= (t.year or 0) <= 1995),
        (Filters(seconds=(Range(60, 90), Range(300))),
         lambda t: t.seconds in (60, 90) or t.seconds >= 300),
        (Filters(folder=("/music/3",)), lambda t: t.path.startswith("/music/3/")),
        (Filters(exclude=Filters(year=(Range(1990),))), lambda t: not (t.year or 0) >= 1990),
        (Filters(exclude=Filters(genre=("rock",), album=("lp 1",))),
         lambda t: t.genre not in ("Rock", "rock/pop") and t.album != "LP 1"),
        (Filters(genre=("rock",), year=(Range(1990),), exclude=Filters(artist=("band 3",))),
         lambda t: "rock" in (t.genre or "").lower() and (t.year or 0) >= 1990
         and t.artist != "Band 3"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("whiten", [False, True])
def test_hits_are_the_nearest_tracks_that_pass_the_filters(index, filters, passes, whiten):
    expected = {t.id for t in index if passes(t)} - {1}
    assert expected
    options = SearchOptions(filters, whiten=whiten)
    hits = similar(index, "#1", k=1_000, options=options).hits
    assert {hit.track.id for hit in hits} == expected
    first = similar(index, "#1", k=5, options=options).hits
    assert [hit.track.id for hit in first] == [hit.track.id for hit in hits][:5]
    assert len(first) == min(5, len(expected))


def test_plain_hits_have_the_largest_cosines(index):
    vectors = crowd(400)
    years = np.array([track.year or 0 for track in index])
    for number in range(0, 400, 5):
        cosines = vectors.astype(np.float64) @ vectors[number]
        cosines[number] = -2
        filters = EVERYTHING
        if number % 4:
            filters = Filters(year=(Range(1990),))
            cosines[years < 1990] = -2
        hits = similar(index, f"#{number + 1}", k=10, options=SearchOptions(filters)).hits
        order = np.argsort(-cosines)[:10]
        assert [hit.track.id - 1 for hit in hits] == order.tolist()
        np.testing.assert_allclose([h.similarity for h in hits], cosines[order], atol=1e-6)


@pytest.mark.parametrize("text", ["x..y", "10..5", "..", "", "ten"])
def test_a_text_that_is_not_a_range_is_a_usage_error(text):
    with pytest.raises(UsageError, match=r"is (no|not a) range"):
        Range.parsed(text)


def test_the_similarity_is_the_cosine_even_if_whitened_vectors_rank(index):
    vectors = crowd(400)
    for options in (SearchOptions(whiten=True), SearchOptions(whiten=True, min_similarity=0.5)):
        for hit in similar(index, "#9", k=30, options=options).hits:
            cosine = float(vectors[hit.track.id - 1] @ vectors[8])
            assert hit.similarity == pytest.approx(cosine, abs=1e-5)
            assert cosine >= (options.min_similarity or -1)


def test_less_similar_tracks_than_the_minimum_are_left_out(index):
    similarities = [hit.similarity for hit in similar(index, "#1", k=399).hits]
    options = SearchOptions(min_similarity=similarities[20])
    hits = similar(index, "#1", k=399, options=options).hits
    assert [hit.similarity for hit in hits] == similarities[:21]


def test_tracks_like_a_negative_rank_lower_and_the_negative_is_not_a_hit(index):
    before = {h.track.id: h.rank for h in similar(index, "#1", k=399).hits}
    after = {h.track.id: h.rank for h in similar(index, "#1", unlike=["#2"], k=399).hits}
    assert 2 not in after
    siblings = (3, 4, 5)  # in the cluster of #1 and #2
    assert sum(after[i] for i in siblings) > sum(before[i] for i in siblings)


def test_words_find_the_one_track_that_has_them(index):
    by_id = similar(index, "#43").hits
    assert similar(index, named=["band 8 song 42"]).hits == by_id
    assert similar(index, named=["SONG 42 lp 4 band 8"]).hits == by_id
    with pytest.raises(TrackNotFound, match="No track has all of the words"):
        similar(index, named=["song nowhere"])
    with pytest.raises(AmbiguousTrack) as raised:
        similar(index, named=["band"])
    assert len(raised.value.candidates) == 20
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("words", ['"', "a AND", "NEAR(", "col:x", "*", "-", "'; DROP TABLE"])
def test_operators_of_full_text_search_are_plain_words(index, words):
    with pytest.raises(TrackNotFound):
        similar(index, named=[words])


def test_words_find_a_changed_track_and_not_a_removed_one(index):
    track = index.resolve("#10")
    index.storage.update(replace(track, title="Zwölfton", path="/else/where.mp3"))
    assert [t.id for t in index.search_text("zwolf")] == [10]
    assert [t.id for t in index.search_text("where")] == [10]
    index.remove([index.resolve("#10")])
    assert index.search_text("zwolf") == []


def test_whitening_needs_enough_tracks(place):
    with Index(place, spec=EmbeddingSpec("compact", "f")) as small:
        small.add_all(zip(map(a_track, range(20)), crowd(20), strict=True))
        with pytest.raises(LibraryError, match="20 tracks are too few"):
            similar(small, "#1", options=SearchOptions(whiten=True))
        assert evaluate(small, Label.ARTIST).whitened is None


def test_whitening_is_updated_and_fitted_again_when_the_index_grows(in_folder, caplog):
    index = in_folder
    first = similar(index, "#1", k=3, options=SearchOptions(whiten=True)).hits
    fitted = index.vector_index(whiten=True).transform(crowd(5))
    index.remove([first[0].track])
    again = similar(index, "#1", k=2, options=SearchOptions(whiten=True)).hits
    assert [hit.track for hit in again] == [hit.track for hit in first[1:]]
    np.testing.assert_array_equal(index.vector_index(whiten=True).transform(crowd(5)), fitted)
    with index.transaction():
        for number, vector in enumerate(crowd(200, seed=1), start=400):
            index.add(a_track(number), vector)
    assert not np.allclose(index.vector_index(whiten=True).transform(crowd(5)), fitted, atol=1e-4)
    with Index(index.location) as reopened:
        hits = similar(reopened, "#1", k=50, options=SearchOptions(whiten=True)).hits
        assert hits == similar(index, "#1", k=50, options=SearchOptions(whiten=True)).hits
    assert caplog.text == ""


def test_whitened_vectors_are_less_similar_to_each_other(index):
    vector_indexes = (index.vector_index(), index.vector_index(whiten=True))
    ids = index.storage.ids(EVERYTHING)
    plain, whitened = (vector_index.vectors_of(ids) for vector_index in vector_indexes)
    np.testing.assert_allclose(np.linalg.norm(whitened, axis=1), 1.0, atol=1e-5)
    assert np.mean(whitened @ whitened.T) < 0.2 * np.mean(plain @ plain.T)


def reference_scores(vectors, labels):
    """Compute the scores by their definitions, one track at a time."""
    per_label = {}
    for position, label in enumerate(labels):
        others = [i for i in range(len(labels)) if i != position]
        others.sort(key=lambda i: -float(vectors[i] @ vectors[position]))
        hits = [labels[i] == label for i in others]
        n_relevant = sum(hits)
        if not n_relevant:
            continue
        precisions = [sum(hits[: n + 1]) / (n + 1) for n in range(len(hits)) if hits[n]]
        scores = [sum(hits[:n]) / n for n in (1, 5, 10, n_relevant)]
        per_label.setdefault(label, []).append([*scores, np.mean(precisions)])
    return np.mean([np.mean(scores, axis=0) for scores in per_label.values()], axis=0)


def test_an_evaluation_equals_its_definitions(tmp_path):
    rng = np.random.default_rng(3)
    vectors = crowd(60, seed=3)
    labels = [int(n) for n in rng.integers(0, 15, 60)]
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(vectors):
            index.add(replace(a_track(number), artist=f"A{labels[number]}"), vector)
        copy = replace(a_track(0), path="/copy.mp3", artist=f"A{labels[0]}")
        index.add(copy, vectors[0])  # the same bytes, so it does not count
        result = evaluate(index, Label.ARTIST)
    assert result.tracks == 60
    assert result.labels == sum(labels.count(n) > 1 for n in set(labels))
    s = result.plain
    np.testing.assert_allclose(
        [s.precision_1, s.precision_5, s.precision_10, s.r_precision, s.map],
        reference_scores(vectors, labels),
        atol=1e-9,
    )


def test_the_command_shows_an_evaluation(index, run):
    result = run("evaluate", "--by", "artist", "--index", index.location, "--format", "json")
    report = json.loads(result.stdout)
    assert list(report) == ["by", "tracks", "labels", "plain", "whitened"]
    names = ["precision@1", "precision@5", "precision@10", "r_precision", "map"]
    assert list(report["plain"]) == [*names, "hub_skewness", "never_returned"]
    assert report["whitened"].keys() == report["plain"].keys()
    assert run("evaluate", "--by", "genre", "--index", index.location).exit_code == 0


@pytest.mark.parametrize(
    ("by", "fields", "n_labels"),
    [
        pytest.param("folder", [("/a/live/1", {}), ("/b/live/1", {})], 2, id="folders by path"),
        pytest.param("folder", [("s3://a/live/1", {}), ("s3://b/live/1", {})], 2, id="URLs"),
        pytest.param(
            "album",
            [
                ("/a", {"artist": "A", "album": "Greatest Hits"}),
                ("/b", {"artist": "B", "album": "GREATEST HITS"}),
            ],
            2,
            id="albums by artist",
        ),
        pytest.param(
            "album",
            [
                ("/a", {"artist": "A", "album_artist": "Various", "album": "Sampler"}),
                ("/b", {"artist": "B", "album_artist": "Various", "album": "Sampler"}),
            ],
            1,
            id="one album of several artists",
        ),
    ],
)
def test_folders_and_albums_with_one_name_are_told_apart(tmp_path, by, fields, n_labels):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(8)):
            path, tags = fields[number % 2]
            track = replace(a_track(number), artist=None, album_artist=None, album=None)
            index.add(replace(track, path=f"{path}{number}.mp3", **tags), vector)
        assert evaluate(index, Label(by)).labels == n_labels


def test_an_evaluation_by_one_label_only_says_so(tmp_path, run):
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(crowd(8)):
            index.add(replace(a_track(number), artist="Band", path=f"/m/{number}"), vector)
    for by in ("artist", "folder"):
        result = run("evaluate", "--by", by, "--index", tmp_path / "i")
        assert result.exit_code == 0
        assert f"warning: Only one {by} has two tracks or more" in result.stderr
        assert "8 tracks, 1 label with two or more" in result.stderr
    in_json = run("evaluate", "--by", "artist", "--index", tmp_path / "i", "--format", "json")
    assert json.loads(in_json.stdout)["labels"] == 1
    assert "Only one artist" in in_json.stderr
    assert "warning" not in run("evaluate", "--by", "album", "--index", tmp_path / "i").stderr


def test_whitened_neighbors_share_the_artist_more_often(songs):
    with Index(songs) as index:
        result = evaluate(index, Label.ARTIST)
    plain, whitened = result.plain, result.whitened
    assert whitened.precision_1 >= 1.20 * plain.precision_1
    assert whitened.precision_10 >= 1.09 * plain.precision_10
    assert whitened.r_precision >= 1.20 * plain.r_precision


def test_copies_of_the_same_bytes_are_grouped_with_the_best_copy_first(index):
    original = index.resolve("#5")
    vector = index.vector(original)
    index.add(replace(original, path="/d/a.flac", format="flac"), vector)
    index.add(replace(original, path="/d/copy.mp3"), vector)
    index.add(replace(original, path="/d/live.mp3", content_hash="y"), vector)
    (group,) = duplicates(index)
    assert [copy.track.path for copy in group] == ["/d/a.flac", original.path, "/d/copy.mp3"]


@pytest.mark.parametrize(
    ("seconds", "other", "is_same"),
    [
        pytest.param(200.0, 202.0, True, id="within 1 %"),
        pytest.param(20.0, 21.5, False, id="not within 1 %"),
        pytest.param(0.0, 610.0, True, id="unknown duration"),
    ],
)
def test_the_same_recording_has_the_same_duration(seconds, other, is_same):
    track, copy = replace(a_track(1), seconds=seconds), replace(a_track(2), seconds=other)
    cosines = np.array([0.9995], dtype=np.float32)
    assert len(same_recordings(track, [copy], cosines)) == is_same
    assert len(same_recordings(track, [copy], cosines - np.float32(0.001))) == 0


def test_a_copy_of_a_copy_is_not_a_copy_of_the_original():
    """Track 1 is a copy of track 0. Track 2 is a copy of track 1, but not of track 0."""
    angles = [0.0, 0.04, 0.08]  # radians: cos(0.04) = 0.9992, cos(0.08) = 0.9968
    vectors = np.array([[np.cos(a), np.sin(a)] for a in angles], dtype=np.float32)
    assert deduplicate([a_track(number) for number in (1, 1, 1)], vectors) == [0]
    tracks = [replace(a_track(1), content_hash=str(n)) for n in range(3)]
    assert deduplicate(tracks, vectors) == [0, 2]

"""Which tracks are found, in what order: filters, names, whitening, and how good it is."""

import json
from dataclasses import replace

import numpy as np
import pytest

from audiosearch import Index, LibraryError, TrackNotFound, UsageError, similar
from audiosearch.errors import AmbiguousTrack
from audiosearch.library.filters import EVERYTHING, Filters, Range
from audiosearch.library.index import EmbeddingSpec, Track
from audiosearch.maintenance.export_import import import_vectors
from audiosearch.models.registry import ModelRequest, compact
from audiosearch.search.duplicates import duplicates
from audiosearch.search.evaluate import Label, evaluate
from audiosearch.search.query_vectors import QueryVectors
from audiosearch.search.similar import Query, SearchOptions, answers

GENRES = ("Rock", "Jazz; Soul", "rock/pop", None)


def crowd(n_tracks, seed=0):
    """Unit vectors that crowd, as VGGish's do, in clusters of five."""
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


def test_queries_answered_together_have_the_answers_they_have_alone(index):
    rankings = (
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
        ranking = rankings[number % 3]
        queries.append(Query(index, seeds, negatives, k=1 + number, ranking=ranking))
    together = answers(index, queries)
    alone = [answers(index, [query])[0] for query in queries]
    for query, first, second in zip(queries, together, alone, strict=True):
        assert len(first.hits) == query.k
        assert [hit.track for hit in first.hits] == [hit.track for hit in second.hits]
        cosines = [[hit.similarity for hit in found.hits] for found in (first, second)]
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
def test_hits_are_the_nearest_that_pass_the_filters(index, filters, passes, whiten):
    expected = {t.id for t in index if passes(t)} - {1}
    assert expected
    found = similar(index, "#1", k=1_000, ranking=SearchOptions(filters, whiten=whiten)).hits
    assert {hit.track.id for hit in found} == expected
    some = similar(index, "#1", k=5, ranking=SearchOptions(filters, whiten=whiten)).hits
    assert [hit.track.id for hit in some] == [hit.track.id for hit in found][:5]
    assert len(some) == min(5, len(expected))


def test_plain_hits_are_those_of_the_exact_cosine(index):
    vectors = crowd(400)
    years = np.array([track.year or 0 for track in index])
    for number in range(0, 400, 2):
        cosines = vectors.astype(np.float64) @ vectors[number]
        cosines[number] = -2
        filters = EVERYTHING
        if number % 4:
            filters = Filters(year=(Range(1990),))
            cosines[years < 1990] = -2
        hits = similar(index, f"#{number + 1}", k=10, ranking=SearchOptions(filters)).hits
        order = np.argsort(-cosines)[:10]
        assert [hit.track.id - 1 for hit in hits] == order.tolist()
        np.testing.assert_allclose([h.similarity for h in hits], cosines[order], atol=1e-6)


@pytest.mark.parametrize("text", ["x..y", "10..5", "..", "", "ten"])
def test_what_is_no_range_is_said(text):
    with pytest.raises(UsageError, match="is no range"):
        Range.parsed(text)


def test_the_number_shown_is_the_cosine_whatever_ranked(index):
    vectors = crowd(400)
    for ranking in (SearchOptions(whiten=True), SearchOptions(whiten=True, min_similarity=0.5)):
        for hit in similar(index, "#9", k=30, ranking=ranking).hits:
            cosine = float(vectors[hit.track.id - 1] @ vectors[8])
            assert hit.similarity == pytest.approx(cosine, abs=1e-5)
            assert cosine >= (ranking.min_similarity or -1)


def test_a_least_similarity_leaves_out_the_rest(index):
    everything = [hit.similarity for hit in similar(index, "#1", k=399).hits]
    least = everything[20]
    found = similar(index, "#1", k=399, ranking=SearchOptions(min_similarity=least)).hits
    assert [hit.similarity for hit in found] == everything[:21]


def test_what_is_shunned_ranks_lower_and_is_no_hit(index):
    place = {h.track.id: h.rank for h in similar(index, "#1", k=399).hits}
    negatives = {h.track.id: h.rank for h in similar(index, "#1", unlike=["#2"], k=399).hits}
    assert 2 not in negatives
    siblings = (3, 4, 5)  # in the cluster of both
    assert sum(negatives[i] for i in siblings) > sum(place[i] for i in siblings)


def test_words_name_a_track(index):
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
def test_words_are_no_query_language(index, words):
    with pytest.raises(TrackNotFound):
        similar(index, named=[words])


def test_names_follow_their_tracks(index):
    track = index.resolve("#10")
    index.update(replace(track, title="Zwölfton", path="/else/where.mp3"))
    assert [t.id for t in index.search_text("zwolf")] == [10]
    assert [t.id for t in index.search_text("where")] == [10]
    index.remove([index.resolve("#10")])
    assert index.search_text("zwolf") == []


def test_whitening_needs_a_library(place):
    with Index(place, spec=EmbeddingSpec("compact", "f")) as small:
        small.add_all(zip(map(a_track, range(20)), crowd(20), strict=True))
        with pytest.raises(LibraryError, match="20 tracks are too few"):
            similar(small, "#1", ranking=SearchOptions(whiten=True))
        assert evaluate(small, Label.ARTIST).whitened is None


def test_the_whitened_file_follows_the_library_and_is_fitted_anew_as_it_grows(in_folder, caplog):
    index = in_folder
    first = similar(index, "#1", k=3, ranking=SearchOptions(whiten=True)).hits
    fitted = index.vector_index(whiten=True).transform(crowd(5))
    index.remove([first[0].track])
    again = similar(index, "#1", k=2, ranking=SearchOptions(whiten=True)).hits
    assert [hit.track for hit in again] == [hit.track for hit in first[1:]]
    np.testing.assert_array_equal(index.vector_index(whiten=True).transform(crowd(5)), fitted)
    with index.transaction():
        for number, vector in enumerate(crowd(200, seed=1), start=400):
            index.add(a_track(number), vector)
    assert not np.allclose(index.vector_index(whiten=True).transform(crowd(5)), fitted, atol=1e-4)
    with Index(index.location) as reopened:
        hits = similar(reopened, "#1", k=50, ranking=SearchOptions(whiten=True)).hits
        assert hits == similar(index, "#1", k=50, ranking=SearchOptions(whiten=True)).hits
    assert caplog.text == ""


def test_whitened_vectors_crowd_less(index):
    spaces, ids = (index.vector_index(), index.vector_index(whiten=True)), index.ids(EVERYTHING)
    plain, whitened = (space.vectors_of(ids) for space in spaces)
    np.testing.assert_allclose(np.linalg.norm(whitened, axis=1), 1.0, atol=1e-5)
    assert np.mean(whitened @ whitened.T) < 0.2 * np.mean(plain @ plain.T)


def by_hand(vectors, labels):
    """The scores as their definitions say, one track at a time."""
    per_label = {}
    for place, label in enumerate(labels):
        others = [i for i in range(len(labels)) if i != place]
        others.sort(key=lambda i: -float(vectors[i] @ vectors[place]))
        hits = [labels[i] == label for i in others]
        n_relevant = sum(hits)
        if not n_relevant:
            continue
        precisions = [sum(hits[: n + 1]) / (n + 1) for n in range(len(hits)) if hits[n]]
        scores = [sum(hits[:n]) / n for n in (1, 5, 10, n_relevant)]
        per_label.setdefault(label, []).append([*scores, np.mean(precisions)])
    return np.mean([np.mean(scores, axis=0) for scores in per_label.values()], axis=0)


def test_an_evaluation_is_what_its_definitions_say(tmp_path):
    rng = np.random.default_rng(3)
    vectors = crowd(60, seed=3)
    labels = [int(n) for n in rng.integers(0, 15, 60)]
    with Index(tmp_path / "i", spec=EmbeddingSpec("compact", "f")) as index:
        for number, vector in enumerate(vectors):
            index.add(replace(a_track(number), artist=f"A{labels[number]}"), vector)
        again = replace(a_track(0), path="/again.mp3", artist=f"A{labels[0]}")
        index.add(again, vectors[0])  # the same bytes: it does not count
        found = evaluate(index, Label.ARTIST)
    assert found.tracks == 60
    assert found.labels == sum(labels.count(n) > 1 for n in set(labels))
    s = found.plain
    np.testing.assert_allclose(
        [s.precision_1, s.precision_5, s.precision_10, s.r_precision, s.map],
        by_hand(vectors, labels),
        atol=1e-9,
    )


def test_an_evaluation_is_shown_as_promised(index, run):
    result = run("evaluate", "--by", "artist", "--index", index.location, "--format", "json")
    report = json.loads(result.stdout)
    assert list(report) == ["by", "tracks", "labels", "plain", "whitened"]
    names = ["precision@1", "precision@5", "precision@10", "r_precision", "map"]
    assert list(report["plain"]) == [*names, "hub_skewness", "never_returned"]
    assert report["whitened"].keys() == report["plain"].keys()
    assert run("evaluate", "--by", "genre", "--index", index.location).exit_code == 0


def test_whitening_recovers_artists_of_songs_better(shared):
    files = (shared / "songs" / "embeddings.npy", shared / "songs" / "tracks.json")
    import_vectors("songs", *files)
    with Index("songs") as index:
        found = evaluate(index, Label.ARTIST)
    plain, whitened = found.plain, found.whitened
    assert whitened.precision_1 >= 1.20 * plain.precision_1
    assert whitened.precision_10 >= 1.09 * plain.precision_10
    assert whitened.r_precision >= 1.20 * plain.r_precision


def test_duplicates_are_grouped_the_best_copy_first(index):
    original = index.resolve("#5")
    vector = index.vector(original)
    near = vector + 0.0005 * np.float32(1)
    near /= np.linalg.norm(near)
    index.add(replace(original, path="/d/a.flac", format="flac", content_hash="x"), near)
    index.add(replace(original, path="/d/copy.mp3"), vector)
    index.add(replace(original, path="/d/live.mp3", content_hash="y", seconds=500.0), near)
    (group,) = duplicates(index)
    assert [track.path for track in group] == ["/d/a.flac", original.path, "/d/copy.mp3"]

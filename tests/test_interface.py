"""Specification of `Index`, run for every backend: folder, Milvus, and a toy in memory."""

import dataclasses

import numpy as np
import pytest
from locations import location_in
from tracks import SPEC, made_moments, some_track, unit, unit_vectors

from audiosearch import (
    Index,
    IndexNotFound,
    LibraryError,
    ModelMismatch,
    TrackNotFound,
    UsageError,
    defaults,
)
from audiosearch.library.backend import Capability
from audiosearch.library.filters import Filters, Range
from audiosearch.library.track import EmbeddingSpec, Failure
from audiosearch.models.moments import Moments

any_dimension = pytest.mark.parametrize("dimension", [2, 96, 128, 512])


@pytest.fixture(params=["folder", "milvus", "toy"])
def location(request, tmp_path, monkeypatch):
    """Location of a new index in each backend."""
    return location_in(request.param, tmp_path, monkeypatch)


@pytest.fixture
def dimension():
    """Numbers in a vector. `any_dimension` runs a test with other dimensions too."""
    return 128


@pytest.fixture
def index(location, dimension):
    with Index(location, spec=dataclasses.replace(SPEC, dimension=dimension)) as opened:
        yield opened


@pytest.fixture
def filled(index, dimension):
    vectors = unit_vectors(50, dimension=dimension)
    index.add_all((some_track(number), vector) for number, vector in enumerate(vectors))
    return index, vectors


@pytest.fixture
def with_moments(location):
    """An index with the moments of ten tracks: track n has n + 1 patches."""
    with Index(location, spec=SPEC, moment_hop=0.96) as opened:
        moments = [made_moments(number + 1, seed=number) for number in range(10)]
        rows = [(hashed(number), unit()) for number in range(10)]
        yield opened, opened.add_all(rows, moments=moments), moments


def hashed(number, content="a"):
    """Return a track with a hash of its own."""
    return dataclasses.replace(some_track(number), content_hash=f"{content}{number}")


def stored_moments(index):
    """Return codes and sounds of the moments of all tracks, by id, as bytes."""
    ids = [track.id for track in index]
    return {track_id: as_bytes(moments) for track_id, moments in index.moments.of(ids)}


def as_bytes(moments):
    return moments.codes.tobytes(), moments.sounds and moments.sounds.to_bytes()


def reopened(index):
    return Index(index.location)


@any_dimension
def test_a_stored_track_is_returned_unchanged(index, dimension):
    added = index.add(some_track(1), unit(dimension))
    assert list(index) == [added]
    assert index.resolve("/music/1.mp3") == added
    assert index.resolve(f"#{added.id}") == added
    np.testing.assert_array_equal(index.vector(added), unit(dimension))
    assert index.spec.dimension == dimension


def test_a_path_of_any_bytes_is_returned_unchanged(index):
    path = "/music/caf\udce9\n.mp3"
    track = index.add(dataclasses.replace(some_track(1), path=path), unit())
    assert index.resolve(path) == track
    assert next(iter(index)).path == path


def test_tracks_are_listed_page_by_page(filled):
    index, _ = filled
    tracks = list(index)
    assert [track.id for track in tracks] == sorted(track.id for track in tracks)
    assert index.storage.list_tracks(limit=20, offset=0) == tracks[:20]
    assert index.storage.list_tracks(limit=20, offset=40) == tracks[40:]
    assert index.storage.list_tracks(limit=20, offset=2**62) == []


@pytest.mark.parametrize("word", ["𠮷野", "𠮷", "日本", "Zwolf", "ZWÖLF"])
def test_words_of_any_script_find_tracks(index, word):
    titles = ("𠮷野", "日本の歌", "Zwölf Töne", "野")
    for number, title in enumerate(titles):
        index.add(dataclasses.replace(some_track(number), title=title), unit())
    results = [track.title for track in index.search_text(word)]
    assert results == [title for title in titles if title[:2] == results[0][:2]]
    assert results[0][0].casefold() == word[0].casefold()


@pytest.mark.parametrize("span", ["inf..", "..-inf", "5..", "..20", "-inf..inf", "10"])
def test_lengths_are_filtered_by_any_range(index, span):
    parsed = Range.parsed(span)
    for number, seconds in enumerate([0.0, 5.0, 10.0, 30.0]):
        index.add(dataclasses.replace(some_track(number), seconds=seconds), unit())
    expected = [t.id for t in index if t.seconds and parsed.min <= t.seconds <= parsed.max]
    assert index.storage.ids(Filters(seconds=(parsed,))).tolist() == expected


def test_the_same_vector_index_is_returned_each_time(index):
    assert index.vector_index() is index.vector_index()


@any_dimension
def test_adding_a_path_again_keeps_its_id_and_takes_the_new_vector(filled, dimension):
    index, vectors = filled
    before = index.resolve("/music/3.mp3")
    index.search(vectors[3], 1)
    again = index.add(some_track(3), -vectors[3])
    assert again.id == before.id
    assert len(list(index)) == 50
    ((hit, similarity),) = index.search(-vectors[3], 1)
    assert (hit.id, similarity) == (again.id, pytest.approx(1.0))


@any_dimension
def test_hits_equal_those_of_an_exact_numpy_search(filled, dimension):
    index, vectors = filled
    for query in unit_vectors(20, seed=1, dimension=dimension):
        cosines = vectors @ query
        expected = np.argsort(-cosines)[:7]
        hits = index.search(query, 7)
        assert [track.size for track, _ in hits] == list(expected)
        np.testing.assert_allclose([s for _, s in hits], cosines[expected], atol=1e-6)


def test_excluded_tracks_are_left_out_and_k_is_still_filled(filled):
    index, vectors = filled
    first = [track for track, _ in index.search(vectors[0], 3)]
    rest = index.search(vectors[0], 47, exclude=first)
    assert len(rest) == 47
    assert not {track.id for track in first} & {track.id for track, _ in rest}


def test_a_k_above_the_number_of_tracks_returns_all_tracks(filled):
    index, vectors = filled
    assert len(index.search(vectors[0], 1_000)) == 50


def test_an_empty_index_has_no_hits(index):
    assert index.search(unit(), 5) == []


def test_a_moved_track_is_not_removed_by_its_old_path(filled):
    index, _ = filled
    track = index.resolve("/music/7.mp3")
    index.storage.move([(track, "/elsewhere/7.mp3")])
    index.remove([track])
    assert index.resolve("/music/7.mp3") is None
    assert index.resolve("/elsewhere/7.mp3").id == track.id


def test_tags_are_not_set_if_the_content_hash_differs(filled):
    index, vectors = filled
    before = index.resolve("/music/7.mp3")
    index.add(dataclasses.replace(before, content_hash="1" * 32, title="New"), vectors[8])
    index.storage.set_fields([(before, {"title": "Old"})])
    assert index.resolve("/music/7.mp3").title == "New"
    index.storage.set_fields([(index.resolve("/music/7.mp3"), {"title": "Newer"})])
    assert index.resolve("/music/7.mp3").title == "Newer"


def test_a_removed_track_is_neither_listed_nor_found(filled):
    index, vectors = filled
    index.search(vectors[0], 1)
    index.remove(index.resolve_all("/music/0.mp3"))
    with reopened(index) as again:
        assert again.resolve("/music/0.mp3") is None
        assert "/music/0.mp3" not in {track.path for track, _ in again.search(vectors[0], 50)}


def test_a_folder_resolves_to_the_tracks_in_it(index):
    for number, folder in enumerate(["/music/a", "/music/a/b", "/music/ab"]):
        index.add(some_track(number, folder), unit())
    assert sorted(track.size for track in index.resolve_all("/music/a")) == [0, 1]
    with pytest.raises(TrackNotFound, match="/music/c"):
        index.resolve_all("/music/c")
    with pytest.raises(UsageError):
        index.resolve_all("")


@pytest.mark.parametrize(
    "folder",
    [
        "/a%b",
        "/a_b",
        "/quo'te",
        '/quo"te',
        "/back\\slash",
        "/new\nline",
        "/\udce9",
        "/ü",
        "s3://bucket/a",
    ],
)
def test_a_folder_of_any_name_is_filtered(index, folder):
    inside = index.add(some_track(1, folder), unit())
    deeper = index.add(some_track(2, f"{folder}/b"), unit())
    index.add_all((some_track(3, f"{folder}{end}"), unit()) for end in ("c", "%", " ", "\t"))
    expected = sorted([inside.id, deeper.id])
    assert index.storage.ids(Filters(folder=(folder,))).tolist() == expected
    others = index.storage.ids(Filters(exclude=Filters(folder=(folder,))))
    assert not set(others.tolist()) & set(expected)
    assert sorted(track.id for track in index.resolve_all(folder)) == expected
    named = Filters(folder_name=(folder.rpartition("/")[2],))
    assert index.storage.ids(named).tolist() == expected


@pytest.mark.parametrize(
    "text", ["", "=", "'", '"', "\\", "\\u0041", "%", "ß", "a\nb", "]", "日本", "𠮷野"]
)
def test_tags_of_any_text_are_filtered(index, text):
    tagged = dict.fromkeys(("artist", "album", "genre"), text)
    track = index.add(dataclasses.replace(some_track(1), **tagged), unit())
    index.add(some_track(2), unit())
    for name in tagged:
        assert index.storage.ids(Filters(**{name: (text,)})).tolist() == [track.id]


@pytest.mark.parametrize("span", ["1990..", "..1990", "1990", "1e30..", "..-1e30", "-inf..inf"])
def test_years_are_filtered_by_any_range(index, span):
    parsed = Range.parsed(span)
    for number, year in enumerate([None, 1989, 1990, 1991, 0, -5]):
        index.add(dataclasses.replace(some_track(number), year=year), unit())
    expected = [t.year for t in index if t.year is not None and parsed.min <= t.year <= parsed.max]
    tracks = index.by_id(index.storage.ids(Filters(year=(parsed,))).tolist()).values()
    assert sorted(track.year for track in tracks) == sorted(expected)


@pytest.mark.parametrize("near", [None, (unit(), -1.0)])
def test_filters_that_no_track_passes_give_no_hits(filled, near):
    index, vectors = filled
    candidates = index.vector_indexes.candidates(Filters(artist=("nobody",)), near=near)
    ids, products = index.vector_index().search(vectors[0], 5, candidates=candidates)
    assert (len(ids), len(products)) == (0, 0)


@pytest.mark.parametrize("name", ['quo"te', "quo'te", "back\\slash", "new\nline", "\udce9", "𠮷"])
def test_failures_of_any_name_are_stored_and_removed(index, name):
    failures = [Failure(f"/music/{name}{n}", 'it is "empty"', 0, 1) for n in range(3)]
    index.storage.add_failures(failures)
    assert index.storage.failures() == failures
    index.storage.remove_failures(failures[:2])
    assert index.storage.failures() == failures[2:]
    index.add(dataclasses.replace(some_track(1), path=failures[2].path), unit())
    assert index.storage.failures() == []


def test_a_failure_is_removed_when_its_file_is_added(index):
    index.storage.add_failures([Failure("/music/1.mp3", "it is empty", 0, 1)])
    assert index.totals().failures == 1
    index.add(some_track(1), unit())
    assert index.totals().failures == 0


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(EmbeddingSpec("vggish", "a" * 64), id="another model"),
        pytest.param(EmbeddingSpec("compact", "a" * 64), id="other weights"),
        pytest.param(EmbeddingSpec("compact", "f" * 64, 30.0), id="an excerpt"),
        pytest.param(EmbeddingSpec("compact", "f" * 64, None, 64), id="another dimension"),
    ],
)
def test_another_spec_is_rejected_and_both_are_named(index, other):
    with pytest.raises(ModelMismatch) as caught:
        Index(index.location, spec=other)
    assert str(SPEC) in str(caught.value)
    assert str(other) in str(caught.value)


@any_dimension
@pytest.mark.parametrize("size", [1, 64])
def test_a_vector_of_another_dimension_is_rejected_and_both_are_named(index, dimension, size):
    vector = unit(size)
    for act in (lambda: index.add(some_track(1), vector), lambda: index.search(vector, 1)):
        with pytest.raises(ModelMismatch, match=f"{dimension} numbers, not of {size}") as caught:
            act()
        assert str(dimension) in caught.value.hint
    assert list(index) == []


@any_dimension
def test_hits_have_at_least_the_minimum_cosine(filled, dimension):
    index, vectors = filled
    near = index.vector_indexes.candidates(Filters(), near=(vectors[0], 0.1))
    ids, products = index.vector_index().search(vectors[0], 50, candidates=near)
    cosines = vectors @ vectors[0]
    assert len(ids) == np.count_nonzero(cosines >= 0.1)
    assert products.min() >= 0.1


@pytest.mark.parametrize("dimension", [defaults.MAX_DIMENSION])
def test_vectors_of_the_largest_dimension_are_stored_in_several_requests(location, dimension):
    vectors = unit_vectors(130, dimension=dimension)
    with Index(location, spec=dataclasses.replace(SPEC, dimension=dimension)) as index:
        index.add_all((some_track(number), vector) for number, vector in enumerate(vectors))
    with Index(location) as index, index.storage.all_with_vectors() as (n_tracks, rows):
        assert n_tracks == 130
        for track, vector in rows:
            np.testing.assert_array_equal(vector, vectors[track.size])
        ((hit, _),) = index.search(vectors[7], 1)
        assert hit.size == 7


def test_an_empty_index_fails_the_check_for_tracks(index):
    with pytest.raises(LibraryError, match="The index is empty"):
        index.require_tracks()
    index.add(some_track(1), unit())
    index.require_tracks()


def test_the_version_token_changes_with_tracks_and_vectors(index):
    tokens = [index.version_token()]
    track = index.add(some_track(1), unit())
    tokens.append(index.version_token())
    index.storage.set_fields([(track, {"title": "New"})])
    tokens.append(index.version_token())
    index.remove([index.resolve("#" + str(track.id))])
    tokens.append(index.version_token())
    assert len(set(tokens)) == 4


def test_an_index_exists_once_it_is_created(location):
    assert not Index.exists(location)
    with pytest.raises(IndexNotFound):
        Index(location)
    assert not Index.exists(location)
    Index.check_writable(location)
    Index(location, spec=SPEC).close()
    assert Index.exists(location)


def test_settings_are_added_to_the_others(index):
    before = index.storage.settings()
    index.storage.set_settings({"note": "one"})
    index.storage.set_settings({"note": "two"})
    assert index.storage.settings() == before | {"note": "two"}


def test_an_intact_index_has_no_problems(filled):
    index, vectors = filled
    index.search(vectors[0], 1)
    assert index.storage.problems() == []
    assert index.storage.missing_vectors() == []
    assert index.vector_indexes.problem() is None
    assert index.vector_indexes.index_type() == "flat"


def test_search_continues_after_the_search_file_is_deleted(filled):
    index, vectors = filled
    before = index.search(vectors[0], 5)
    index.vector_indexes.delete_file()
    assert index.search(vectors[0], 5) == before


def test_tracks_are_found_by_the_hashes_of_their_content_and_of_their_audio(index):
    hashes = [("a" * 32, "d" * 32), ("b" * 32, "e" * 32), ("a" * 32, "d" * 32), ("", "")]
    rows = [
        dataclasses.replace(some_track(number), content_hash=content, audio_hash=audio)
        for number, (content, audio) in enumerate(hashes)
    ]
    first, second, third, _ = index.add_all((track, unit()) for track in rows)
    assert index.storage.hashes() == {letter * 32 for letter in "abde"}
    result = index.tracks_of(["a" * 32, "c" * 32, "e" * 32])
    assert {h: {t.id for t in tracks} for h, tracks in result.items()} == {
        "a" * 32: {first.id, third.id},
        "c" * 32: set(),
        "e" * 32: {second.id},
    }


def test_a_track_is_found_once_by_two_of_its_hashes(index):
    index.add(dataclasses.replace(some_track(1), content_hash="a", audio_hash="b"), unit())
    many = [f"{number:032x}" for number in range(2_000)]
    found = index.tracks_of(["a", *many, "b"])
    assert [len(found["a"]), len(found["b"])] == [1, 1]


def test_an_empty_tag_differs_from_a_missing_one(index):
    names = ("title", "artist", "album", "album_artist", "genre")
    tracks = [
        dataclasses.replace(some_track(number), **dict.fromkeys(names, text))
        for number, text in enumerate(["", None])
    ]
    empty, missing = index.add_all((track, unit()) for track in tracks)
    assert sorted(index, key=lambda track: track.path) == [empty, missing]
    assert index.storage.artists() == {""}
    for name in ("artist", "album", "genre"):
        assert index.storage.ids(Filters(**{name: ("",)})).tolist() == [empty.id]


def test_artists_of_all_tracks_include_album_artists(index):
    track = dataclasses.replace(some_track(1), artist="Band; Singer", album_artist="Various")
    index.add_all([(track, unit()), (some_track(2), unit())])
    assert index.storage.artists() == {"Band; Singer", "Various"}


NFC, NFD = "Bj\u00f6rk", "Bjo\u0308rk"
STRASSE = "Gro\u00dfe Stra\u00dfe"


@pytest.mark.parametrize(
    ("tags", "filters", "words"),
    [
        pytest.param({"artist": "Band; Singer"}, {"artist": "singer"}, "sing", id="second artist"),
        pytest.param({"artist": "Band; Singer"}, {"artist": "BAND"}, "band", id="first artist"),
        pytest.param({"artist": "Band; Singer"}, {"artist": "Band; Singer"}, "band", id="both"),
        pytest.param({"album_artist": "A; Bee"}, {"artist": "bee"}, "bee", id="album artist"),
        pytest.param({"genre": "Jazz; Soul"}, {"genre": "soul"}, "soul", id="second genre"),
        pytest.param({"genre": "Jazz; R&B/Soul"}, {"genre": "soul"}, "soul", id="genre in a genre"),
        pytest.param({"artist": NFC}, {"artist": NFD}, NFD, id="NFC tag"),
        pytest.param({"artist": NFD}, {"artist": NFC}, NFC, id="NFD tag"),
        pytest.param({"album": STRASSE}, {"album": "GROSSE STRASSE"}, "STRASSE", id="case folding"),
        pytest.param({"title": "\u304b\u3099"}, {}, "\u304c", id="NFD kana"),
        pytest.param({"title": "\ud55c"}, {}, "\u1112\u1161\u11ab", id="NFC hangul"),
    ],
)
def test_every_value_of_a_tag_is_found_in_any_case_and_normal_form(index, tags, filters, words):
    track = dataclasses.replace(some_track(1), title=None)
    other = dataclasses.replace(some_track(2), title=None)
    index.add_all([(dataclasses.replace(track, **tags), unit()), (other, unit())])
    if filters:
        found = index.storage.ids(Filters(**{name: (value,) for name, value in filters.items()}))
        assert len(found) == 1
    assert [track.path for track in index.search_text(words)] == [track.path]


@pytest.mark.parametrize(("stored", "given"), [(NFC, NFD), (NFD, NFC)])
def test_a_path_is_found_in_any_normal_form(index, stored, given):
    track = dataclasses.replace(some_track(1), path=f"/music/{stored}/{stored}.mp3")
    index.add_all([(track, unit()), (some_track(2), unit())])
    assert index.resolve(f"/music/{given}/{given}.mp3").path == track.path
    assert [found.path for found in index.resolve_all(f"/music/{given}")] == [track.path]
    assert len(index.storage.ids(Filters(folder=(f"/music/{given}",)))) == 1
    assert len(index.storage.ids(Filters(folder_name=(given,)))) == 1


def test_tracks_are_found_by_the_sizes_of_their_files(filled):
    index, _ = filled
    tracks = index.storage.tracks_of_sizes([3, 7, 1_000])
    assert sorted(track.path for track in tracks) == ["/music/3.mp3", "/music/7.mp3"]
    assert list(index.storage.tracks_of_sizes([])) == []


def test_sizes_and_times_are_those_of_the_stored_paths(filled):
    index, _ = filled
    paths = ["/music/7.mp3", "/music/none.mp3", "/music/9.mp3"]
    assert index.storage.sizes_and_times(paths) == {"/music/7.mp3": (7, 1), "/music/9.mp3": (9, 1)}


def test_totals_count_tracks_seconds_and_failures(filled):
    index, _ = filled
    index.storage.add_failures([Failure("/music/bad.mp3", "it is empty", 0, 1)])
    totals = index.totals()
    assert (totals.tracks, totals.seconds, totals.failures) == (50, 500.0, 1)
    assert index.n_tracks == 50


@any_dimension
def test_a_batch_of_searches_gives_the_hits_of_single_searches(filled, dimension):
    index, _ = filled
    queries = unit_vectors(4, seed=1, dimension=dimension)
    excluded = [[], [index.search(queries[1], 1)[0][0].id], [], []]
    ks = [1, 5, 3, 50]
    batch = index.vector_index().search_batch(queries, ks, excluded)
    for query, k, exclude_ids, (ids, products) in zip(queries, ks, excluded, batch, strict=True):
        expected = index.vector_index().search(query, k, exclude_ids=exclude_ids)
        assert ids.tolist() == expected[0].tolist()
        np.testing.assert_allclose(products, expected[1], atol=1e-6)


def test_all_words_are_searched_in_tags_and_path_page_by_page(index):
    tags = [{"title": "Blue"}, {"artist": "Blue Band"}, {"album": "Blue"}, {"title": "Band"}]
    for number, fields in enumerate(tags):
        index.add(dataclasses.replace(some_track(number), **{"title": None} | fields), unit())
    blue = index.search_text("blue")
    assert sorted(track.size for track in blue) == [0, 1, 2]
    assert [track.size for track in index.search_text("blue band")] == [1]
    assert index.search_text("blue", limit=1) == blue[:1]
    assert index.search_text("blue", limit=2, offset=2) == blue[2:]
    assert len(index.search_text("music")) == 4


def test_a_new_track_keeps_a_free_id_and_gets_another_for_one_in_use(index):
    first = index.add(dataclasses.replace(some_track(1), id=7), unit())
    second = index.add(dataclasses.replace(some_track(2), id=7), unit())
    assert first.id == 7
    assert second.id != 7


def test_tracks_come_in_the_order_of_their_ids(filled):
    index, _ = filled
    ids = [track.id for track in index]
    assert ids == sorted(ids)
    assert [track.id for track in index.storage.tracks([ids[9], ids[2], 2**52])] == [ids[2], ids[9]]


def test_a_removed_track_has_no_vector(filled):
    index, _ = filled
    track = index.resolve("/music/4.mp3")
    index.remove([track])
    with pytest.raises(TrackNotFound):
        index.vector(track)
    with pytest.raises(TrackNotFound):
        index.vector_index().vectors_of(np.array([track.id]))


def test_too_few_tracks_to_whiten_are_an_error(filled):
    index, _ = filled
    with pytest.raises(LibraryError, match="whiten"):
        index.vector_index(whiten=True)


def test_whitened_hits_are_ranked_by_whitened_vectors(index):
    vectors = unit_vectors(320) + 3 * unit()  # a crowd in one direction
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index.add_all((some_track(number), vector) for number, vector in enumerate(vectors))
    if not index.supports(Capability.WHITEN):
        with pytest.raises(LibraryError, match="whiten"):
            index.vector_index(whiten=True)
        return
    whitened = index.vector_index(whiten=True)
    transformed = whitened.transform(vectors)
    assert np.abs(transformed @ transformed.T).mean() < 0.5 * (vectors @ vectors.T).mean()
    ids, products = whitened.search(transformed[3], 10)
    expected = np.sort(transformed @ transformed[3])[:-11:-1]
    np.testing.assert_allclose(products, expected, atol=1e-5)
    assert index.by_id(ids.tolist())[int(ids[0])].size == 3


def test_moments_are_returned_unchanged_and_survive_closing(with_moments):
    index, tracks, moments = with_moments
    expected = {track.id: as_bytes(m) for track, m in zip(tracks, moments, strict=True)}
    assert stored_moments(index) == expected
    assert index.moments.totals()[:2] == (10, 55)
    assert index.moments.missing() == []
    assert index.moments.damaged() == []
    with reopened(index) as again:
        assert again.moment_hop == 0.96
        assert stored_moments(again) == expected
        assert as_bytes(again.moments_of(tracks[3])) == expected[tracks[3].id]


def test_moments_without_sounds_have_none(with_moments):
    index, (track, *_), _ = with_moments
    index.moments.put({track.id: Moments(made_moments(3).codes)})
    assert index.moments_of(track).sounds is None


def test_an_index_without_moments_has_none(filled):
    index, _ = filled
    assert index.moment_hop is None
    assert index.moments.totals() == (0, 0, 0)
    assert len(index.moments.missing()) == 50
    (result,) = index.moments.search(unit_vectors(1), 5)
    assert [len(array) for array in result] == [0, 0, 0]
    index.moments.remove_all()
    index.remove([index.resolve("/music/1.mp3")])


@pytest.mark.parametrize("k", [1, 7, 100])
def test_patches_near_a_vector_are_found_best_first(with_moments, k):
    index, tracks, moments = with_moments
    rows = [(t.id, n) for t, m in zip(tracks, moments, strict=True) for n in range(len(m))]
    matrix = np.concatenate([m.vectors() for m in moments])
    queries = unit_vectors(3, seed=77)
    for query, found in zip(queries, index.moments.search(queries, k), strict=True):
        products = matrix @ query
        best = np.argsort(-products)[:k]
        pairs = zip(found.track_ids.tolist(), found.patches.tolist(), strict=True)
        assert list(pairs) == [rows[row] for row in best]
        np.testing.assert_allclose(found.products, products[best], atol=1e-5)


def test_only_patches_of_allowed_tracks_are_found(with_moments):
    index, tracks, _ = with_moments
    allowed = np.array([tracks[3].id, tracks[8].id, 2**40])
    (found,) = index.moments.search(unit_vectors(1), 100, ids=allowed)
    assert sorted(found.track_ids.tolist()) == sorted([tracks[3].id] * 4 + [tracks[8].id] * 9)
    (none,) = index.moments.search(unit_vectors(1), 100, ids=np.empty(0, dtype=np.int64))
    assert len(none.patches) == 0


def test_removed_tracks_take_their_moments_along(with_moments):
    index, tracks, _ = with_moments
    index.moments.search(unit_vectors(1), 5)
    index.remove(tracks[5:])
    for opened in (index, reopened(index)):
        assert opened.moments.totals()[:2] == (5, 15)
        (found,) = opened.moments.search(unit_vectors(1), 100)
        assert set(found.track_ids.tolist()) == {track.id for track in tracks[:5]}
    opened.close()


def test_replaced_moments_are_found_in_place_of_the_former_ones(with_moments):
    index, tracks, moments = with_moments
    index.moments.search(unit_vectors(1), 5)
    new = made_moments(3, seed=55)
    index.moments.put({tracks[9].id: new, tracks[8].id: None, 2**40: new})
    assert index.moments.totals()[:2] == (9, 55 - 10 - 9 + 3)
    assert [track.id for track in index.moments.missing()] == [tracks[8].id]
    old, found = index.moments.search(np.stack([moments[9].vectors()[7], new.vectors()[2]]), 1)
    assert old.products[0] < 0.9
    assert (found.track_ids[0], found.patches[0]) == (tracks[9].id, 2)


@pytest.mark.parametrize(
    ("content", "n_kept"),
    [
        pytest.param("a", 10, id="the same content keeps them"),
        pytest.param("b", 9, id="other content loses them"),
    ],
)
def test_a_track_that_is_added_again_without_moments(with_moments, content, n_kept):
    index, _, _ = with_moments
    index.add(hashed(4, content), unit())
    assert index.moments.totals()[0] == n_kept
    assert len(index.moments.missing()) == 10 - n_kept


def test_a_moved_track_keeps_its_moments(with_moments):
    index, tracks, moments = with_moments
    index.storage.move([(tracks[2], "/elsewhere/2.mp3")])
    index.storage.set_fields([(tracks[2], {"title": "New"})])
    moved = index.resolve("/elsewhere/2.mp3")
    assert as_bytes(index.moments_of(moved)) == as_bytes(moments[2])


def test_an_index_without_a_hop_loses_its_moments(with_moments):
    index, tracks, _ = with_moments
    index.set_moment_hop(None)
    assert index.moments.totals() == (0, 0, 0)
    (found,) = index.moments.search(unit_vectors(1), 5)
    assert len(found.patches) == 0
    index.set_moment_hop(0.48)
    index.moments.put({tracks[0].id: made_moments(2)})
    assert index.moments.totals()[:2] == (1, 2)
    assert index.moment_hop == 0.48

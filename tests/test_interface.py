"""What an index promises, whatever keeps it: in a folder and in Milvus."""

import dataclasses
import os

import numpy as np
import pytest
from tracks import SPEC, some_track, unit, unit_vectors

from audiosearch import Index, ModelMismatch, TrackNotFound, UsageError
from audiosearch.library.filters import Filters, Range
from audiosearch.library.index import EmbeddingSpec, Failure


@pytest.fixture
def index(place):
    with Index(place, spec=SPEC) as opened:
        yield opened


@pytest.fixture
def filled(index):
    vectors = unit_vectors(50)
    index.add_all((some_track(number), vector) for number, vector in enumerate(vectors))
    return index, vectors


def reopened(index):
    return Index(index.location)


def test_a_track_comes_back_as_it_went_in(index):
    added = index.add(some_track(1), unit_vectors(1)[0])
    assert list(index) == [added]
    assert index.resolve("/music/1.mp3") == added
    assert index.resolve(f"#{added.id}") == added
    np.testing.assert_array_equal(index.vector(added), unit_vectors(1)[0])


def test_paths_of_any_bytes_come_back(index):
    path = os.fsdecode(b"/music/caf\xe9\n.mp3")
    track = index.add(dataclasses.replace(some_track(1), path=path), unit())
    assert index.resolve(path) == track
    assert next(iter(index)).path == path


def test_tracks_are_listed_page_by_page(filled):
    index, _ = filled
    everything = list(index)
    assert [track.id for track in everything] == sorted(track.id for track in everything)
    assert index.list_tracks(limit=20) == everything[:20]
    assert index.list_tracks(limit=20, offset=40) == everything[40:]
    assert index.list_tracks(limit=20, offset=2**62) == []


@pytest.mark.parametrize("word", ["𠮷野", "𠮷", "日本", "Zwolf", "ZWÖLF"])
def test_words_of_any_script_name_a_track(index, word):
    titles = ("𠮷野", "日本の歌", "Zwölf Töne", "野")
    for number, title in enumerate(titles):
        index.add(dataclasses.replace(some_track(number), title=title), unit())
    found = [track.title for track in index.search_text(word)]
    assert found == [title for title in titles if title[:2] == found[0][:2]]
    assert found[0][0].casefold() == word[0].casefold()


@pytest.mark.parametrize("span", ["inf..", "..-inf", "5..", "..20", "-inf..inf", "10"])
def test_lengths_filter_whatever_the_range(index, span):
    wanted = Range.parsed(span)
    for number, seconds in enumerate([0.0, 5.0, 10.0, 30.0]):
        index.add(dataclasses.replace(some_track(number), seconds=seconds), unit())
    expected = [t.id for t in index if t.seconds and wanted.min <= t.seconds <= wanted.max]
    assert index.storage.ids(Filters(seconds=(wanted,))).tolist() == expected


def test_what_is_asked_of_one_space_can_be_asked_together(index):
    assert index.vector_index() is index.vector_index()


def test_adding_a_path_again_keeps_its_id_and_takes_the_new_vector(filled):
    index, vectors = filled
    before = index.resolve("/music/3.mp3")
    index.search(vectors[3], 1)
    again = index.add(some_track(3), -vectors[3])
    assert again.id == before.id
    assert len(list(index)) == 50
    ((found, similarity),) = index.search(-vectors[3], 1)
    assert (found.id, similarity) == (again.id, pytest.approx(1.0))


def test_nearest_is_numpys_exact_cosine(filled):
    index, vectors = filled
    for query in unit_vectors(20, seed=1):
        cosines = vectors @ query
        expected = np.argsort(-cosines)[:7]
        found = index.search(query, 7)
        assert [track.size for track, _ in found] == list(expected)
        np.testing.assert_allclose([s for _, s in found], cosines[expected], atol=1e-6)


def test_excluded_tracks_are_left_out_and_k_is_still_filled(filled):
    index, vectors = filled
    first = [track for track, _ in index.search(vectors[0], 3)]
    rest = index.search(vectors[0], 47, exclude=first)
    assert len(rest) == 47
    assert not {track.id for track in first} & {track.id for track, _ in rest}


def test_more_hits_than_tracks_are_all_tracks(filled):
    index, vectors = filled
    assert len(index.search(vectors[0], 1_000)) == 50


def test_an_empty_index_has_no_hits(index):
    assert index.search(unit(), 5) == []


def test_a_track_that_moved_meanwhile_is_not_removed(filled):
    index, _ = filled
    track = index.resolve("/music/7.mp3")
    index.storage.move([(track, "/elsewhere/7.mp3")])
    index.remove([track])
    assert index.resolve("/music/7.mp3") is None
    assert index.resolve("/elsewhere/7.mp3").id == track.id


def test_tags_of_a_file_that_was_embedded_anew_meanwhile_are_left_alone(filled):
    index, vectors = filled
    before = index.resolve("/music/7.mp3")
    index.add(dataclasses.replace(before, content_hash="1" * 32, title="New"), vectors[8])
    index.storage.set_tags(before, {"title": "Old"})
    assert index.resolve("/music/7.mp3").title == "New"
    index.storage.set_tags(index.resolve("/music/7.mp3"), {"title": "Newer"})
    assert index.resolve("/music/7.mp3").title == "Newer"


def test_removed_tracks_are_gone_from_both(filled):
    index, vectors = filled
    index.search(vectors[0], 1)
    index.remove(index.resolve_all("/music/0.mp3"))
    with reopened(index) as again:
        assert again.resolve("/music/0.mp3") is None
        assert "/music/0.mp3" not in {track.path for track, _ in again.search(vectors[0], 50)}


def test_a_folder_stands_for_what_is_in_it(index):
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
def test_a_folder_of_any_name_filters(index, folder):
    inside = index.add(some_track(1, folder), unit())
    deeper = index.add(some_track(2, f"{folder}/b"), unit())
    index.add_all((some_track(3, f"{folder}{end}"), unit()) for end in ("c", "%", " ", "\t"))
    expected = sorted([inside.id, deeper.id])
    assert index.storage.ids(Filters(folder=(folder,))).tolist() == expected
    assert not set(index.storage.ids(Filters(exclude=Filters(folder=(folder,)))).tolist()) & set(
        expected
    )
    assert sorted(track.id for track in index.resolve_all(folder)) == expected


@pytest.mark.parametrize(
    "text", ["", "=", "'", '"', "\\", "\\u0041", "%", "ß", "a\nb", "]", "日本", "𠮷野"]
)
def test_tags_of_any_text_filter(index, text):
    tagged = dict.fromkeys(("artist", "album", "genre"), text)
    track = index.add(dataclasses.replace(some_track(1), **tagged), unit())
    index.add(some_track(2), unit())
    for name in tagged:
        assert index.storage.ids(Filters(**{name: (text,)})).tolist() == [track.id]


@pytest.mark.parametrize("span", ["1990..", "..1990", "1990", "1e30..", "..-1e30", "-inf..inf"])
def test_years_filter_whatever_the_range(index, span):
    wanted = Range.parsed(span)
    for number, year in enumerate([None, 1989, 1990, 1991, 0, -5]):
        index.add(dataclasses.replace(some_track(number), year=year), unit())
    expected = [t.year for t in index if t.year is not None and wanted.min <= t.year <= wanted.max]
    found = index.by_id(index.storage.ids(Filters(year=(wanted,))).tolist()).values()
    assert sorted(track.year for track in found) == sorted(expected)


@pytest.mark.parametrize("near", [None, (unit(), -1.0)])
def test_a_filter_that_nothing_fits_finds_nothing(filled, near):
    index, vectors = filled
    candidates = index.vector_indexes.candidates(Filters(artist=("nobody",)), near=near)
    ids, products = index.vector_index().search(vectors[0], 5, candidates=candidates)
    assert (len(ids), len(products)) == (0, 0)


@pytest.mark.parametrize("name", ['quo"te', "quo'te", "back\\slash", "new\nline", "\udce9", "𠮷"])
def test_failures_of_any_name_are_kept_and_forgotten(index, name):
    failures = [Failure(f"/music/{name}{n}", 'it is "empty"', 0, 1) for n in range(3)]
    index.storage.add_failures(failures)
    assert index.storage.failures() == failures
    index.storage.remove_failures(failures[:2])
    assert index.storage.failures() == failures[2:]
    index.add(dataclasses.replace(some_track(1), path=failures[2].path), unit())
    assert index.storage.failures() == []


def test_a_failure_is_forgotten_when_its_file_is_added(index):
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
    ],
)
def test_another_identity_is_refused_naming_both(index, other):
    with pytest.raises(ModelMismatch) as refused:
        Index(index.location, spec=other)
    assert str(SPEC) in str(refused.value)
    assert str(other) in str(refused.value)

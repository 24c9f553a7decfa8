"""An index in Milvus: by its address, with every command, and as true as one in a folder."""

import json
import os
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from milvus_server import milvus_server
from served import serving
from test_ranking import a_track, crowd
from tracks import SPEC, some_track, unit, unit_vectors

from audiosearch import Index, IndexNotFound, similar
from audiosearch.library.filters import Filters, Range
from audiosearch.library.index import EmbeddingSpec, Failure
from audiosearch.library.milvus.catalog import MilvusCatalog
from audiosearch.library.milvus.database import MilvusStore
from audiosearch.library.milvus.schema import coded, decoded
from audiosearch.maintenance.copy import copy
from audiosearch.models.registry import ModelRequest, compact
from audiosearch.playlists.builder import Constraints
from audiosearch.playlists.request import PlaylistRequest, playlist
from audiosearch.playlists.similar import PlaylistOptions
from audiosearch.search.similar import SearchOptions

COMPACT = EmbeddingSpec("compact", compact().weights_digest)


def rows_of(run, *command):
    result = run(*command, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_every_command_works_on_it(address, music, run, tmp_path):
    at = ("--index", address)
    assert run("add", music, "--model", "compact", *at).exit_code == 0
    assert "5 unchanged" in run("add", music, *at).stderr
    tracks = rows_of(run, "list", *at)["tracks"]
    assert {os.path.basename(track["path"]) for track in tracks} == {
        *("low.wav", "high.wav", "hiss.flac", "tune.ogg", "hiss2.wav")
    }
    info = rows_of(run, "info", *at)
    assert (info["index"], info["tracks"], info["model"]) == (address, 5, "compact")
    hits = rows_of(run, "query", music / "hiss.flac", "-k", 1, *at)["hits"]
    assert os.path.basename(hits[0]["path"]) == "hiss2.wav"
    played = run("playlist", music / "hiss.flac", "-n", 3, *at).stdout
    assert len([line for line in played.splitlines() if not line.startswith("#")]) == 3
    assert rows_of(run, "evaluate", "--by", "folder", *at)["tracks"] == 5
    assert run("export", tmp_path / "out", *at).exit_code == 0
    assert run("remove", music / "deep", *at).stderr == "1 removed\n"
    back = run("import", tmp_path / "out/vectors.npy", tmp_path / "out/tracks.jsonl", *at)
    assert back.stderr == "5 imported\n"
    assert rows_of(run, "list", *at)["tracks"] == tracks
    assert run("doctor", *at).exit_code == 0


def test_it_is_served_and_mapped(address, music, run):
    assert run("add", music, "--model", "compact", "--index", address).exit_code == 0
    with serving(music, {}, index=address) as served:
        with urllib.request.urlopen(f"{served.url}/api/tracks") as found:
            tracks = json.load(found)["tracks"]
        assert len(tracks) == 5
        with urllib.request.urlopen(f"{served.url}/api/map") as found:
            assert sorted(json.load(found)["ids"]) == sorted(track["id"] for track in tracks)


# As true as in a folder


FILTERS = [
    Filters(year=(Range(1990, 1995),)),
    Filters(seconds=(Range(60, 90), Range(300))),
    Filters(artist=("band 30", "band 31", "VARIOUS")),
    Filters(folder=("/music/3",)),
    Filters(genre=("rock",), exclude=Filters(year=(Range(2000),))),
]


def test_filtered_hits_are_those_of_a_folder_s_index(tmp_path):
    n_tracks = 20_000
    vectors = crowd(n_tracks)
    found = []
    for place in (tmp_path / "index", f"milvus+lite:{tmp_path / 'index.db'}"):
        with Index(place, spec=COMPACT) as index:
            index.add_all(zip(map(a_track, range(n_tracks)), vectors, strict=True))
        with Index(place) as index:
            hits = []
            for number in range(200):
                candidates = index.vector_indexes.candidates(FILTERS[number % len(FILTERS)])
                query = {"among": candidates, "without": [97 * number + 1]}
                hits.append(index.vector_index().search(vectors[97 * number], 10, **query))
            found.append(hits)
    for local, remote in zip(*found, strict=True):
        assert len(local[0]) == 10
        assert local[0].tolist() == remote[0].tolist()
        np.testing.assert_allclose(local[1], remote[1], atol=1e-6)


def test_a_copy_there_and_back_changes_nothing(address, tmp_path):
    odd = replace(some_track(7), path=os.fsdecode(b"/m/caf\xe9\n'\"\\%.mp3"), year=1999, genre="")
    failure = Failure("/music/bad.mp3", "it is empty", 0, 1)
    with Index(tmp_path / "first", spec=SPEC) as first:
        first.add_all(zip(map(some_track, range(30)), unit_vectors(30), strict=True))
        first.remove([first.resolve("#3")])
        first.add(odd, unit())
        first.add_failures([failure])
        assert list(copy(first, address))[-1] == 30
        revision = first.revision()
        with Index(address) as there:
            assert list(copy(there, tmp_path / "back"))[-1] == 30
            assert list(copy(there, first.location))[-1] == 30
            with Index(tmp_path / "back") as back:
                for other in (there, back):
                    assert list(other) == list(first)
                    assert other.spec == SPEC
                    assert other.failures() == [failure]
                    for track in first:
                        np.testing.assert_array_equal(other.vector(track), first.vector(track))
        assert first.revision() == revision


def test_a_copy_goes_to_another_place_of_the_same_model(address, tmp_path, run):
    with Index(address, spec=SPEC) as source:
        source.add(some_track(1), unit())
    with Index(tmp_path / "other", spec=COMPACT):
        pass
    refused = run("copy", address, tmp_path / "other")
    assert (refused.exit_code, "was made with compact" in refused.stderr) == (1, True)
    assert run("copy", address, address).exit_code == 2
    assert run("copy", address, tmp_path / "new").stderr == "1 track copied\n"


def test_what_is_longer_than_milvus_keeps_is_cut(address):
    long = dict.fromkeys(("title", "artist", "album", "genre"), "é" * 70_000)
    with Index(address, spec=SPEC) as index:
        added = index.add(replace(some_track(1), **long), unit())
        (kept,) = index
        assert kept.title == "é" * 32_767
        assert index.ids(Filters(artist=(long["artist"],))).tolist() == [added.id]
        assert index.search_text("song") == []


@pytest.mark.parametrize("n_made", [0, 1, 2, 3, 4])
def test_what_was_made_in_part_is_made_whole(n_made, address, monkeypatch):
    asked = MilvusStore.ask

    def break_off(store, request, *args, **options):
        nonlocal n_made
        if request in ("create_collection", "create_index", "upsert"):
            if not n_made:
                raise KeyboardInterrupt
            n_made -= 1
        return asked(store, request, *args, **options)

    monkeypatch.setattr(MilvusStore, "ask", break_off)
    with pytest.raises(KeyboardInterrupt):
        Index(address, spec=SPEC)
    monkeypatch.undo()
    assert not Index.exists(address)
    with pytest.raises(IndexNotFound):
        Index(address)
    with Index(address, spec=COMPACT) as index:
        added = index.add(some_track(1), unit())
        assert index.search(unit(), 1)[0][0] == added
        assert index.spec == COMPACT


def test_an_engine_is_let_go_of_by_the_last_who_uses_it(tmp_path):
    location = f"milvus+lite:{tmp_path / 'a.db'}"
    one, another = Index(location, spec=SPEC), Index(location)
    one.close()
    one.close()
    assert another.n_tracks == 0
    another.close()
    with milvus_server(tmp_path / "a.db"):  # nobody else has it open
        pass


def test_the_same_path_has_the_same_id_whoever_adds_it(address):
    with Index(address, spec=SPEC) as one, Index(address) as another:
        first = one.add(some_track(1), unit())
        assert another.add(some_track(1), -unit()).id == first.id
        assert one.vector(first) @ unit() == pytest.approx(-1.0)
        another.remove([first])
        assert one.add(some_track(1), unit()).id == first.id < 2**53


def test_an_id_that_is_taken_is_not_taken_away(address):
    with Index(address, spec=SPEC) as index:
        first = index.add(some_track(1), unit())
        index.move([(first, "/elsewhere.mp3")])
        second = index.add(some_track(1), unit())  # whose path made the first one's id
        third = index.add(replace(some_track(2), id=first.id), unit())
        assert len({first.id, second.id, third.id}) == 3


@pytest.mark.parametrize(
    "path",
    [
        "/plain",
        "/𠮷/\U00016ff0",
        os.fsdecode(b"/caf\xe9/\xff"),
        "/\U0010ff80/\U0010ffff",
        "/é\udcc3\U0010ffaa",
        "",
    ],
)
def test_a_path_is_kept_as_text_and_comes_back(path):
    coded(path).encode()
    assert decoded(coded(path)) == path
    assert coded(path + "/below").startswith(coded(path))


@pytest.mark.parametrize(
    ("kind", "params"), [("HNSW", {"M": 16, "efConstruction": 100}), ("IVF_FLAT", {"nlist": 512})]
)
def test_an_index_that_its_owner_arranged_otherwise_is_searched_far_enough(
    kind, params, server, address, run
):
    from pymilvus import MilvusClient

    vectors = crowd(5_000)
    with Index(address, spec=SPEC) as index:
        index.add_all((some_track(n), vector) for n, vector in enumerate(vectors))
    name, client = address.rpartition("/")[2], MilvusClient(f"http://{server}")
    client.release_collection(name)
    client.drop_index(name, "embedding")
    made = client.prepare_index_params()
    made.add_index("embedding", index_type=kind, metric_type="IP", params=params)
    client.create_index(name, made)
    client.close()
    assert rows_of(run, "info", "--index", address)["arrangement"] == kind.lower()
    with Index(address) as index:
        found = [{track.size for track, _ in index.search(v, 10)} for v in vectors[:50]]
    exact = np.argsort(-(vectors[:50] @ vectors.T), axis=1)[:, :10]
    assert np.mean([len(a & set(b)) for a, b in zip(found, exact.tolist(), strict=True)]) >= 9.5


def test_whitening_is_fitted_once_and_anew_as_the_library_grows(address, monkeypatch):
    asked, sample = [], MilvusCatalog.sample

    def counted(catalog, n_vectors):
        asked.append(catalog.count())
        return sample(catalog, n_vectors)

    monkeypatch.setattr(MilvusCatalog, "sample", counted)
    ranking = SearchOptions(whiten=True)
    with Index(address, spec=COMPACT) as index:
        index.add_all(zip(map(a_track, range(320)), crowd(320), strict=True))
        first = similar(index, "#1", ranking=ranking).hits
    with Index(address) as index:
        assert similar(index, "#1", ranking=ranking).hits == first
        assert asked == [320]
        index.add_all(zip(map(a_track, range(320, 410)), crowd(410)[320:], strict=True))
        similar(index, "#1", ranking=ranking)
        assert asked == [320, 410]


def test_more_hits_than_are_found_at_a_time_are_said(address, monkeypatch):
    for name in ("catalog", "spaces"):
        monkeypatch.setattr(f"audiosearch.library.milvus.{name}.MOST_FOUND", 5)
    with Index(address, spec=COMPACT) as index:
        index.add_all(zip(map(a_track, range(20)), crowd(20), strict=True))
        answer = similar(index, "#1", k=10)
        assert len(answer.hits) == 4  # and the clip itself
        assert answer.warnings == ["no more than 5 hits are found at a time"]
        found = playlist(
            index, PlaylistRequest(("#1",)), PlaylistOptions(), Constraints(), ModelRequest()
        )
        assert len(found.tracks) == 4

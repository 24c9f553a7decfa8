"""Playlists compare whitened vectors only where whitening helps the library and its model."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_playlist import post_playlist
from test_ranking import a_track, crowd

from audiosearch import Index
from audiosearch.library.index import EmbeddingSpec
from audiosearch.models.registry import SPECS
from audiosearch.playlists import PlaylistOptions, PlaylistRequest
from audiosearch.playlists import playlist as make_playlist
from audiosearch.search import whitening_choice
from audiosearch.search.evaluate import Label, evaluate
from audiosearch.search.whitening_choice import is_whitening_better

N_TRACKS = 320


def unlabeled(number):
    tags = dict.fromkeys(("title", "artist", "album", "album_artist", "genre"))
    return replace(a_track(number), path=f"/music/{number}.mp3", **tags)


def clear_vectors():
    """Return vectors whose artists differ along the main axes; the other axes are noise."""
    rng = np.random.default_rng(1)
    artists = rng.standard_normal((N_TRACKS // 5, 12)).repeat(5, axis=0)
    vectors = 0.05 * rng.standard_normal((N_TRACKS, 128))
    vectors[:, :12] += artists + 0.3 * rng.standard_normal((N_TRACKS, 12))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def library(place, vectors, track=a_track, *, model="compact"):
    spec = EmbeddingSpec(model, model, dimension=vectors.shape[1])
    index = Index(place, spec=spec)
    index.add_all((track(number), vector) for number, vector in enumerate(vectors))
    return index


@pytest.mark.parametrize(
    ("model", "n_tracks", "is_better"),
    [
        pytest.param("vggish", N_TRACKS, True, id="VGGish gains"),
        pytest.param("vggish", 299, False, id="too few tracks"),
        pytest.param("compact", N_TRACKS, False, id="compact loses"),
        pytest.param("mine.tflite", N_TRACKS, False, id="unknown model"),
    ],
)
def test_without_labels_the_model_says_whether_whitening_helps(
    tmp_path, model, n_tracks, is_better
):
    with library(tmp_path / "i", crowd(n_tracks), unlabeled, model=model) as index:
        assert is_whitening_better(index) is is_better


@pytest.mark.parametrize("model", [*SPECS, "mine.tflite"])
@pytest.mark.parametrize(
    ("vectors", "is_better"),
    [
        pytest.param(crowd(N_TRACKS), True, id="whitening helps"),
        pytest.param(clear_vectors(), False, id="whitening hurts"),
    ],
)
@pytest.mark.parametrize("tag", ["artist", "album", "genre", "folder"])
def test_with_enough_labels_an_evaluation_decides_for_any_model(
    tmp_path, model, vectors, is_better, tag
):
    def labeled(number):
        label = f"label {number // 5}"
        if tag == "folder":
            return replace(unlabeled(number), path=f"/music/{label}/{number}.mp3")
        return replace(unlabeled(number), **{tag: label})

    with library(tmp_path / "i", vectors, labeled, model=model) as index:
        assert is_whitening_better(index) is is_better
        scores = evaluate(index, Label(tag))
        assert (scores.whitened.map > scores.plain.map) is is_better


def test_playlists_of_songs_with_vectors_of_vggish_are_whitened(songs):
    with Index(songs) as index:
        assert is_whitening_better(index)


@pytest.mark.parametrize(
    ("n_labels", "per_label"),
    [pytest.param(9, 20, id="few labels"), pytest.param(20, 4, id="few tracks with a label")],
)
def test_too_few_labels_do_not_decide(tmp_path, n_labels, per_label):
    def labeled(number):
        is_labeled = number < n_labels * per_label
        artist = f"A{number // per_label}" if is_labeled else f"single {number}"
        return replace(unlabeled(number), artist=artist)

    with library(tmp_path / "i", clear_vectors(), labeled, model="vggish") as index:
        assert is_whitening_better(index)


def test_a_large_library_is_sampled_the_same_way_each_time(tmp_path):
    spec = EmbeddingSpec("vggish", "vggish", dimension=16)
    vectors = np.random.default_rng(0).standard_normal((3_000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = whitening_choice._sample(np.arange(1, 3_001))
    assert len(set(ids.tolist())) == len(ids) == 1_200
    assert (ids[0], ids[-1]) == (1, 3_000)
    with Index(tmp_path / "i", spec=spec) as index:
        index.add_all((a_track(number), vector) for number, vector in enumerate(vectors))
        index.remove([index.resolve("#77")])
        decisions = set()
        for _ in range(2):
            index.storage.set_settings({whitening_choice.SETTING: ""})
            decisions.add(is_whitening_better(index))
        assert len(decisions) == 1


def test_a_decision_is_kept_until_the_tracks_change(place, monkeypatch):
    measured = []
    monkeypatch.setattr(whitening_choice, "_measure", lambda index: measured.append(1) or True)
    with library(place, crowd(N_TRACKS)) as index:
        assert is_whitening_better(index) is is_whitening_better(index) is True
    with Index(place) as index:
        assert is_whitening_better(index)
        assert len(measured) == 1
        index.add(replace(a_track(1), artist="Other"), crowd(2)[1])
        assert is_whitening_better(index)
        assert len(measured) == 2


@pytest.mark.parametrize("stored", ["", "plain", "0 0 plain"])
def test_an_unusable_kept_decision_is_measured_again(tmp_path, stored):
    with library(tmp_path / "i", crowd(N_TRACKS)) as index:
        index.storage.set_settings({whitening_choice.SETTING: stored})
        assert is_whitening_better(index)


def test_an_index_that_cannot_be_written_has_playlists(tmp_path, monkeypatch):
    from audiosearch.errors import IndexUnwritable

    def refuse(settings):
        raise IndexUnwritable("Read-only.", hint="Change that.")

    with library(tmp_path / "i", crowd(N_TRACKS)) as index:
        monkeypatch.setattr(index.storage, "set_settings", refuse)
        assert is_whitening_better(index)


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param(crowd(N_TRACKS), id="whitening helps"),
        pytest.param(clear_vectors(), id="whitening hurts"),
    ],
)
def test_python_the_command_line_and_http_share_the_decision(tmp_path, run, vectors):
    place = tmp_path / "i"
    with library(place, vectors) as index:
        is_better = is_whitening_better(index)

    def by_python(whiten):
        options = PlaylistOptions(n_tracks=12, whiten=whiten)
        tracks = make_playlist(place, PlaylistRequest(seeds=("#8",), options=options)).tracks
        return [track.id for track in tracks]

    def by_command(*options):
        arguments = ("playlist", "#8", "-n", 12, "--index", place, "--format", "json", *options)
        return [track["id"] for track in json.loads(run(*arguments).stdout)["tracks"]]

    def by_http(**options):
        answer = post_playlist(place, tracks=[8], n=12, **options).json()
        return [track["id"] for track in answer["tracks"]]

    whitened, plain = by_python(True), by_python(False)
    assert whitened != plain
    default = whitened if is_better else plain
    assert by_python(None) == by_command() == by_http() == default
    assert by_command("--whiten") == by_http(whiten=True) == whitened
    assert by_command("--no-whiten") == by_http(whiten=False) == plain

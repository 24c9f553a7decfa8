"""Add files, and search for tracks that sound like a clip."""

import os
import sys

import numpy as np
import pytest
from sounds import cut, encode, melody, noise, tone, write

from audiosearch import (
    AudioError,
    Index,
    IndexUnwritable,
    ModelMismatch,
    TrackNotFound,
    UsageError,
    add,
    similar,
)
from audiosearch.audio.discovery import discover
from audiosearch.ingest.add import Ingest, ReprocessPolicy, Status
from audiosearch.models.registry import ModelRequest
from audiosearch.search.query import SearchOptions


@pytest.fixture
def index(music, place):
    add(place, [music], model="compact")
    return place


def tracks(index):
    with Index(index) as opened:
        return list(opened)


def names(result):
    return [os.path.basename(hit.track.path) for hit in result.hits]


def test_files_in_a_folder_are_chosen_by_suffix_and_named_files_always(music, tmp_path):
    (music / "notes.txt").write_text("no sound")
    (music / ".hidden.wav").write_bytes((music / "low.wav").read_bytes())
    odd = tmp_path / "odd.name"
    odd.write_bytes((music / "low.wav").read_bytes())
    (music / "deep" / "up").symlink_to(music)
    files = [os.path.basename(path) for path in discover([music, odd, music / "low.wav"]).paths]
    assert files == ["high.wav", "hiss.flac", "low.wav", "tune.ogg", "hiss2.wav", "odd.name"]


def relative(paths, folder):
    return [os.path.relpath(path, folder) for path in paths]


@pytest.mark.parametrize(
    ("exclude", "remaining"),
    [
        (["*.wav"], ["hiss.flac", "tune.ogg"]),
        (["deep/"], ["high.wav", "hiss.flac", "low.wav", "tune.ogg"]),
        (["/hiss*", "tune.*"], ["high.wav", "low.wav", "deep/hiss2.wav"]),
        (["*", "!*.ogg"], ["tune.ogg"]),
    ],
)
def test_excluded_files_are_left_out(music, exclude, remaining):
    assert relative(discover([music], exclude=exclude).paths, music) == remaining


def test_an_ignore_file_applies_to_its_folder_and_subfolders(music):
    (music / "deep" / ".audiosearchignore").write_text("# no noise\n*2.wav\n")
    (music / ".audiosearchignore").write_text("tune.ogg\n")
    assert relative(discover([music]).paths, music) == ["high.wav", "hiss.flac", "low.wav"]


@pytest.mark.parametrize("pattern", ["!", "a\\", "[z-a]"])
def test_an_invalid_pattern_is_a_usage_error(music, pattern):
    with pytest.raises(UsageError, match="pattern"):
        discover([music], exclude=[pattern])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_an_ignore_file_that_is_a_pipe_does_not_block(music):
    os.mkfifo(music / ".audiosearchignore")
    assert len(discover(music).paths) == 5


def test_only_the_requested_suffixes_are_found(music):
    files = discover([music], suffixes={".flac", ".ogg"}).paths
    assert relative(files, music) == ["hiss.flac", "tune.ogg"]


def test_unchanged_files_are_embedded_again_on_request(music, index):
    before = tracks(index)
    assert {o.status for o in add(index, [music], reprocess=ReprocessPolicy.ALL)} == {Status.ADDED}
    assert tracks(index) == before


def test_a_folder_without_audio_is_an_error_and_creates_no_index(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="no audio files"):
        add("index", [tmp_path / "empty"], model="compact")
    assert not os.path.exists("index")


def test_files_that_cannot_be_embedded_create_no_index(tmp_path):
    (tmp_path / "text.mp3").write_text("no sound")
    (outcome,) = add("index", [tmp_path / "text.mp3"], model="compact")
    assert outcome.status is Status.FAILED
    assert not os.path.exists("index")


def test_unchanged_files_are_skipped_and_changed_ones_embedded_again(music, index):
    assert {outcome.status for outcome in add(index, [music])} == {Status.UNCHANGED}
    write(music / "low.wav", noise(4.0))
    changed = [o.path for o in add(index, [music]) if o.status is Status.ADDED]
    assert changed == [str(music / "low.wav")]
    assert names(similar(index, music / "low.wav", k=1)) in (["hiss.flac"], ["hiss2.wav"])


def test_a_moved_file_keeps_its_id_and_is_not_embedded_again(music, index):
    before = tracks(index)
    (music / "deep" / "hiss2.wav").rename(music / "renamed.wav")
    moved = [outcome for outcome in add(index, [music]) if outcome.status is Status.MOVED]
    assert [outcome.path for outcome in moved] == [str(music / "renamed.wav")]
    after = tracks(index)
    assert {t.id for t in after} == {t.id for t in before}
    assert str(music / "deep" / "hiss2.wav") not in {t.path for t in after}


def test_a_moved_folder_is_moved_without_a_decoder(music, index, monkeypatch):
    before = [(t.id, os.path.basename(t.path)) for t in tracks(index)]
    elsewhere = music.rename(music.with_name("elsewhere"))
    monkeypatch.setattr("audiosearch.models.registry.Model.load", None)  # nothing is embedded
    assert {outcome.status for outcome in add(index, [elsewhere])} == {Status.MOVED}
    assert [(t.id, os.path.basename(t.path)) for t in tracks(index)] == before
    assert all(t.path.startswith(str(elsewhere)) for t in tracks(index))


def test_two_files_with_the_same_bytes_are_embedded_once(music, index, monkeypatch):
    copy = music / "copy.wav"
    copy.write_bytes((music / "low.wav").read_bytes())
    monkeypatch.setattr("audiosearch.models.registry.Model.load", None)  # nothing is embedded
    assert [o.path for o in add(index, [music]) if o.status is Status.ADDED] == [str(copy)]
    hit = similar(index, copy, k=1).hits[0]
    assert (hit.track.path, hit.similarity) == (str(music / "low.wav"), pytest.approx(1.0))


def test_a_file_that_was_only_touched_is_unchanged(music, index, monkeypatch):
    os.utime(music / "low.wav", (1, 1))
    monkeypatch.setattr("audiosearch.models.registry.Model.load", None)  # nothing is embedded
    for _ in range(2):
        assert {outcome.status for outcome in add(index, [music])} == {Status.UNCHANGED}


def test_a_track_is_kept_if_its_file_is_no_longer_audio(music, index):
    (music / "low.wav").write_text("no sound")
    (failed,) = (o for o in add(index, [music]) if o.status is Status.FAILED)
    assert "the index keeps the previous version" in failed.message
    assert len(tracks(index)) == 5


def test_a_file_that_replaces_another_gets_its_vector(music, index):
    os.replace(music / "hiss.flac", music / "low.wav")
    (outcome,) = (o for o in add(index, [music]) if o.status is not Status.UNCHANGED)
    assert outcome.status is Status.ADDED
    assert names(similar(index, music / "low.wav", k=2)) == ["hiss.flac", "hiss2.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_in_a_folder_does_not_block(music):
    os.mkfifo(music / "pipe.wav")
    outcomes = {o.path: o.status for o in add("index", [music], model="compact")}
    assert outcomes[str(music / "pipe.wav")] is Status.FAILED
    assert list(outcomes.values()).count(Status.ADDED) == 5


def test_one_bad_file_does_not_stop_the_others(music):
    (music / "bad.mp3").write_text("no sound")
    outcomes = add("index", [music], model="compact")
    assert sum(outcome.status is Status.ADDED for outcome in outcomes) == 5
    with Index("index") as index:
        assert index.totals().failures == 1


def test_a_failed_file_is_retried_when_it_changes_or_on_request(music):
    bad = music / "bad.mp3"
    bad.write_text("no sound")
    add("index", [music], model="compact")
    (skipped,) = add("index", [bad])
    (retried,) = add("index", [bad], reprocess=ReprocessPolicy.FAILED)
    assert skipped.status is retried.status is Status.FAILED
    assert ("--retry" in skipped.hint, "--retry" in retried.hint) == (True, False)
    bad.write_bytes((music / "low.wav").read_bytes()[:-2])
    assert [outcome.status for outcome in add("index", [bad])] == [Status.ADDED]
    with Index("index") as index:
        assert index.storage.failures() == []


def test_a_cut_file_is_added_with_a_warning(tmp_path):
    path = cut(write(tmp_path / "a.flac", melody(20.0)))
    (outcome,) = add("index", [path], model="compact")
    assert outcome.status is Status.ADDED
    assert "were used" in outcome.message


def test_tags_and_audio_properties_are_stored(tmp_path):
    tags = {"title": "Song", "artist": "Band", "album": "LP", "genre": "Rock", "date": "1997"}
    tags |= {"album_artist": "Various", "track": "3/12"}
    sound = tone(rate=48_000)
    paths = [
        encode(tmp_path / "a.m4a", sound, 48_000, container="ipod", codec="aac", **tags),
        encode(tmp_path / "a.webm", sound, 48_000, container="webm", codec="libopus", **tags),
    ]
    add("index", paths, model="compact")
    with Index("index") as index:
        for track in index:
            assert (track.title, track.artist, track.album) == ("Song", "Band", "LP")
            assert (track.genre, track.year, track.track_number) == ("Rock", 1997, 3)
            assert track.album_artist == "Various"
            assert track.seconds == pytest.approx(3.0, abs=0.1)
            assert track.channels == 1
            assert len(track.content_hash) == 32
        assert {track.format for track in index} == {"aac", "opus"}


def test_a_clip_finds_similar_tracks(music, index, tmp_path):
    unseen = write(tmp_path / "unseen.wav", noise(seed=7))
    assert set(names(similar(index, unseen, k=2))) == {"hiss.flac", "hiss2.wav"}


def test_a_clip_is_a_path_a_relative_path_or_an_id(music, index, monkeypatch):
    by_path = similar(index, music / "hiss.flac").hits
    with Index(index) as opened:
        track = opened.resolve(str(music / "hiss.flac"))
    monkeypatch.chdir(music)
    assert similar(index, "hiss.flac").hits == by_path
    assert similar(index, f"#{track.id}").hits == by_path
    assert by_path[0].rank == 1


def test_a_query_by_a_track_needs_neither_its_file_nor_the_model(music, index, monkeypatch):
    (music / "hiss.flac").unlink()
    assert names(similar(index, music / "hiss.flac", k=1)) == ["hiss2.wav"]


def test_the_clip_itself_is_left_out_unless_asked_for(music, index):
    assert "hiss.flac" not in names(similar(index, music / "hiss.flac"))
    first = similar(index, music / "hiss.flac", options=SearchOptions(include_self=True)).hits[0]
    assert (first.track.path, first.similarity) == (str(music / "hiss.flac"), pytest.approx(1.0))


def test_the_clip_itself_is_left_out_if_it_is_named_by_a_link(music, index, tmp_path):
    link = tmp_path / "link.flac"
    link.symlink_to(music / "hiss.flac")
    assert "hiss.flac" not in names(similar(index, link))


def test_a_moved_file_that_is_embedded_again_keeps_its_id(music, index):
    with Index(index) as opened:
        track_id = opened.storage.track_at(str(music / "low.wav")).id
    (music / "low.wav").rename(music / "moved.wav")
    add(index, [music], reprocess=ReprocessPolicy.ALL)
    assert {t.path: t.id for t in tracks(index)}[str(music / "moved.wav")] == track_id
    assert len(tracks(index)) == 5


def test_files_that_swap_names_swap_vectors(music, index):
    with Index(index) as opened:
        before = {t.path: opened.vector(t) for t in opened}
    low, high = str(music / "low.wav"), str(music / "high.wav")
    os.rename(low, music / "x")
    os.rename(high, low)
    os.rename(music / "x", high)
    assert Status.FAILED not in {outcome.status for outcome in add(index, [music])}
    with Index(index) as opened:
        for path, other in ((low, high), (high, low)):
            vector = opened.vector(opened.storage.track_at(path))
            np.testing.assert_allclose(vector, before[other], atol=1e-6)


def test_a_file_that_disappears_during_add_does_not_stop_the_others(music):
    ingest = Ingest("index", discover([music]).paths, request=ModelRequest("compact"))
    (music / "low.wav").unlink()
    outcomes = {os.path.basename(outcome.path): outcome.status for outcome in ingest}
    assert outcomes.pop("low.wav") is Status.FAILED
    assert list(outcomes.values()) == [Status.ADDED] * 4


def test_several_clips_search_with_their_centroid(music, index):
    clips = [music / "low.wav", music / "hiss.flac"]
    with Index(index) as opened:
        mean = sum(opened.vector(opened.resolve(str(clip))) for clip in clips)
        expected = mean / np.linalg.norm(mean)
        for hit in similar(opened, clips).hits:
            cosine = float(opened.vector(hit.track) @ expected)
            assert hit.similarity == pytest.approx(cosine, abs=1e-5)


def test_an_index_keeps_its_excerpt_length(music):
    add("index", [music], model="compact", excerpt_seconds=2.0)
    with Index("index") as index:
        assert index.spec.excerpt_seconds == 2.0
    assert {outcome.status for outcome in add("index", [music])} == {Status.UNCHANGED}
    with pytest.raises(ModelMismatch, match=r"excerpts of 2 s.* excerpts of 9 s"):
        add("index", [music], excerpt_seconds=9.0)


def test_another_model_is_an_error_before_it_is_loaded(music, index):
    vggish = ModelRequest("vggish")
    for act in (
        lambda: add(index, [music], model="vggish"),
        lambda: similar(index, music / "low.wav", request=vggish),
    ):
        with pytest.raises(ModelMismatch, match=r"compact \(digest \w+\), not with vggish"):
            act()


@pytest.mark.parametrize(
    ("clip", "k", "error"),
    [
        pytest.param("low.wav", 0, UsageError, id="no hits"),
        pytest.param("none.wav", 5, TrackNotFound, id="no such file"),
        pytest.param("#999", 5, TrackNotFound, id="no such id"),
        pytest.param("deep", 5, AudioError, id="a folder"),
    ],
)
def test_an_impossible_query_is_an_error_with_a_hint(music, index, clip, k, error, monkeypatch):
    monkeypatch.chdir(music)
    with pytest.raises(error) as raised:
        similar(index, clip, k=k)
    assert raised.value.hint


def test_an_impossible_index_location_is_an_error_before_anything_is_embedded(music):
    with pytest.raises(IndexUnwritable):
        add(music / "low.wav", [music], model="compact")

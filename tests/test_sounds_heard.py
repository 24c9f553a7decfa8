"""Sounds are found while files are added, refreshed and embedded again."""

import contextlib
import json
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import mean_bands, tflite
from sounds import encode, melody, noise, tone, write

from audiosearch import Index, LibraryError, add, defaults, log_mel_patches
from audiosearch.audio.input_files import InputFiles
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.embedding.running_scores import RunningScores
from audiosearch.ingest.add import Ingest, ReprocessPolicy, Status
from audiosearch.ingest.ray.connection import connected
from audiosearch.ingest.ray.reader import RayReader
from audiosearch.ingest.reembed import Reembedding
from audiosearch.ingest.sounds import SoundRefresh
from audiosearch.library.track import Sound
from audiosearch.maintenance.doctor import State, examine
from audiosearch.models.log_mel import patch_stream
from audiosearch.models.registry import ModelRequest, compact
from audiosearch.models.tagger import Tagger, sound_names, tagger_digest

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow

NOT_A_SOUND = Sound("Not a sound", 0.75, 0.5, 0.96)


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    return str(tflite(tmp_path_factory.mktemp("model") / "other.tflite", mean_bands))


@pytest.fixture
def files(tmp_path):
    """A folder of sounds: noise after silence, a melody, and a copy of it."""
    folder = tmp_path / "files"
    folder.mkdir()
    samples = np.concatenate([np.zeros(5 * 15_360, np.float32), noise(4 * 0.96)])
    write(folder / "late.wav", samples)
    write(folder / "tune.wav", melody(4.0))
    (folder / "copy.wav").write_bytes((folder / "tune.wav").read_bytes())
    return folder


def stored(location="index"):
    """Return the tracks of an index by the name of the file."""
    with Index(location) as index:
        return {Path(track.path).name: track for track in index}


def sounds_of(path):
    """Return the scores of all patches of a file, of shape (n_patches, 521)."""
    tagger = Tagger(n_threads=1)
    with PatchReader(path) as reader:
        return np.concatenate([tagger(patches) for patches in reader])


def without_sounds(location, *names, tagger=""):
    """Take the sounds of files out of an index, or give them those of another tagger."""
    sounds = (NOT_A_SOUND,) if tagger else ()
    with Index(location) as index:
        index.storage.set_fields(
            [
                (track, {"sounds": sounds, "tagger": tagger})
                for track in index
                if not names or Path(track.path).name in names
            ]
        )


# The tagger


def test_the_tagger_has_a_name_for_each_of_its_scores():
    tagger = Tagger(n_threads=1)
    scores = tagger(log_mel_patches(melody(2.0)))
    assert (scores.shape, scores.dtype) == ((2, 521), np.float32)
    assert len(set(tagger.names)) == 521 == len(sound_names())
    assert {"Dog", "Piano", "Silence"} <= set(tagger.names)
    assert 0.0 <= scores.min() <= scores.max() <= 1.0


@pytest.mark.parametrize("n_patches", [1, 2, 33])
def test_the_values_of_compact_give_the_same_scores_as_the_patches(n_patches):
    patches = np.concatenate(list(patch_stream([melody(0.96 * n_patches + 0.1)])))
    tagger = Tagger(compact(), n_threads=1)
    values = compact().load(n_threads=1)(patches)
    expected = tagger(patches)
    unused = np.zeros_like(patches)  # the patches aren't read again
    np.testing.assert_allclose(tagger.scores(unused, values), expected, atol=1e-6)
    alone = np.concatenate([tagger(patch[np.newaxis]) for patch in patches])
    np.testing.assert_allclose(alone, expected, atol=1e-5)


# From scores to sounds


def test_each_sound_has_its_highest_score_with_its_time_and_its_mean():
    scores = RunningScores()
    scores.add(np.array([[0.2, 0.0, 0.05], [0.1, 0.0, 0.09]], np.float32))
    scores.add(np.array([[0.6, 0.1, 0.0], [0.6, 0.0, 0.0]], np.float32))
    assert scores.sounds(["a", "b", "c"]) == (
        Sound("a", 0.6, 0.375, 1.92),
        Sound("b", 0.1, 0.025, 1.92),
    )
    assert scores.sounds(["a", "b", "c"], [1.5, 2.5, 7.25, 9.0])[0].at == 7.25


@pytest.mark.parametrize("model", ["compact", "other"])
def test_sounds_of_a_file_are_those_of_its_patches_with_any_model(model, files, request):
    name = request.getfixturevalue("other") if model == "other" else model
    add("index", [files], model=name, n_jobs=1)
    tracks = stored()
    for path in files.iterdir():
        scores = sounds_of(path)
        expected = {
            sound_names()[i]: (
                scores[:, i].max(),
                scores[:, i].mean(),
                0.96 * scores[:, i].argmax(),
            )
            for i in np.flatnonzero(scores.max(axis=0) >= defaults.SOUND_THRESHOLD)
        }
        if len(expected) > 1:
            expected.pop("Silence", None)
        track = tracks[path.name]
        assert track.tagger == tagger_digest()
        assert {sound.name for sound in track.sounds} == set(expected)
        for sound in track.sounds:
            numbers = (sound.score, sound.mean, sound.at)
            assert numbers == pytest.approx(expected[sound.name], abs=1e-3)
        ordered = sorted(track.sounds, key=lambda sound: -sound.score)
        assert list(track.sounds) == ordered


def test_sounds_of_an_excerpt_have_the_times_of_its_patches(tmp_path):
    samples = np.zeros(24 * 16_000, np.float32)
    samples[18 * 16_000 :] = noise(6.0)
    path = str(write(tmp_path / "loud.wav", samples))
    ((result,),) = Pipeline([path], compact(), excerpt_seconds=4.0, n_jobs=1, has_sounds=True)
    last_start = 6 * 3 + 3 - 0.975 / 2
    assert round(last_start, 2) in {sound.at for sound in result.embedding.sounds}


def test_silence_is_heard_only_if_nothing_else_is():
    scores = RunningScores()
    scores.add(np.array([[0.9, 0.2]], np.float32))
    assert [sound.name for sound in scores.sounds(["Silence", "Dog"])] == ["Dog"]
    quiet = RunningScores()
    quiet.add(np.array([[0.9, 0.0]], np.float32))
    assert [sound.name for sound in quiet.sounds(["Silence", "Dog"])] == ["Silence"]


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(16_000, np.float32), id="silence"),
        pytest.param(tone(440, 0.05), id="shorter than a patch"),
        pytest.param(np.eye(1, 16_000, 8_000, dtype=np.float32)[0], id="a click"),
    ],
)
def test_odd_clips_have_finite_sounds_that_start_at_zero(samples, tmp_path):
    add("index", [write(tmp_path / "a.wav", samples)], model="compact", n_jobs=1)
    track = stored()["a.wav"]
    assert track.tagger
    assert all(0 <= sound.score <= 1 and sound.at == 0 for sound in track.sounds)


def test_sounds_are_stored_in_milvus_too(files, tmp_path):
    location = f"milvus+lite://{tmp_path / 'index.db'}"
    add(location, [files], model="compact", n_jobs=1)
    add("index", [files], model="compact", n_jobs=1)
    assert {name: track.sounds for name, track in stored(location).items()} == {
        name: track.sounds for name, track in stored().items()
    }


@pytest.mark.parametrize(
    ("sounds", "is_warned"),
    [pytest.param(True, True, id="with sounds"), pytest.param(False, False, id="without sounds")],
)
def test_adding_to_an_older_collection_says_that_it_holds_no_sounds(
    sounds, is_warned, files, other, tmp_path, monkeypatch, caplog
):
    location = f"milvus+lite://{tmp_path / 'older.db'}"
    add(location, [files / "tune.wav"], model=other, sounds=False, n_jobs=1)
    monkeypatch.setattr(Index, "keeps_sounds", False)
    add(location, [files / "late.wav"], sounds=sounds, n_jobs=1)
    assert (f"`audiosearch copy {location} NEW`" in caplog.text) is is_warned


def test_workers_on_a_cluster_send_sounds(files, tmp_path):
    add("index", [files], model="compact", n_jobs=1)
    input_files = InputFiles([str(files)])
    with connected("local"):
        for has_sounds in (True, False):
            reader = RayReader(input_files, n_workers=1, has_sounds=has_sounds)
            request = ModelRequest("compact")
            list(Ingest(f"i{has_sounds}", input_files.paths, request=request, reader=reader))
    expected = {name: track.sounds for name, track in stored().items()}
    assert {name: track.sounds for name, track in stored("iTrue").items()} == expected
    assert {track.tagger for track in stored("iFalse").values()} == {""}


# Leaving sounds out, and adding them


def test_no_sounds_leaves_them_out_and_embeds_no_file_again(files, run):
    result = run("add", "--no-sounds", "--model", "compact", "-j", "1", files)
    assert result.exit_code == 0, result.stderr
    assert {track.tagger for track in stored().values()} == {""}
    for option in ((), ("--no-sounds",)):
        assert "0 added, 3 unchanged" in run("add", *option, files).stderr
    assert {track.tagger for track in stored().values()} == {""}
    results = add("other", [files], model="compact", sounds=False, n_jobs=1)
    assert {result.status for result in results} == {Status.ADDED}
    assert {track.sounds for track in stored("other").values()} == {()}


def test_a_file_with_known_content_or_sound_takes_the_sounds_of_its_track(files, tmp_path):
    path = encode(tmp_path / "a.mp3", melody(2.0), 16_000, container="mp3", codec="mp3")
    add("index", [path], model="compact", n_jobs=1)
    with Index("index") as index:
        (track,) = index
        index.storage.set_fields([(track, {"sounds": (NOT_A_SOUND,)})])
    same = shutil.copy(path, tmp_path / "same.mp3")
    add("index", [same], n_jobs=1)
    os.rename(path, tmp_path / "moved.mp3")
    add("index", [tmp_path / "moved.mp3"], n_jobs=1)
    with Index("index") as index:
        assert [t.sounds for t in index] == [(NOT_A_SOUND,)] * 2
    add("index", [same], reprocess=ReprocessPolicy.ALL, sounds=False, n_jobs=1)
    assert stored()["same.mp3"].sounds == (NOT_A_SOUND,)
    add("index", [same], reprocess=ReprocessPolicy.ALL, n_jobs=1)
    assert NOT_A_SOUND not in stored()["same.mp3"].sounds


def test_refresh_adds_sounds_to_tracks_without_or_of_another_tagger(files, place, run):
    assert run("add", "--model", "compact", "--index", place, files).exit_code == 0
    expected = stored(place)
    without_sounds(place, "late.wav")
    without_sounds(place, "copy.wav", "tune.wav", tagger="b" * 64)
    assert "1 of 3 tracks have no sounds" in run("doctor", "--index", place).stdout
    result = run("refresh", "--sounds", "-j", "1", "--index", place)
    assert (result.exit_code, "3 updated, 0 missing, 0 failed" in result.stderr) == (0, True)
    assert stored(place) == expected
    result = run("refresh", "--sounds", "--index", place)
    assert (result.exit_code, "0 updated, 0 missing, 0 failed" in result.stderr) == (0, True)


def test_refresh_skips_missing_files_and_names_those_that_fail(files, run):
    add("index", [files], model="compact", n_jobs=1)
    without_sounds("index")
    (files / "copy.wav").unlink()
    (files / "late.wav").write_text("text")
    result = run("refresh", "--sounds", "-j", "1")
    assert (result.exit_code, "1 updated, 1 missing, 1 failed" in result.stderr) == (0, True)
    assert "failed: " in result.stderr
    assert "late.wav" in result.stderr
    assert "copy.wav" not in result.stderr
    tracks = stored()
    assert [bool(tracks[name].tagger) for name in ("tune.wav", "copy.wav", "late.wav")] == [
        *(True, False, False)
    ]
    again = run("refresh", "--sounds", "-j", "1")
    assert (again.exit_code, "0 updated, 1 missing, 1 failed" in again.stderr) == (1, True)


def test_an_interrupted_refresh_continues_with_the_rest(files):
    add("index", [files / "late.wav", files / "tune.wav"], model="compact", n_jobs=1)
    without_sounds("index")
    with Index("index") as index:
        with contextlib.closing(iter(SoundRefresh(index, n_jobs=1))) as results:
            path, error = next(results)
        assert (error, index.storage.count_without_sounds() <= 1) == (None, True)
        rest = SoundRefresh(index, n_jobs=1)
        assert len(rest) == index.storage.count_without_sounds()
        assert path not in dict(rest)
        assert index.storage.count_without_sounds() == 0


def test_refresh_uses_the_excerpt_of_the_index(files, run):
    add("index", [files], model="compact", excerpt_seconds=3.0, n_jobs=1)
    expected = stored()
    without_sounds("index")
    assert run("refresh", "--sounds", "-j", "1").exit_code == 0
    assert stored() == expected


def test_jobs_without_sounds_is_a_usage_error(files, run):
    add("index", [files], model="compact", n_jobs=1)
    assert run("refresh", "-j", "1").exit_code == 2


def test_adding_to_an_older_index_finds_no_sounds_in_unchanged_files(files):
    add("index", [files / "tune.wav"], model="compact", n_jobs=1)
    without_sounds("index")
    add("index", [files / "tune.wav", files / "late.wav"], n_jobs=1)
    assert [bool(stored()[name].tagger) for name in ("tune.wav", "late.wav")] == [False, True]


def test_an_index_without_the_table_is_read_unwritten_and_refreshed(files, run):
    add("index", [files], model="compact", n_jobs=1)
    expected = stored()
    with contextlib.closing(sqlite3.connect("index/audiosearch.db")) as db:
        db.executescript(
            "DROP TABLE sounds; ALTER TABLE tracks DROP COLUMN tagger;"
            "DELETE FROM _sqlite_migrations WHERE name = 'm012_create_sounds';"
            "PRAGMA wal_checkpoint(TRUNCATE);"
        )
    before = Path("index/audiosearch.db").read_bytes()
    assert run("list").exit_code == 0
    assert {track.sounds for track in stored().values()} == {()}
    with Index("index") as index:
        assert index.fields(["sounds", "id"]) == [((), track.id) for track in index]
        with pytest.raises(LibraryError, match="3 of 3 tracks have no sounds"):
            index.require_sounds()
    assert Path("index/audiosearch.db").read_bytes() == before
    assert run("refresh", "--sounds").exit_code == 0
    assert stored() == expected


@pytest.mark.parametrize("has_sounds", [True, False])
def test_reembed_keeps_sounds_and_adds_missing_ones(has_sounds, files, other):
    add("index", [files], model="compact", n_jobs=1)
    expected = {name: track.sounds for name, track in stored().items()}
    without_sounds("index", "late.wav", tagger="b" * 64)
    with Index("index") as index:
        kept = [index.resolve(str(files / name)) for name in ("tune.wav", "copy.wav")]
        index.storage.set_fields([(track, {"sounds": (NOT_A_SOUND,)}) for track in kept])
    with Reembedding("index", ModelRequest(other), sounds=has_sounds, n_jobs=1) as reembedding:
        assert set(dict(reembedding).values()) == {None}
        reembedding.commit()
    late = expected["late.wav"] if has_sounds else (NOT_A_SOUND,)
    sounds = {name: track.sounds for name, track in stored().items()}
    assert sounds == dict.fromkeys(("tune.wav", "copy.wav"), (NOT_A_SOUND,)) | {"late.wav": late}


def test_doctor_says_which_tracks_lack_sounds(files):
    add("index", [files], model="compact", n_jobs=1)

    def finding():
        return next(finding for finding in examine("index") if finding.check == "sounds")

    assert finding().state is State.OK
    without_sounds("index", "late.wav")
    assert finding().state is State.WARNING
    assert finding().detail == ("1 of 3 tracks have no sounds; run `audiosearch refresh --sounds`.")


@pytest.mark.parametrize("command", ["export", "list"])
def test_exported_sounds_are_imported_again(command, files, run):
    add("index", [files], model="compact", n_jobs=1)
    assert run("export", "out").exit_code == 0
    if command == "list":
        content = run("list", "--format", "json").stdout
        Path("out/tracks.jsonl").write_text(content, encoding="utf-8")
        Path("out/tracks.jsonl").rename("out/tracks.json")
    (table,) = Path("out").glob("tracks.*")
    assert run("import", "out/vectors.npy", table, "--index", "back").exit_code == 0
    expected = {name: track.sounds for name, track in stored().items()}
    assert {name: track.sounds for name, track in stored("back").items()} == expected
    taggers = {track.tagger for track in stored("back").values()}
    assert taggers == ({tagger_digest()} if command == "export" else {"imported"})


@pytest.mark.parametrize(
    "sounds",
    [
        pytest.param("Dog; Rain", id="a text"),
        pytest.param([{"name": "Dog"}], id="no numbers"),
        pytest.param([{"name": "Dog", "score": 1.5, "mean": 0, "at": 0}], id="a score above 1"),
        pytest.param([{"name": "", "score": 0.5, "mean": 0, "at": 0}], id="no name"),
        pytest.param([{"name": "Dog", "score": "nan", "mean": 0, "at": 0}], id="not a number"),
        pytest.param([{"name": "Dog", "score": 0.5, "mean": 0, "at": 1e300}], id="too late"),
        pytest.param([None], id="not an object"),
    ],
)
def test_imported_sounds_that_make_no_sense_are_ignored(sounds, run):
    np.save("v.npy", np.eye(128)[:1])
    tracks = [{"path": "/a.mp3", "title": "A", "sounds": sounds}]
    Path("t.json").write_text(json.dumps(tracks), encoding="utf-8")
    result = run("import", "v.npy", "t.json")
    assert (result.exit_code, "ignored sounds in row 1" in result.stderr) == (0, True)
    (track,) = stored().values()
    assert (track.title, track.sounds, track.tagger) == ("A", (), "")


def test_a_parquet_export_has_the_sounds(files, run):
    from pyarrow import parquet

    add("index", [files], model="compact", n_jobs=1)
    assert run("export", "out", "--parquet").exit_code == 0
    rows = parquet.read_table("out/tracks.parquet").to_pylist()
    for row in rows:
        track = stored()[Path(row["path"]).name]
        assert tuple(Sound(**sound) for sound in row["sounds"]) == track.sounds
        assert row["tagger"] == track.tagger


@pytest.mark.beside("audio")
@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("applause", "Applause"),
        ("dog", "Dog"),
        ("guitar", "Guitar"),
        ("piano", "Piano"),
        ("rain", "Rain"),
    ],
)
def test_real_recordings_are_named(name, sound, shared):
    add("index", [shared / "audio" / f"{name}.wav"], model="compact", n_jobs=1)
    assert sound in {heard.name for heard in stored()[f"{name}.wav"].sounds}


def test_the_sounds_of_a_recovered_database_are_found_again(files, run):
    add("index", [files], model="compact", n_jobs=1)
    expected = stored()
    with Index("index") as index:
        index.storage.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = Path("index/audiosearch.db")
    path.write_bytes(bytes(4096) + path.read_bytes()[4096:])
    assert run("doctor", "--repair", "--model", "compact").exit_code == 0
    assert {track.tagger for track in stored().values()} == {""}
    assert run("refresh", "--sounds", "-j", "1").exit_code == 0
    assert {replace(t, id=0) for t in stored().values()} == {
        replace(t, id=0) for t in expected.values()
    }

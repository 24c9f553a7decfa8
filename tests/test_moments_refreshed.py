"""Moments are added to an index later, dropped, and replaced when it gets another model."""

import contextlib
import itertools
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from networks import mean_bands, tflite
from sounds import encode, melody, noise, write
from tracks import some_track, unit_vectors

from audiosearch import Index, LibraryError, add
from audiosearch.errors import IndexUnwritable
from audiosearch.ingest.moment_refresh import MomentRefresh
from audiosearch.ingest.reembed import Reembedding
from audiosearch.ingest.sounds import SoundRefresh
from audiosearch.models.registry import ModelRequest

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """A model with vectors of another length."""
    path = tmp_path_factory.mktemp("model") / "other.tflite"
    return str(tflite(path, lambda patches: mean_bands(patches)[:, :96]))


@pytest.fixture
def index(music):
    """An index without moments, of five sounds and a copy."""
    shutil.copy(music / "low.wav", music / "copy.wav")
    add("index", [music], model="compact", n_jobs=1)
    return "index"


def refreshed(location="index", **options):
    """Add moments; return the errors by name."""
    with Index(location) as index:
        run = MomentRefresh(index, n_jobs=1, **options)
        return {os.path.basename(path): error for path, error in run}


def by_name(location="index"):
    """Return the moments of each track by the name of its file, as bytes."""
    with Index(location) as index:
        stored = {os.path.basename(track.path): index.moments_of(track) for track in index}
    return {
        name: moments and (moments.codes.tobytes(), moments.sounds and moments.sounds.to_bytes())
        for name, moments in stored.items()
    }


def expected(music, hop=0.96, **options):
    """Return the moments of the same files in a new index."""
    shutil.rmtree("expected", ignore_errors=True)
    add("expected", [music], moments=True, moment_hop=hop, n_jobs=1, **options)
    return by_name("expected")


def rows(location="index"):
    """Return all tracks with their vectors."""
    with Index(location) as index, index.storage.all_with_vectors() as (_, found):
        return [(track, vector.tobytes()) for track, vector in found]


# Added later


@pytest.mark.parametrize("hop", [None, 0.96, 0.48])
def test_refresh_adds_the_moments_that_add_makes_and_changes_nothing_else(index, hop, music):
    before = rows()
    assert set(refreshed(hop=hop).values()) == {None}
    assert by_name() == expected(music, hop or 0.96, model="compact")
    assert rows() == before
    assert refreshed() == {}


def test_the_command_adds_moments_and_drops_them(index, music, run):
    result = run("refresh", "--moments", "-j", "1", "--moment-hop", "0.48")
    assert (result.exit_code, "6 updated, 0 missing, 0 failed" in result.stderr) == (0, True)
    assert by_name() == expected(music, 0.48, model="compact")
    result = run("refresh", "--no-moments")
    assert (result.exit_code, "moments of 6 tracks dropped" in result.stderr) == (0, True)
    assert set(by_name().values()) == {None}
    add("index", [write(music / "new.wav", noise())], n_jobs=1)
    with Index("index") as opened:
        assert (opened.moment_hop, opened.moments.totals()) == (None, (0, 0, 0))


@pytest.mark.parametrize(
    ("options", "status", "hint"),
    [
        pytest.param("--moment-hop 0.48", 2, "add --moments", id="hop alone"),
        pytest.param("--model compact", 2, "add --moments", id="model alone"),
        pytest.param("--sounds --weights x", 2, "add --moments", id="weights with sounds"),
        pytest.param("-j 1", 2, "add --sounds or --moments", id="jobs alone"),
        pytest.param("-j 1 --no-moments", 2, "Leave out -j", id="jobs for dropping"),
        pytest.param("--no-moments --moment-hop 0.48", 2, "Leave out", id="hop for dropping"),
        pytest.param("--sounds --no-moments", 2, "one after the other", id="sounds and dropping"),
        pytest.param("--moments --moment-hop 0", 2, "Use 0.96 or 0.48.", id="hop of 0"),
        pytest.param("--moments --moment-hop nan", 2, "Use 0.96 or 0.48.", id="hop of NaN"),
        pytest.param("--moments --model vggish", 1, "reembed", id="other model"),
    ],
)
def test_wrong_combinations_are_refused_and_change_nothing(options, status, hint, index, run):
    result = run("refresh", *options.split())
    assert (result.exit_code, hint in " ".join(result.stderr.split())) == (status, True)
    with Index("index") as opened:
        assert opened.moment_hop is None


def test_another_hop_needs_dropping_first(index, run):
    refreshed()
    before = by_name()
    result = run("refresh", "--moments", "--moment-hop", "0.48")
    assert (result.exit_code, "refresh --no-moments" in result.stderr) == (1, True)
    assert by_name() == before
    assert run("refresh", "--no-moments").exit_code == 0
    assert set(refreshed(hop=0.48).values()) == {None}


def test_an_index_of_excerpts_is_refused(music, run):
    add("index", [music], model="compact", excerpt_seconds=2.0, n_jobs=1)
    result = run("refresh", "--moments")
    assert (result.exit_code, "moments need whole files" in result.stderr) == (1, True)
    with Index("index") as opened:
        assert opened.moment_hop is None


def test_an_interrupted_refresh_continues_with_the_rest(index, music):
    with Index("index") as opened:
        with contextlib.closing(iter(MomentRefresh(opened, n_jobs=1))) as results:
            next(results)
        n_missing = len(opened.moments.missing())
        rest = MomentRefresh(opened, n_jobs=1)
        assert len(rest) == n_missing < 6
        assert set(dict(rest).values()) <= {None}
    assert by_name() == expected(music, model="compact")


def test_files_that_are_added_meanwhile_have_moments_and_are_not_read_again(index, music):
    with Index("index") as opened:
        run = MomentRefresh(opened, n_jobs=1)
        add("index", [write(music / "new.wav", noise(seed=7))], n_jobs=1)
        assert set(dict(run).values()) == {None}
    assert by_name() == expected(music, model="compact")


def test_moments_of_a_changed_file_are_not_stored_until_it_is_added_again(index, music):
    write(music / "high.wav", noise(seed=8))
    write(music / "low.wav", noise())
    shutil.copy(music / "tune.ogg", music / "deep" / "hiss2.wav")
    errors = refreshed()
    reasons = {name: error.reason for name, error in errors.items() if error}
    assert reasons == dict.fromkeys(
        ["high.wav", "low.wav", "hiss2.wav"], "it has changed since it was added"
    )
    assert errors["high.wav"].hint == "Run `audiosearch add` on it."
    assert by_name()["high.wav"] is None
    add("index", [music], n_jobs=1)
    assert by_name() == expected(music, model="compact")


def test_a_track_that_is_replaced_meanwhile_keeps_its_new_moments(index, music):
    with Index("index") as opened:
        run = iter(MomentRefresh(opened, n_jobs=1))
        write(music / "tune.ogg", melody(8.0, seed=4), format="OGG", subtype="VORBIS")
        add("index", [music / "tune.ogg"], n_jobs=1)
        dict(run)
    assert by_name() == expected(music, model="compact")


def test_a_retagged_file_has_the_same_sound(tmp_path, music):
    def tagged(title):
        options = {"container": "flac", "codec": "flac", "title": title}
        encode(music / "tagged.flac", melody(3.0), 16_000, **options)

    tagged("A")
    add("index", [music], model="compact", n_jobs=1)
    tagged("B")
    assert set(refreshed().values()) == {None}
    assert by_name() == expected(music, model="compact")


def test_a_copy_of_a_file_that_can_not_be_read_is_read_itself(index, music):
    (music / "copy.wav").write_bytes(b"text")
    (music / "high.wav").unlink()
    errors = refreshed()
    assert {name for name, error in errors.items() if error} == {"copy.wav", "high.wav"}
    moments = by_name()
    assert (moments["copy.wav"], moments["high.wav"]) == (moments["low.wav"], None)


def test_imported_tracks_without_a_content_hash_are_read_as_they_are(index, music):
    with Index("index") as opened:
        for track in list(opened):
            opened.storage.update(replace(track, content_hash="", audio_hash=""))
    (copy,) = filter(None, refreshed().values())
    assert copy.hint == "Run the same command again."
    assert list(refreshed().values()) == [None]
    assert by_name() == expected(music, model="compact")


def test_copies_are_decoded_once(index, music):
    with Index("index") as opened:
        run = MomentRefresh(opened, n_jobs=1)
        dict(run)
        n_patches = opened.moments.totals()[1]
    assert run.audio_seconds == pytest.approx(0.96 * (n_patches - 3))
    moments = by_name()
    assert moments["copy.wav"] == moments["low.wav"] is not None


def test_tracks_without_sounds_get_them_along_with_moments(music):
    add("index", [music], model="compact", sounds=False, n_jobs=1)
    refreshed()
    assert by_name() == expected(music, model="compact")
    assert [t.sounds for t, _ in rows()] == [t.sounds for t, _ in rows("expected")]


def test_refreshing_sounds_adds_those_of_moments(music, run):
    add("index", [music], model="compact", sounds=False, moments=True, moment_hop=0.48, n_jobs=1)
    assert {sounds for _, sounds in by_name().values()} == {None}
    with Index("index") as opened:
        assert set(dict(SoundRefresh(opened, n_jobs=1)).values()) == {None}
    assert by_name() == expected(music, 0.48, model="compact")


def test_sounds_of_a_changed_file_are_not_stored(music):
    add("index", [music], model="compact", sounds=False, n_jobs=1)
    write(music / "low.wav", noise(seed=8))
    with Index("index") as opened:
        errors = dict(SoundRefresh(opened, n_jobs=1))
        assert errors[str(music / "low.wav")].reason == "it has changed since it was added"
        assert opened.storage.count_without_sounds() == 1


def test_moments_and_sounds_together_read_each_file_once(music, run):
    add("index", [music], model="compact", sounds=False, n_jobs=1)
    result = run("refresh", "--moments", "--sounds", "-j", "1")
    assert result.exit_code == 0
    assert [line for line in result.stderr.splitlines() if "updated" in line] == [
        "5 updated, 0 missing, 0 failed",
        "0 updated, 0 missing, 0 failed",
    ]
    assert by_name() == expected(music, model="compact")


def test_a_disk_without_room_is_refused_before_it_starts(index):
    with Index("index") as opened:
        long = [replace(some_track(number), seconds=1e9) for number in range(2_000)]
        opened.add_all(zip(long, unit_vectors(len(long)), strict=True))
        with pytest.raises(IndexUnwritable, match=r"The moments take [0-9,]+ MB or more") as e:
            MomentRefresh(opened)
        assert opened.moment_hop is None
    assert "Free some space" in e.value.hint


def test_dropped_moments_end_a_refresh_in_another_process(index):
    with Index("index") as opened, Index("index") as elsewhere:
        run = MomentRefresh(opened, n_jobs=1)
        elsewhere.set_moment_hop(None)
        with pytest.raises(LibraryError, match="Another process has added or dropped"):
            dict(run)


def test_an_index_of_a_custom_model_needs_its_file(other, music, run):
    add("index", [music], model=other, n_jobs=1)
    assert run("refresh", "--moments", "--model", other, "-j", "1").exit_code == 0
    assert by_name() == expected(music, model=other)


# Another model


@pytest.fixture
def with_moments(music):
    shutil.copy(music / "low.wav", music / "copy.wav")
    add("index", [music], model="compact", moments=True, moment_hop=0.48, n_jobs=1)


def reembed(model, **options):
    with Reembedding("index", ModelRequest(model), n_jobs=1, **options) as reembedding:
        errors = dict(reembedding)
        reembedding.commit()
        return errors


@pytest.mark.parametrize("sounds", [True, False])
def test_reembed_replaces_the_moments_and_keeps_their_sounds(sounds, with_moments, other, music):
    first_sounds = {name: sounds for name, (_, sounds) in by_name().items()}
    assert set(reembed(other, sounds=sounds).values()) == {None}
    moments = by_name()
    assert moments == expected(music, 0.48, model=other)
    assert {name: sounds for name, (_, sounds) in moments.items()} == first_sounds
    with Index("index") as index:
        assert (index.moment_hop, index.moments.missing()) == (0.48, [])
        assert index.moments_of(next(iter(index))).codes.shape[1] == 96


def test_moments_of_the_old_model_are_used_until_the_new_ones_are_complete(
    with_moments, other, music
):
    before = by_name()
    with Reembedding("index", ModelRequest(other), n_jobs=1) as reembedding:
        with contextlib.closing(iter(reembedding)) as results:
            next(results)
        assert by_name() == before
    with Reembedding("index", ModelRequest(other), n_jobs=1) as reembedding:
        assert set(dict(reembedding).values()) <= {None}
        assert by_name() == before
        reembedding.commit()
    assert by_name() == expected(music, 0.48, model=other)


def test_reembed_gives_patches_new_ids(with_moments, other):
    def ids():
        with Index("index") as index:
            found = index.storage.rows("SELECT first_id, n_patches FROM moments ORDER BY first_id")
        return [(row["first_id"], row["first_id"] + row["n_patches"]) for row in found]

    before = ids()
    reembed(other)
    after = ids()
    assert max(end for _, end in before) <= min(start for start, _ in after)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(after))


def test_reembed_takes_the_moments_of_changed_files_as_they_are_now(with_moments, other, music):
    write(music / "low.wav", noise(5.0, seed=8))
    reembed(other)
    assert by_name() == {
        name: moments if name != "low.wav" else (moments[0], None)
        for name, moments in expected(music, 0.48, model=other).items()
    }


def test_reembed_adds_the_moments_and_sounds_that_were_missing(with_moments, other, music):
    with Index("index") as index:
        index.moments.put({track.id: None for track in list(index)[:3]})
    reembed(other)
    assert by_name() == expected(music, 0.48, model=other)


def test_reembed_starts_again_if_moments_were_added_in_between(index, other, music):
    with Reembedding("index", ModelRequest(other), n_jobs=1) as reembedding:
        dict(reembedding)
    refreshed()
    with Reembedding("index", ModelRequest(other), n_jobs=1) as reembedding:
        assert len(reembedding) == 6
        dict(reembedding)
        with Index("index") as elsewhere:
            elsewhere.set_moment_hop(None)
        with pytest.raises(LibraryError, match="added or dropped its moments"):
            reembedding.commit()
    reembed(other)
    assert set(by_name().values()) == {None}


def test_reembed_of_an_index_without_moments_stages_none(index, other):
    with Reembedding("index", ModelRequest(other), n_jobs=1) as reembedding:
        dict(reembedding)
        with Index("index") as opened:
            staged = opened.storage.rows("SELECT codes, sounds FROM pending_vectors")
        assert [(row["codes"], row["sounds"]) for row in staged] == [(None, None)] * 6
        reembedding.commit()
    assert np.all([moments is None for moments in by_name().values()])

"""Moments are made while files are added: what they hold, and which files have them."""

import itertools
import json
import os
import shutil

import numpy as np
import pytest
from networks import mean_bands, pooled_tflite, tflite
from sounds import encode, melody, noise, tone, write

from audiosearch import Embedder, Index, LibraryError, UsageError, add, defaults
from audiosearch.embedding.batches import FileInProgress, PatchBatches
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.embedding.reader import Reader
from audiosearch.embedding.running_moments import patch_moments
from audiosearch.errors import IndexUnwritable
from audiosearch.ingest.add import Ingest, ReprocessPolicy, Status
from audiosearch.models.log_mel import log_mel_patches, patch_stream
from audiosearch.models.registry import ModelRequest, compact, resolve
from audiosearch.models.tagger import Tagger, sound_names

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow

HOPS = [pytest.param(0.96, id="0.96 s"), pytest.param(0.48, id="0.48 s")]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Models by kind: the packaged one, one without `pooled` like VGGish, and one that squares."""
    folder = tmp_path_factory.mktemp("models")
    squares = pooled_tflite(
        folder / "squares.tflite", mean_bands, lambda means: means**2, n_values=128
    )
    plain = tflite(folder / "plain.tflite", mean_bands)
    return {"compact": "compact", "plain": str(plain), "pooled": str(squares)}


def moments_by_name(location="index"):
    """Return the moments of each track by the name of its file."""
    with Index(location) as index:
        return {os.path.basename(track.path): index.moments_of(track) for track in index}


def made(*paths, location="index", **options):
    """Add files to an index, and return the status of each by name."""
    results = add(location, paths, n_jobs=1, **options)
    return {os.path.basename(result.path): result.status for result in results}


def new(*paths, **options):
    """Make an index with moments."""
    return made(*paths, model="compact", moments=True, **options)


def assert_equal(actual, expected):
    np.testing.assert_array_equal(actual.codes, expected.codes)
    assert actual.sounds.to_bytes() == expected.sounds.to_bytes()


# The hop


@pytest.mark.parametrize(
    "n_samples", [1, 400, 8_000, 15_599, 15_600, 23_279, 23_280, 46_500, 160_000]
)
@pytest.mark.parametrize("n_blocks", [1, 7])
def test_patches_of_half_the_hop_are_those_that_start_in_between(n_samples, n_blocks):
    samples = noise(10.0)[:n_samples]
    blocks = np.array_split(samples, n_blocks)
    dense = np.concatenate(list(patch_stream(blocks, hop_frames=48)))
    np.testing.assert_array_equal(dense[::2], np.concatenate(list(patch_stream([samples]))))
    between = log_mel_patches(samples[7_680:])
    np.testing.assert_allclose(dense[1::2], between[: len(dense) // 2], atol=1e-5)
    assert len(dense) == max(1, (n_samples - 15_600) // 7_680 + 1)


@pytest.mark.parametrize("hop_frames", [96, 48])
def test_each_frame_is_computed_once(hop_frames, monkeypatch):
    shapes = []
    transform = np.fft.rfft
    monkeypatch.setattr(
        np.fft, "rfft", lambda frames, **how: shapes.append(len(frames)) or transform(frames, **how)
    )
    list(patch_stream(np.array_split(noise(9.0), 11), hop_frames=hop_frames))
    assert sum(shapes) <= 9.0 * 100


@pytest.mark.parametrize("kind", ["compact", "plain", "pooled"])
def test_vectors_and_sounds_of_tracks_do_not_depend_on_moments(kind, models, tmp_path):
    paths = [
        write(tmp_path / f"{seconds}.wav", melody(seconds, seed=i))
        for i, seconds in enumerate((0.3, 1.0, 1.5, 7.3, 33.9))
    ]
    kinds = {"none": {}, "0.96": {"moments": True}, "0.48": {"moments": True, "moment_hop": 0.48}}
    rows = {}
    for location, options in kinds.items():
        add(location, paths, model=models[kind], n_jobs=2, **options)
        with Index(location) as index:
            rows[location] = [(track.path, track.sounds, index.vector(track)) for track in index]
    for other in ("0.96", "0.48"):
        for (path, sounds, vector), expected in zip(
            *map(sorted, (rows[other], rows["none"])), strict=True
        ):
            assert (path, [s.name for s in sounds]) == (expected[0], [s.name for s in expected[1]])
            for sound, expected_sound in zip(sounds, expected[1], strict=True):
                assert sound.at == expected_sound.at
                assert sound.score == pytest.approx(expected_sound.score, abs=1e-3)
                assert sound.mean == pytest.approx(expected_sound.mean, abs=1e-3)
            np.testing.assert_allclose(vector, expected[2], atol=1e-5)


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("kind", ["compact", "plain", "pooled"])
def test_each_moment_is_the_embedding_of_the_patch_at_its_time(kind, hop, models, tmp_path):
    samples = melody(40.0)
    made(
        write(tmp_path / "a.wav", samples, subtype="FLOAT"),
        model=models[kind],
        moments=True,
        moment_hop=hop,
    )
    moments = moments_by_name()["a.wav"]
    starts = np.rint(16_000 * hop * np.arange(len(moments))).astype(int)
    assert starts[-1] + 15_600 <= len(samples) < starts[-1] + 15_600 + 16_000 * hop
    patches = np.concatenate([log_mel_patches(samples[i : i + 15_600]) for i in starts])
    expected = np.concatenate(list(Embedder(models[kind]).vectors([patches])))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    cosines = (moments.vectors() * expected).sum(axis=1)
    assert cosines.min() > 0.999
    scores = Tagger(n_threads=1)(patches)
    heard = scores >= defaults.SOUND_THRESHOLD
    silence = sound_names().index("Silence")
    heard[:, silence] &= heard.sum(axis=1) == 1
    is_clear = (np.abs(scores - defaults.SOUND_THRESHOLD) > 0.001).all(axis=1)
    np.testing.assert_array_equal(moments.sounds.counts[is_clear], heard.sum(axis=1)[is_clear])
    for name in ("Music", "Silence", "Sine wave"):
        number = sound_names().index(name)
        expected_scores = np.where(heard, scores, 0)[:, number]
        stored = moments.sounds.highest([number])
        np.testing.assert_allclose(stored[is_clear], expected_scores[is_clear], atol=0.003)


def test_silence_is_a_sound_of_a_patch_only_if_nothing_else_is():
    scores = np.zeros((3, 521), np.float32)
    silence, dog = map(sound_names().index, ("Silence", "Dog"))
    scores[0, [silence, dog]] = 0.9, 0.2
    scores[1, silence] = 0.9
    sounds = patch_moments(
        np.zeros((3, 96, 64), np.float32), np.ones((3, 4), np.float32), scores
    ).sounds
    assert (sounds.counts.tolist(), sounds.classes.tolist()) == ([1, 1, 0], [dog, silence])


def test_a_patch_with_more_sounds_than_are_stored_keeps_the_highest():
    scores = np.linspace(1.0, 0.2, 521, dtype=np.float32)[np.newaxis]
    sounds = patch_moments(
        np.zeros((1, 96, 64), np.float32), np.ones((1, 4), np.float32), scores
    ).sounds
    assert (sounds.counts.tolist(), sounds.classes.tolist()) == ([255], list(range(255)))


def test_moments_of_files_in_one_batch_are_kept_apart(tmp_path):
    paths = [str(write(tmp_path / f"{i}.wav", melody(1.0 + 0.48 * i, seed=i))) for i in range(6)]
    together = Pipeline(paths, compact(), n_jobs=1, has_sounds=True, moment_hop=0.48)
    for result in itertools.chain(*together):
        alone = Pipeline([result.path], compact(), n_jobs=1, has_sounds=True, moment_hop=0.48)
        ((expected,),) = alone
        cosines = result.embedding.moments.vectors() * expected.embedding.moments.vectors()
        assert cosines.sum(axis=1).min() > 0.9999
        counts = [r.embedding.moments.sounds.counts.tolist() for r in (result, expected)]
        assert counts[0] == counts[1]


@pytest.mark.parametrize("hop", [None, 0.96, 0.48])
def test_seconds_of_audio_are_counted_once(hop, tmp_path):
    path = str(write(tmp_path / "a.wav", noise(24.0)))
    pipeline = Pipeline([path], compact(), n_jobs=1, moment_hop=hop)
    assert [result.error for result in itertools.chain(*pipeline)] == [None]
    assert pipeline.audio_seconds == pytest.approx(24.0, abs=1.0)


class CountedNetwork:
    """A network that counts how often embeddings are computed."""

    runtime = "litert f32"

    def __init__(self):
        self.n_calls = 0

    def __call__(self, patches):
        return patches.mean(axis=1)

    def embeddings(self, values):
        self.n_calls += 1
        return values


@pytest.mark.parametrize(
    ("hop", "n_calls"),
    [pytest.param(None, 0, id="without moments"), pytest.param(0.96, 3, id="with moments")],
)
def test_embeddings_of_patches_are_computed_only_for_moments(hop, n_calls):
    network = CountedNetwork()
    batches = PatchBatches(lambda: (network, None), lambda file: None, moment_hop=hop)
    batches.add(FileInProgress("a"), np.ones((96, 96, 64), np.float32))
    assert (batches.n_done, network.n_calls) == (96, n_calls)


# Files


@pytest.mark.parametrize("hop", HOPS)
def test_a_file_shorter_than_a_patch_has_one_moment(hop, tmp_path):
    new(write(tmp_path / "a.wav", tone(440, 0.2)), moment_hop=hop)
    assert len(moments_by_name()["a.wav"]) == 1


def test_an_index_with_moments_needs_no_flag_later(music):
    new(music / "low.wav", moment_hop=0.48)
    made(music)
    made(music, moments=True)
    made(music, moment_hop=0.48)
    with Index("index") as index:
        assert (index.moment_hop, index.moments.missing()) == (0.48, [])
        assert index.moments.totals()[0] == index.n_tracks == 5


def test_moments_are_made_and_dropped_in_every_backend(place, music, run):
    new(music / "low.wav", music / "tune.ogg", location=place)
    shutil.copy(music / "low.wav", music / "copy.wav")
    made(music, location=place)
    new(music, location="folder")
    for name, moments in moments_by_name("folder").items():
        assert_equal(moments_by_name(place)[name], moments)
    facts = json.loads(run("info", "--index", place, "--format", "json").stdout)
    assert (facts["moment_hop"], facts["moment_tracks"]) == (0.96, 6)
    assert run("refresh", "--no-moments", "--index", place).exit_code == 0
    assert set(moments_by_name(place).values()) == {None}
    assert run("refresh", "--moments", "--index", place, "-j", "1").exit_code == 0
    for name, moments in moments_by_name("folder").items():
        assert_equal(moments_by_name(place)[name], moments)


def test_an_index_has_no_moments_unless_asked(music):
    made(music, model="compact")
    with Index("index") as index:
        assert (index.moment_hop, index.moments.totals()) == (None, (0, 0, 0))


def test_copies_in_one_run_and_later_share_the_moments(music):
    for name in ("first.wav", "second.wav"):
        shutil.copy(music / "low.wav", music / name)
    assert set(new(music).values()) == {Status.ADDED}
    shutil.copy(music / "low.wav", music / "third.wav")
    assert made(music)["third.wav"] is Status.ADDED
    moments = moments_by_name()
    for name in ("first.wav", "second.wav", "third.wav"):
        assert_equal(moments[name], moments["low.wav"])


def test_a_moved_or_retagged_file_keeps_its_moments(tmp_path):
    def tagged(name, title, seed):
        options = {"container": "flac", "codec": "flac", "title": title}
        return encode(tmp_path / name, melody(3.0, seed=seed), 16_000, **options)

    paths = tagged("moved.flac", "A", 1), tagged("retagged.flac", "B", 2)
    new(*paths)
    before = moments_by_name()
    paths[0].rename(tmp_path / "new.flac")
    tagged("retagged.flac", "C", 2)
    statuses = made(tmp_path / "new.flac", paths[1])
    assert statuses == {"new.flac": Status.MOVED, "retagged.flac": Status.RETAGGED}
    after = moments_by_name()
    assert_equal(after["new.flac"], before["moved.flac"])
    assert_equal(after["retagged.flac"], before["retagged.flac"])


def test_moments_of_a_changed_file_are_replaced(music):
    new(music)
    before = moments_by_name()
    write(music / "low.wav", melody(8.0, seed=5))
    shutil.copy(music / "high.wav", music / "deep" / "hiss2.wav")
    made(music)
    after = moments_by_name()
    assert len(after["low.wav"]) == 8 != len(before["low.wav"])
    assert_equal(after["hiss2.wav"], after["high.wav"])
    new(music, location="other")
    assert_equal(moments_by_name("other")["low.wav"], after["low.wav"])


def test_a_removed_track_takes_its_moments_along(music):
    new(music)
    with Index("index") as index:
        index.remove([next(iter(index))])
        assert index.moments.totals()[0] == index.n_tracks == 4


def test_a_failed_file_that_is_tried_again_has_moments(music):
    whole = (music / "low.wav").read_bytes()
    (music / "low.wav").write_bytes(b"text")
    assert new(music)["low.wav"] is Status.FAILED
    assert "low.wav" not in moments_by_name()
    (music / "low.wav").write_bytes(whole)
    made(music, reprocess=ReprocessPolicy.FAILED)
    assert len(moments_by_name()["low.wav"]) == 3


def test_force_makes_moments_again(music):
    new(music)
    before = moments_by_name()
    with Index("index") as index:
        index.moments.put({track.id: None for track in index})
    assert set(moments_by_name().values()) == {None}
    assert set(made(music, reprocess=ReprocessPolicy.ALL).values()) == {Status.ADDED}
    for name, moments in moments_by_name().items():
        assert_equal(moments, before[name])


def test_without_sounds_moments_have_none_unless_a_copy_has_them(music):
    new(music / "low.wav", sounds=False)
    assert moments_by_name()["low.wav"].sounds is None
    made(music / "high.wav")
    before = moments_by_name()["high.wav"]
    shutil.copy(music / "high.wav", music / "copy.wav")
    forced = {"reprocess": ReprocessPolicy.ALL, "sounds": False}
    made(music / "high.wav", music / "low.wav", music / "copy.wav", **forced)
    after = moments_by_name()
    assert after["low.wav"].sounds is None
    assert_equal(after["high.wav"], before)
    assert_equal(after["copy.wav"], before)


def test_a_copy_of_a_track_whose_moments_are_missing_lacks_them_too(music):
    new(music / "low.wav")
    with Index("index") as index:
        index.moments.put({track.id: None for track in index})
    shutil.copy(music / "low.wav", music / "copy.wav")
    assert made(music / "copy.wav") == {"copy.wav": Status.ADDED}
    with Index("index") as index:
        assert len(index.moments.missing()) == 2


def test_an_excerpt_of_the_same_length_has_no_moments(music):
    made(music / "low.wav", model="compact", excerpt_seconds=60)
    assert moments_by_name() == {"low.wav": None}


# Errors, before a file is decoded


@pytest.fixture
def unread(tmp_path):
    """A file that can't be decoded, so that a failure would be stored."""
    path = tmp_path / "bad.wav"
    path.write_bytes(b"text")
    return path


@pytest.mark.parametrize(
    ("before", "options", "error", "hint"),
    [
        pytest.param(None, {"hop": 0}, UsageError, "Use 0.96 or 0.48.", id="hop of 0"),
        pytest.param(None, {"hop": -0.48}, UsageError, "Use 0.96 or 0.48.", id="negative hop"),
        pytest.param(None, {"hop": "nan"}, UsageError, "Use 0.96 or 0.48.", id="hop of NaN"),
        pytest.param(None, {"hop": 1.5}, UsageError, "Use 0.96 or 0.48.", id="another hop"),
        pytest.param("with", {"hop": 1.5}, UsageError, "Use 0.96 or 0.48.", id="hop, later"),
        pytest.param(
            None, {"hop": 0.48, "moments": False}, UsageError, "--moments", id="hop alone"
        ),
        pytest.param(
            "without", {"hop": 0.48, "moments": False}, UsageError, "--moments", id="hop, without"
        ),
        pytest.param(None, {"excerpt": 3}, UsageError, "--excerpt", id="excerpt"),
        pytest.param(
            "without", {}, LibraryError, "`audiosearch refresh --moments`", id="index without"
        ),
        pytest.param("excerpts", {}, LibraryError, "--index", id="index of excerpts"),
        pytest.param(
            "with",
            {"hop": 0.48},
            LibraryError,
            "`audiosearch refresh --no-moments`, then `audiosearch refresh --moments --moment-hop "
            "0.48`",
            id="other hop",
        ),
        pytest.param(
            "with",
            {"hop": 0.48, "moments": False},
            LibraryError,
            "`audiosearch refresh --no-moments`",
            id="other hop alone",
        ),
    ],
)
def test_what_can_not_have_moments_is_refused_before_a_file_is_read(
    before, options, error, hint, music, unread, run
):
    kinds = {"with": {"moments": True}, "without": {}, "excerpts": {"excerpt_seconds": 2}}
    if before:
        made(music / "low.wav", model="compact", **kinds[before])
    arguments = {"moments": True, "hop": None, "excerpt": None} | options
    with pytest.raises(error) as raised:
        add(
            "index",
            [unread],
            moments=arguments["moments"],
            moment_hop=None if arguments["hop"] is None else float(arguments["hop"]),
            excerpt_seconds=arguments["excerpt"],
        )
    assert hint in raised.value.hint
    line = ["--moments"] if arguments["moments"] else []
    line += [] if arguments["hop"] is None else ["--moment-hop", arguments["hop"]]
    line += [] if arguments["excerpt"] is None else ["--excerpt", arguments["excerpt"]]
    result = run("add", unread, *line)
    assert (result.exit_code, hint in " ".join(result.stderr.split())) == (error.exit_code, True)
    if before:
        with Index("index") as index:
            assert (index.n_tracks, index.storage.failures()) == (1, [])
    else:
        assert not Index.exists("index")


def test_an_add_stops_if_another_process_drops_the_moments(music):
    new(music / "low.wav")
    ingest = iter(Ingest("index", [str(music / "high.wav"), str(music / "hiss.flac")]))
    with Index("index") as index:
        index.set_moment_hop(None)
        index.set_moment_hop(0.48)
    with pytest.raises(LibraryError, match="Another process") as raised:
        list(ingest)
    assert raised.value.hint == "Run the same command again."
    assert list(moments_by_name()) == ["low.wav"]


class HugeFiles(Reader):
    """A reader of files that seem to have 10 exabytes."""

    def size_and_mtime(self, path):
        return 10**19, 1


def test_a_disk_without_room_for_the_moments_is_refused_before_a_file_is_read(unread):
    request = ModelRequest("compact")
    ingest = Ingest("index", [str(unread)], request=request, reader=HugeFiles(), moments=True)
    with pytest.raises(IndexUnwritable, match=r"The moments take .* MB or more, and the disk") as e:
        list(ingest)
    assert "--index" in e.value.hint
    assert not Index.exists("index")
    (result,) = Ingest("index", [str(unread)], request=request, reader=HugeFiles())
    assert result.status is Status.FAILED


# Facts


def test_info_counts_moments_and_their_bytes(music, run):
    new(music, moment_hop=0.48)
    facts = json.loads(run("info", "--format", "json").stdout)
    moments = moments_by_name().values()
    n_moments = sum(map(len, moments))
    n_bytes = sum(m.codes.nbytes + len(m.sounds.to_bytes()) + m.prints.nbytes for m in moments)
    assert (facts["moment_hop"], facts["moment_tracks"], facts["moments"]) == (0.48, 5, n_moments)
    assert facts["moment_bytes"] == n_bytes
    total = n_bytes + (facts["moment_faiss_bytes"] or 0)
    assert facts["moment_bytes_per_second"] == pytest.approx(total / (0.48 * n_moments))
    assert "moment_tracks" in run("info").stdout


def test_info_of_an_index_without_moments_says_nothing_about_them(music, run):
    made(music / "low.wav", model="compact")
    assert "moment" not in run("info", "--format", "json").stdout
    made(music / "low.wav", location="other", model=resolve("compact").name, moments=True)
    with Index("other") as index:
        index.set_moment_hop(None)
    assert "moment" not in run("info", "--index", "other").stdout

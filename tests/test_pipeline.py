"""Files read by processes apart, embedded together, and what a broken decoder costs."""

import os
import signal
import sys
import time

import numpy as np
import psutil
import pytest
from sounds import melody, noise, tone, write

from audiosearch import AudiosearchError, Embedder, Index, add
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.ingest.add import Status
from audiosearch.models.registry import compact
from audiosearch.models.runtime import Network

# What a decoder does to a file of that name.
FAULTS = {
    "segfault": "os.kill(os.getpid(), signal.SIGSEGV)",
    "exit": "os._exit(3)",
    "hang": "time.sleep(3600)",
    "memory": "bytearray(1 << 40)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "bug": "1 / 0",
    "slow": "slowly()",
}
REASONS = {
    "segfault": "its decoder crashed (SIGSEGV)",
    "exit": "its decoder crashed (exit status 3)",
    "hang": "decoding it takes too long",
    "memory": "decoding it takes more than 2 GB of memory",
    "killed": "its decoder was killed, perhaps for want of memory",
    "bug": "its decoder failed (ZeroDivisionError: division by zero)",
}


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """Make decoders break on files whose names say how."""
    site = tmp_path / "site"
    site.mkdir()
    lines = [f"    if {name!r} in path: {fault}" for name, fault in FAULTS.items()]
    program = [
        "import os, signal, time",
        "signal.signal(signal.SIGINT, signal.default_int_handler)",  # which a job may lack
        "from audiosearch.embedding import embedder",
        "whole = embedder.open_recording",
        "def slowly():",
        "    convert = embedder.mono_blocks",
        "    embedder.mono_blocks = lambda *these: (time.sleep(3), convert(*these))[1]",
        "def open_recording(path):",
        *lines,
        "    return whole(path)",
        "embedder.open_recording = open_recording",
    ]
    (site / "sitecustomize.py").write_text("\n".join(program))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)


def readings(paths, **options):
    pipeline = Pipeline([str(path) for path in paths], compact(), **options)
    return {reading.path: reading for some in pipeline for reading in some}


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_files_embedded_together_have_the_vectors_they_have_alone(tmp_path, n_jobs):
    lengths = [0.3, 0.96, 4.0, 31.0, 1.0, 40.0, 2.5, 0.5, 12.0]
    paths = [write(tmp_path / f"{i}.wav", melody(s, seed=i)) for i, s in enumerate(lengths)]
    found = readings(paths, n_jobs=n_jobs)
    embedder = Embedder(compact())
    for path in paths:
        alone, together = embedder.embed(path), found[str(path)].embedding
        np.testing.assert_allclose(together.vector, alone.vector, atol=1e-6)
        assert (together.info, together.seconds) == (alone.info, alone.seconds)


def test_excerpts_are_those_of_the_embedder(tmp_path):
    path = write(tmp_path / "long.flac", melody(60.0))
    together = readings([path], excerpt_seconds=5.0)[str(path)].embedding
    alone = Embedder(compact(), excerpt_seconds=5.0).embed(path)
    np.testing.assert_allclose(together.vector, alone.vector, atol=1e-6)


def test_of_files_with_the_same_content_one_is_embedded(tmp_path):
    paths = [write(tmp_path / f"{i}.wav", tone(440)) for i in range(5)]
    found = readings(paths)
    (embedded,) = (reading for reading in found.values() if reading.embedding)
    others = [reading for reading in found.values() if not reading.embedding]
    assert [reading.duplicate_of for reading in others] == [embedded.path] * 4


def test_what_is_known_by_its_content_is_not_embedded(tmp_path):
    path = write(tmp_path / "a.wav", tone(440))
    content = readings([path])[str(path)].found.content_hash
    reading = readings([path], known={content})[str(path)]
    assert (reading.embedding, reading.error) == (None, None)
    assert reading.found.size == path.stat().st_size


@pytest.mark.parametrize("fault", REASONS)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_broken_decoder_costs_its_file_and_no_other(tmp_path, faulty, fault):
    bad = write(tmp_path / f"{fault}.wav", tone(440))
    good = [write(tmp_path / f"{i}.wav", noise(seed=i)) for i in range(4)]
    found = readings([good[0], bad, *good[1:]], n_jobs=1, patience_seconds=2.0)
    assert found[str(bad)].error.reason == REASONS[fault]
    assert all(found[str(path)].embedding for path in good)


def test_a_process_killed_in_the_midst_of_a_message_costs_its_file(tmp_path, monkeypatch):
    run = Network.__call__
    killed = []

    def slow(network, patches):
        """Let messages pile up, and then kill who sends them."""
        if not killed:
            time.sleep(1.0)
            children = psutil.Process().children()
            killed.extend(
                c for c in children if "embedding.decoder_worker" in " ".join(c.cmdline())
            )
            killed[0].kill()
        return run(network, patches)

    monkeypatch.setattr(Network, "__call__", slow)
    paths = [write(tmp_path / f"{i}.wav", melody(900.0, seed=i)) for i in range(3)]
    found = readings(paths, n_jobs=1)
    reasons = [reading.error.reason for reading in found.values() if reading.error]
    assert reasons == [REASONS["killed"]]


def test_relative_paths_are_those_of_whoever_asks(tmp_path, monkeypatch):
    write(tmp_path / "here.wav", tone(440))
    (tmp_path / "random.py").write_text("raise SystemExit('imported from where the user is')")
    monkeypatch.chdir(tmp_path)
    assert readings(["here.wav"])["here.wav"].embedding


def test_that_no_process_can_be_started_is_a_sentence(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("audiosearch.embedding.decoder_process.subprocess.Popen", refused)
    with pytest.raises(AudiosearchError, match="Resource temporarily unavailable"):
        readings([write(tmp_path / "a.wav", tone(440))])


def test_twins_of_a_file_that_failed_fail_likewise(tmp_path, faulty):
    paths = [write(tmp_path / f"{i} bug.wav", tone(440)) for i in range(3)]
    reasons = {str(path): REASONS["bug"] for path in paths}
    found = readings(paths, n_jobs=3)
    assert {path: reading.error.reason for path, reading in found.items()} == reasons


@pytest.mark.parametrize(("seconds", "is_read"), [(1.0, False), (60.0, True)])
def test_a_file_may_take_the_longer_the_longer_it_lasts(tmp_path, faulty, seconds, is_read):
    path = str(write(tmp_path / "slow.wav", noise(seconds)))
    reading = readings([path], patience_seconds=1.0)[path]
    assert (reading.embedding is not None) is is_read
    assert (reading.error is None) is is_read


def test_what_fails_in_the_index_is_told_and_the_rest_goes_in(tmp_path, faulty):
    folder = tmp_path / "music"
    folder.mkdir()
    bad = write(folder / "segfault.wav", tone(440))
    write(folder / "good.wav", tone(220))
    outcomes = {outcome.path: outcome for outcome in add("index", [folder], model="compact")}
    assert outcomes[str(bad)].status is Status.FAILED
    with Index("index") as index:
        assert [failure.reason for failure in index.failures()] == [REASONS["segfault"]]
        assert index.totals().tracks == 1


def test_no_process_outlives_a_run_that_is_left(tmp_path):
    paths = [str(write(tmp_path / f"{i}.wav", melody(30.0, seed=i))) for i in range(6)]
    iterator = iter(Pipeline(paths, compact(), n_jobs=2))
    next(iterator)
    children = psutil.Process().children()
    assert children
    iterator.close()
    assert not any(child.is_running() for child in children)


def test_processes_leave_when_whoever_started_them_is_killed(tmp_path, faulty, start):
    folder = tmp_path / "music"
    folder.mkdir()
    write(folder / "hang.wav", tone(440))
    command = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", str(folder)]
    adding = start(*command)
    children = wait_for(psutil.Process(adding.pid).children)
    adding.kill()
    adding.wait()
    assert not psutil.wait_procs(children, timeout=20)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_keeps_what_was_added_and_says_how_to_go_on(tmp_path, faulty, start):
    folder = tmp_path / "music"
    folder.mkdir()
    for i in range(3):
        write(folder / f"{i}.wav", noise(seed=i))
    hanging = write(folder / "z hang.wav", tone(440))
    command = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", str(folder)]
    adding = start(*command, start_new_session=True)
    wait_for(lambda: Index.exists("index") and n_tracks() == 3)
    os.killpg(adding.pid, signal.SIGINT)
    _, said = adding.communicate(timeout=20)
    assert adding.returncode == 130
    assert "the same command goes on from there" in said
    hanging.unlink()
    statuses = [outcome.status for outcome in add("index", [folder])]
    assert statuses == [Status.UNCHANGED] * 3


def n_tracks():
    with Index("index") as index:
        return index.totals().tracks


def wait_for(condition):
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail("nothing of the kind within 30 s")

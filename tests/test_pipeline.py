"""Many files are decoded by several processes and embedded together."""

import os
import signal
import sys
import time

import numpy as np
import psutil
import pytest
from sounds import melody, noise, tone, write
from waiting import wait_for

from audiosearch import AudiosearchError, Embedder, Index, add
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.ingest.add import Status
from audiosearch.models.registry import compact
from audiosearch.models.runtime import Network

# Fault of the decoder on files whose names contain the key.
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
    "killed": "its decoder was killed, perhaps because memory ran out",
    "bug": "its decoder failed (ZeroDivisionError: division by zero)",
}


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """Make decoders break on files whose names contain the name of a fault."""
    site = tmp_path / "site"
    site.mkdir()
    lines = [f"    if {name!r} in path: {fault}" for name, fault in FAULTS.items()]
    program = [
        "import os, signal, time",
        "from audiosearch.embedding import patch_reader",
        "original = patch_reader.open_recording",
        "def slowly():",
        "    convert = patch_reader.mono_blocks",
        "    patch_reader.mono_blocks = lambda *a, **k: (time.sleep(3), convert(*a, **k))[1]",
        "def open_recording(path):",
        "    path = os.path.realpath(path)",  # decoders open files by their descriptors
        *lines,
        "    return original(path)",
        "patch_reader.open_recording = open_recording",
    ]
    (site / "sitecustomize.py").write_text("\n".join(program))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)


def embed(paths, **options):
    """Return the results of files by path."""
    pipeline = Pipeline([str(path) for path in paths], compact(), **options)
    return {result.path: result for batch in pipeline for result in batch}


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_files_embedded_together_have_the_same_vectors_as_alone(tmp_path, n_jobs):
    lengths = [0.3, 0.96, 4.0, 31.0, 1.0, 40.0, 2.5, 0.5, 12.0]
    paths = [write(tmp_path / f"{i}.wav", melody(s, seed=i)) for i, s in enumerate(lengths)]
    results = embed(paths, n_jobs=n_jobs)
    embedder = Embedder(compact())
    for path in paths:
        alone, together = embedder.embed(path), results[str(path)].embedding
        np.testing.assert_allclose(together.vector, alone.vector, atol=1e-6)
        assert (together.info, together.seconds) == (alone.info, alone.seconds)


def test_excerpts_have_the_same_vectors_as_by_the_embedder(tmp_path):
    path = write(tmp_path / "long.flac", melody(60.0))
    together = embed([path], excerpt_seconds=5.0)[str(path)].embedding
    alone = Embedder(compact(), excerpt_seconds=5.0).embed(path)
    np.testing.assert_allclose(together.vector, alone.vector, atol=1e-6)


def test_only_one_of_several_files_with_the_same_content_is_embedded(tmp_path):
    paths = [write(tmp_path / f"{i}.wav", tone(440)) for i in range(5)]
    results = embed(paths)
    (embedded,) = (result for result in results.values() if result.embedding)
    duplicates = [result for result in results.values() if not result.embedding]
    assert [result.duplicate_of for result in duplicates] == [embedded.path] * 4


def test_a_file_with_a_known_content_hash_is_not_embedded(tmp_path):
    path = write(tmp_path / "a.wav", tone(440))
    content = embed([path])[str(path)].file_stat.content_hash
    result = embed([path], known_hashes={content})[str(path)]
    assert (result.embedding, result.error) == (None, None)
    assert result.file_stat.size == path.stat().st_size


@pytest.mark.parametrize("fault", REASONS)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_broken_decoder_fails_its_file_and_no_other(tmp_path, faulty, fault):
    bad = write(tmp_path / f"{fault}.wav", tone(440))
    good = [write(tmp_path / f"{i}.wav", noise(seed=i)) for i in range(4)]
    results = embed([good[0], bad, *good[1:]], n_jobs=1, timeout_seconds=2.0)
    assert results[str(bad)].error.reason == REASONS[fault]
    assert all(results[str(path)].embedding for path in good)


def test_a_decoder_killed_while_sending_a_message_fails_its_file(tmp_path, monkeypatch):
    run = Network.__call__
    killed = []
    others = psutil.Process().children()  # of indexes that other tests keep open

    def slow(network, patches):
        """Wait until messages pile up, then kill the decoder that sends them."""
        if not killed:
            time.sleep(1.0)
            children = psutil.Process().children()
            killed.extend(
                c
                for c in children
                if c not in others and "embedding.decoder_worker" in " ".join(c.cmdline())
            )
            killed[0].kill()
        return run(network, patches)

    monkeypatch.setattr(Network, "__call__", slow)
    paths = [write(tmp_path / f"{i}.wav", melody(900.0, seed=i)) for i in range(3)]
    results = embed(paths, n_jobs=1)
    reasons = [result.error.reason for result in results.values() if result.error]
    assert reasons == [REASONS["killed"]]


def test_relative_paths_refer_to_the_current_folder(tmp_path, monkeypatch):
    write(tmp_path / "here.wav", tone(440))
    (tmp_path / "random.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(tmp_path)
    assert embed(["here.wav"])["here.wav"].embedding


def test_a_decoder_process_that_cannot_start_is_an_error_with_a_hint(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("audiosearch.child_process.subprocess.Popen", refuse)
    with pytest.raises(
        AudiosearchError, match="Can't start a decoder process: Resource temporarily unavailable"
    ):
        embed([write(tmp_path / "a.wav", tone(440))])


def test_duplicates_of_a_failed_file_fail_too(tmp_path, faulty):
    paths = [write(tmp_path / f"{i} bug.wav", tone(440)) for i in range(3)]
    reasons = {str(path): REASONS["bug"] for path in paths}
    results = embed(paths, n_jobs=3)
    assert {path: result.error.reason for path, result in results.items()} == reasons


@pytest.mark.parametrize(("seconds", "is_embedded"), [(1.0, False), (60.0, True)])
def test_the_time_limit_grows_with_the_length_of_the_file(tmp_path, faulty, seconds, is_embedded):
    path = str(write(tmp_path / "slow.wav", noise(seconds)))
    result = embed([path], timeout_seconds=1.0)[path]
    assert (result.embedding is not None) is is_embedded
    assert (result.error is None) is is_embedded


def test_add_reports_a_failed_file_and_adds_the_rest(tmp_path, faulty):
    folder = tmp_path / "music"
    folder.mkdir()
    bad = write(folder / "segfault.wav", tone(440))
    write(folder / "good.wav", tone(220))
    results = {result.path: result for result in add("index", [folder], model="compact")}
    assert results[str(bad)].status is Status.FAILED
    with Index("index") as index:
        assert [failure.reason for failure in index.storage.failures()] == [REASONS["segfault"]]
        assert index.totals().tracks == 1


def test_no_process_is_left_when_iteration_ends_early(tmp_path):
    seconds = [5.0, 300.0, 300.0, 300.0]  # the others are still decoded when the first is done
    paths = [str(write(tmp_path / f"{i}.wav", melody(s, seed=i))) for i, s in enumerate(seconds)]
    others = psutil.Process().children()  # of indexes that other tests keep open
    iterator = iter(Pipeline(paths, compact(), n_jobs=2))
    next(iterator)
    children = [child for child in psutil.Process().children() if child not in others]
    assert children
    iterator.close()
    assert not any(child.is_running() for child in children)


def test_decoder_processes_exit_when_their_parent_is_killed(tmp_path, faulty, start):
    folder = tmp_path / "music"
    folder.mkdir()
    write(folder / "hang.wav", tone(440))
    command = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", str(folder)]
    adding = start(*command)
    children = wait_for(psutil.Process(adding.pid).children)
    adding.kill()
    adding.wait()
    assert not psutil.wait_procs(children, timeout=60)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_keeps_added_files_and_says_how_to_continue(tmp_path, faulty, start):
    folder = tmp_path / "music"
    folder.mkdir()
    for i in range(3):
        write(folder / f"{i}.wav", noise(seed=i))
    hanging = write(folder / "z hang.wav", tone(440))
    command = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", str(folder)]
    adding = start(*command, start_new_session=True)
    wait_for(lambda: Index.exists("index") and n_tracks() == 3)
    os.killpg(adding.pid, signal.SIGINT)
    _, said = adding.communicate(timeout=120)
    assert adding.returncode == 130
    assert "run the same command to continue" in said
    hanging.unlink()
    statuses = [result.status for result in add("index", [folder])]
    assert statuses == [Status.UNCHANGED] * 3


def n_tracks():
    with Index("index") as index:
        return index.totals().tracks

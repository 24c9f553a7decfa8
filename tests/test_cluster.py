"""`add --ray`, on a cluster of two nodes."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

import numpy as np
import psutil
import pytest
from networks import mean_bands, tflite
from overhttp import over_http
from ray.cluster_utils import Cluster
from sounds import melody, tone, write

from audiosearch import AudiosearchError, Index, add
from audiosearch.audio.remote import InputFiles
from audiosearch.ingest.add import Ingest, Status
from audiosearch.ingest.ray import queue as ledgers
from audiosearch.ingest.ray import reader as readers
from audiosearch.ingest.ray.connection import connected
from audiosearch.ingest.ray.reader import RayReader, WorkerPool
from audiosearch.models.registry import ModelRequest

N_FILES = 40
REMOTE = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", "--ray"]


class Nodes(Cluster):
    """A cluster whose nodes have one core each, and a cache and temporary files of their own."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tmp").mkdir()
        super().__init__()
        self.grow()  # the head

    def grow(self):
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AUDIOSEARCH_CACHE", str(self.folder / "cache"))
            environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
            environment.setenv("RAY_TMPDIR", tempfile.gettempdir())  # sockets' paths must be short
            environment.setenv("TMPDIR", str(self.folder / "tmp"))
            self.last = self.add_node(num_cpus=1, include_dashboard=False)

    def kill_last(self):
        """Kill all that runs on a node at once, and put another into its place."""
        raylet = psutil.Process(self.last.all_processes["raylet"][0].process.pid)
        for process in [*raylet.children(recursive=True), raylet]:
            process.kill()
        self.remove_node(self.last, allow_graceful=False)
        self.grow()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two nodes."""
    nodes = Nodes(tmp_path_factory.mktemp("nodes"))
    nodes.grow()
    yield nodes
    nodes.shutdown()


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """Sounds that take a worker some time."""
    folder = tmp_path_factory.mktemp("tracks")
    for i in range(N_FILES):
        write(folder / f"{i}.wav", melody(8.0, seed=i))
    return folder


@pytest.fixture
def on_cluster(cluster):
    """Return what adds files to an index on the cluster."""
    with contextlib.ExitStack() as stack:

        def ingest(*paths, directory="index", n_workers=2, **options):
            stack.enter_context(connected(cluster.address))
            sources = InputFiles(paths)
            reader = RayReader(sources, n_workers=n_workers, **options)
            return Ingest(directory, sources.paths, request=ModelRequest("compact"), reader=reader)

        yield ingest


def stored(directory="index"):
    """Return what an index holds by path, and each track's vector."""
    with Index(directory) as index, index.all_with_vectors() as (_, rows):
        return {
            track.path: (
                (track.content_hash, track.seconds, track.title, track.size, track.mtime_ns),
                vector,
            )
            for track, vector in rows
        }


def listeners():
    return [p for p in psutil.process_iter(["cmdline"]) if "ray::Listener" in str(p.info)]


def wait_for(condition):
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail("nothing of the kind within 30 s")


def test_it_gives_what_plain_add_gives(cluster, tracks, run):
    said = run("add", "--ray", cluster.address, tracks, "--model", "compact").stderr
    assert f"{N_FILES} added, 0 unchanged, 0 failed" in said
    add("plain", tracks, model="compact")
    found, expected = stored(), stored("plain")
    assert found.keys() == expected.keys()
    for path, (track, vector) in found.items():
        assert track == expected[path][0]
        np.testing.assert_allclose(vector, expected[path][1], atol=1e-6)
    with Index("index") as ours, Index("plain") as theirs:
        assert ours.spec == theirs.spec
    again = run("add", "--ray", cluster.address, tracks).stderr
    assert f"0 added, {N_FILES} unchanged, 0 failed" in again


def test_a_node_killed_midway_loses_no_file_and_doubles_none(cluster, tracks, on_cluster, caplog):
    ingest, outcomes = on_cluster(tracks), []
    is_killed = False
    with contextlib.closing(iter(ingest)) as coming:
        for outcome in coming:
            outcomes.append(outcome)
            if not is_killed and all_at_work(ingest._pipeline):
                is_killed = True
                cluster.kill_last()
    assert is_killed
    assert "its files (" in caplog.text
    assert Counter(outcome.path for outcome in outcomes) == {
        str(path): 1 for path in tracks.iterdir()
    }
    assert {outcome.status for outcome in outcomes} == {Status.ADDED}
    assert len(stored()) == N_FILES


def all_at_work(readings):
    pool, queue = readings._pool, readings._queue
    return all(queue.n_held(worker) > 1 for worker in pool.workers)


def test_a_file_over_which_workers_die_is_given_up_and_no_other(
    cluster, tmp_path, on_cluster, monkeypatch
):
    class Mortal(readers.EmbeddingActor):
        def submit_and_poll(self, tasks):
            if any("deadly" in task.path for task in tasks):
                os._exit(1)
            return super().submit_and_poll(tasks)

    monkeypatch.setattr(readers, "Listener", Mortal)
    good = [write(tmp_path / f"{i}.wav", tone(200 + 50 * i)) for i in range(10)]
    deadly = write(tmp_path / "deadly.wav", tone(100))
    outcomes = {outcome.path: outcome for outcome in on_cluster(deadly, *good)}
    assert outcomes[str(deadly)].message == "3 workers were lost while they had it"
    assert stored().keys() == set(map(str, good)) == outcomes.keys() - {str(deadly)}
    (again,) = on_cluster(deadly)
    assert (again.status, again.hint) == (
        Status.FAILED,
        "Files that failed are tried again once they change, or with --retry.",
    )


def test_a_worker_is_never_given_more_files_than_it_may_hold(tracks, on_cluster, monkeypatch):
    monkeypatch.setattr(ledgers, "MOST_HELD", 3)
    monkeypatch.setattr(ledgers, "FEWEST_HELD", 3)
    held, most = Counter(), []
    ask, answers = WorkerPool.ask, WorkerPool.answers

    def counted_ask(pool, worker, tasks):
        held[worker] += len(tasks)
        most.append(held[worker])
        ask(pool, worker, tasks)

    def counted_answers(pool, timeout_seconds):
        found = answers(pool, timeout_seconds)
        for worker, answer in found:
            held[worker] -= len(answer.readings)
        return found

    monkeypatch.setattr(WorkerPool, "ask", counted_ask)
    monkeypatch.setattr(WorkerPool, "answers", counted_answers)
    assert len(list(on_cluster(tracks))) == N_FILES
    assert max(most) == 3


def test_content_that_is_known_is_not_embedded_again(tmp_path, on_cluster):
    first = write(tmp_path / "first.wav", tone(440))
    assert [outcome.status for outcome in on_cluster(first)] == [Status.ADDED]
    shutil.copyfile(first, tmp_path / "copy.wav")
    ingest = on_cluster(tmp_path / "copy.wav")
    assert [outcome.status for outcome in ingest] == [Status.ADDED]
    assert ingest.audio_seconds == 0.0
    first.rename(tmp_path / "moved.wav")
    assert [o.status for o in on_cluster(tmp_path / "moved.wav")] == [Status.MOVED]
    first_vector, second_vector = (vector for _, vector in stored().values())
    np.testing.assert_array_equal(first_vector, second_vector)


def test_of_one_content_at_many_paths_each_is_stored(tmp_path, on_cluster):
    paths = [write(tmp_path / f"{i}.wav", tone(440)) for i in range(9)]
    assert {outcome.status for outcome in on_cluster(*paths)} == {Status.ADDED}
    assert stored().keys() == set(map(str, paths))


def test_a_network_of_ones_own_travels_to_the_nodes(cluster, tmp_path, run):
    network = tflite(tmp_path / "own.tflite", mean_bands)
    clip = write(tmp_path / "a.wav", melody())
    run("add", "--ray", cluster.address, clip, "--model", network)
    run("add", clip, "--model", network, "--index", "plain")
    ((_, found),), ((_, expected),) = stored().values(), stored("plain").values()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with Index("index") as ours, Index("plain") as theirs:
        assert ours.spec == theirs.spec
        kept = cluster.folder / "cache" / "models" / f"{ours.spec.weights_digest}.tflite"
    assert kept.read_bytes() == network.read_bytes()


def test_a_file_that_a_worker_cannot_see_fails_and_is_tried_again(cluster, tmp_path, run):
    write(tmp_path / "a.wav", tone(440))
    folder = os.open(tmp_path, os.O_RDONLY)
    ours_alone = os.dup2(folder, 900)
    os.close(folder)
    seen = write(tmp_path / "seen.wav", tone(330))
    arguments = (
        "--ray",
        cluster.address,
        "--model",
        "compact",
        f"/proc/self/fd/{ours_alone}/a.wav",
    )
    said = run("add", *arguments, seen).stderr
    assert "1 added, 0 unchanged, 1 failed" in said
    assert "sees no such file" in said
    assert "Each node needs the folder at the same path" in said
    assert "sees no such file" in run("add", *arguments).stderr
    os.close(ours_alone)


def test_a_broken_file_fails_as_it_does_without_ray(cluster, tmp_path, run):
    (tmp_path / "bad.mp3").write_text("no sound")
    write(tmp_path / "good.wav", tone(440))
    said = run("add", "--ray", cluster.address, tmp_path, "--model", "compact").stderr
    assert "1 added, 0 unchanged, 1 failed" in said
    assert "bad.mp3: it holds no sound that can be decoded" in said


def test_urls_are_fetched_where_they_are_read(cluster, music, run):
    with over_http(music) as url:
        arguments = ("--ray", cluster.address, "--model", "compact", f"{url}/", f"{url}/none.wav")
        said = run("add", *arguments).stderr
        assert "5 added, 0 unchanged, 1 failed" in said
        assert f"{url}/none.wav: there is no such file" in said
        assert "0 added, 5 unchanged, 1 failed" in run("add", *arguments).stderr
    add("plain", music, model="compact")
    found = {path.removeprefix(url): vector for path, (_, vector) in stored().items()}
    expected = {path.removeprefix(str(music)): v for path, (_, v) in stored("plain").items()}
    assert found.keys() == expected.keys()
    for path, vector in found.items():
        np.testing.assert_allclose(vector, expected[path], atol=1e-6)


def test_a_lone_url_that_is_not_there_ends_in_a_sentence(cluster, music, run):
    with over_http(music) as url:
        ended = run("add", "--ray", cluster.address, f"{url}/none.wav")
    assert ended.exit_code == 1
    assert ended.stderr.splitlines() == [
        f"error: {url}/none.wav: there is no such file",
        "hint: Check the URL.",
    ]


def test_another_version_on_a_node_ends_in_a_sentence(tracks, on_cluster, monkeypatch):
    monkeypatch.setattr(readers, "version", lambda _: "99.0")
    with pytest.raises(AudiosearchError, match=r"has audiosearch .*, and .* by 99\.0\.") as caught:
        list(on_cluster(tracks))
    assert "audiosearch[ray]==99.0" in caught.value.hint


def test_workers_that_do_not_start_end_in_a_sentence(tracks, on_cluster, monkeypatch):
    class Unborn(readers.EmbeddingActor):
        def __init__(self):
            os._exit(1)

    monkeypatch.setattr(readers, "Listener", Unborn)
    with pytest.raises(AudiosearchError, match="No worker starts on the Ray cluster"):
        list(on_cluster(tracks))


def test_a_cluster_with_no_cpu_to_spare_ends_in_a_sentence(cluster, tracks, on_cluster):
    import ray

    ingest = on_cluster(tracks, patience_seconds=1.0)
    busy = ray.remote(num_cpus=1)(type("Busy", (), {"there": lambda self: True}))
    actors = [busy.remote() for _ in range(2)]
    ray.get([actor.there.remote() for actor in actors])
    with pytest.raises(AudiosearchError, match="No CPU of the Ray cluster came free within 1 s"):
        list(ingest)


def test_left_midway_no_worker_and_no_file_stays(cluster, tracks, on_cluster):
    def temporary():
        return set((cluster.folder / "tmp").glob("audiosearch-*"))

    before = temporary()  # of workers that were killed
    with over_http(tracks) as url:
        coming = iter(on_cluster(f"{url}/"))
        next(coming)
        assert listeners()
        assert temporary() > before
        coming.close()
    wait_for(lambda: not listeners())
    assert temporary() == before
    with Index("index") as index:
        assert 0 < index.totals().tracks < N_FILES


def test_ctrl_c_keeps_what_was_added(cluster, tmp_path, start):
    for i in range(4):
        write(tmp_path / f"{i}.wav", tone(200 + i))
    write(tmp_path / "long.wav", melody(3_000.0))
    adding = start(*REMOTE, cluster.address, tmp_path, start_new_session=True)
    wait_for(lambda: Index.exists("index") and len(stored()) == 4)
    os.killpg(adding.pid, signal.SIGINT)
    _, said = adding.communicate(timeout=30)
    assert adding.returncode == 130
    assert "the same command goes on from there" in said
    wait_for(lambda: not listeners())
    assert len(stored()) == 4


def test_a_cluster_of_ones_own_is_started_and_says_nothing(tmp_path):
    write(tmp_path / "a.wav", tone(440))
    command = [*REMOTE, "local", "-j", "1", tmp_path / "a.wav"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("1 added, 0 unchanged, 0 failed")

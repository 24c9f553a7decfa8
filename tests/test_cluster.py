"""`add --ray` on a Ray cluster of two nodes."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter

import numpy as np
import psutil
import pytest
from networks import mean_bands, tflite
from overhttp import over_http
from ray.cluster_utils import Cluster
from sounds import melody, tone, write
from tagging import with_id3v2
from waiting import wait_for

from audiosearch import AudiosearchError, Index, add
from audiosearch.audio.input_files import InputFiles
from audiosearch.ingest.add import Ingest, Status
from audiosearch.ingest.ray import actor, reader, task_queue, worker_pool
from audiosearch.ingest.ray.connection import connected
from audiosearch.ingest.ray.reader import RayReader
from audiosearch.ingest.ray.worker_pool import WorkerPool
from audiosearch.models.registry import ModelRequest

N_FILES = 40
ADD_WITH_RAY = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", "--ray"]


class Nodes(Cluster):
    """A Ray cluster of nodes with one core, a cache and a temporary folder each."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tmp").mkdir()
        super().__init__()
        self.grow()  # the head node

    def grow(self):
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AUDIOSEARCH_CACHE", str(self.folder / "cache"))
            environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
            environment.setenv("RAY_TMPDIR", tempfile.gettempdir())  # socket paths must be short
            environment.setenv("TMPDIR", str(self.folder / "tmp"))
            self.last = self.add_node(num_cpus=1, include_dashboard=False)

    def kill_last(self):
        """Kill all processes of the last node, and add another node."""
        raylet = psutil.Process(self.last.all_processes["raylet"][0].process.pid)
        for process in [*raylet.children(recursive=True), raylet]:
            process.kill()
        self.remove_node(self.last, allow_graceful=False)
        self.grow()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Ray cluster of two nodes."""
    nodes = Nodes(tmp_path_factory.mktemp("nodes"))
    nodes.grow()
    yield nodes
    nodes.shutdown()


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """Sounds that take a worker some time to embed."""
    folder = tmp_path_factory.mktemp("tracks")
    for i in range(N_FILES):
        write(folder / f"{i}.wav", melody(8.0, seed=i))
    return folder


@pytest.fixture
def on_cluster(cluster):
    """Return a function that makes an `Ingest` on the cluster."""
    with contextlib.ExitStack() as stack:

        def ingest(*paths, directory="index", n_workers=2, **options):
            stack.enter_context(connected(cluster.address))
            files = InputFiles(paths)
            ray_reader = RayReader(files, n_workers=n_workers, **options)
            return Ingest(
                directory, files.paths, request=ModelRequest("compact"), reader=ray_reader
            )

        yield ingest


def stored(directory="index"):
    """Return each track of an index with its vector, by path."""
    with Index(directory) as index, index.storage.all_with_vectors() as (_, rows):
        return {
            track.path: (
                (track.content_hash, track.seconds, track.title, track.size, track.mtime_ns),
                vector,
            )
            for track, vector in rows
        }


def worker_processes():
    """Return the processes of this test run that embed files."""
    processes = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            processes += [process] if "ray::EmbeddingActor" in str(process.cmdline()) else []
    return processes


def test_add_with_ray_gives_the_same_index_as_add(cluster, tracks, run):
    stderr = run("add", "--ray", cluster.address, tracks, "--model", "compact").stderr
    assert f"{N_FILES} added, 0 unchanged, 0 failed" in stderr
    add("plain", tracks, model="compact")
    actual, expected = stored(), stored("plain")
    assert actual.keys() == expected.keys()
    for path, (track, vector) in actual.items():
        assert track == expected[path][0]
        np.testing.assert_allclose(vector, expected[path][1], atol=1e-6)
    with Index("index") as with_ray, Index("plain") as plain:
        assert with_ray.spec == plain.spec
    again = run("add", "--ray", cluster.address, tracks).stderr
    assert f"0 added, {N_FILES} unchanged, 0 failed" in again


def test_a_killed_node_loses_and_duplicates_no_file(cluster, tracks, on_cluster, caplog):
    ingest, results = on_cluster(tracks), []
    is_killed = False
    with contextlib.closing(iter(ingest)) as iterator:
        for result in iterator:
            results.append(result)
            if not is_killed and all_at_work(ingest._results):
                is_killed = True
                cluster.kill_last()
    assert is_killed
    assert "other workers take over its" in caplog.text
    assert Counter(result.path for result in results) == {str(path): 1 for path in tracks.iterdir()}
    assert {result.status for result in results} == {Status.ADDED}
    assert len(stored()) == N_FILES


def all_at_work(ray_results):
    """Return whether every worker has several files."""
    pool, queue = ray_results._pool, ray_results._queue
    return all(queue.n_assigned(worker) > 1 for worker in pool.workers)


def test_a_file_that_crashes_workers_is_given_up_and_no_other(
    cluster, tmp_path, on_cluster, monkeypatch
):
    class EmbeddingActor(actor.EmbeddingActor):
        def submit_and_poll(self, tasks):
            if any("deadly" in task.path for task in tasks):
                os._exit(1)
            return super().submit_and_poll(tasks)

    monkeypatch.setattr(worker_pool, "EmbeddingActor", EmbeddingActor)
    good = [write(tmp_path / f"{i}.wav", tone(200 + 50 * i)) for i in range(10)]
    deadly = write(tmp_path / "deadly.wav", tone(100))
    results = {result.path: result for result in on_cluster(deadly, *good)}
    assert results[str(deadly)].message == "3 workers were lost while embedding it"
    assert stored().keys() == set(map(str, good)) == results.keys() - {str(deadly)}
    (again,) = on_cluster(deadly)
    assert (again.status, again.hint) == (
        Status.FAILED,
        "Failed files are tried again once they change, or with --retry.",
    )


def test_a_worker_is_never_assigned_more_files_than_the_maximum(tracks, on_cluster, monkeypatch):
    monkeypatch.setattr(task_queue, "MAX_ASSIGNED", 3)
    monkeypatch.setattr(task_queue, "MIN_ASSIGNED", 3)
    n_assigned, history = Counter(), []
    submit_and_poll, poll_results = WorkerPool.submit_and_poll, WorkerPool.poll_results

    def count_tasks(pool, worker, tasks):
        n_assigned[worker] += len(tasks)
        history.append(n_assigned[worker])
        submit_and_poll(pool, worker, tasks)

    def count_results(pool, timeout_seconds):
        polled = poll_results(pool, timeout_seconds)
        for worker, poll_result in polled:
            n_assigned[worker] -= len(poll_result.results)
        return polled

    monkeypatch.setattr(WorkerPool, "submit_and_poll", count_tasks)
    monkeypatch.setattr(WorkerPool, "poll_results", count_results)
    assert len(list(on_cluster(tracks))) == N_FILES
    assert max(history) == 3


def test_known_content_is_not_embedded_again(tmp_path, on_cluster):
    first = write(tmp_path / "first.wav", tone(440))
    assert [result.status for result in on_cluster(first)] == [Status.ADDED]
    shutil.copyfile(first, tmp_path / "copy.wav")
    ingest = on_cluster(tmp_path / "copy.wav")
    assert [result.status for result in ingest] == [Status.ADDED]
    assert ingest.audio_seconds == 0.0
    first.rename(tmp_path / "moved.wav")
    assert [o.status for o in on_cluster(tmp_path / "moved.wav")] == [Status.MOVED]
    first_vector, second_vector = (vector for _, vector in stored().values())
    np.testing.assert_array_equal(first_vector, second_vector)


def test_a_retagged_file_is_not_embedded_again(tmp_path, on_cluster):
    path = write(tmp_path / "a.mp3", tone(440), format="MP3")
    assert [result.status for result in on_cluster(path)] == [Status.ADDED]
    path.write_bytes(with_id3v2(path.read_bytes(), {"TIT2": ["New"], "TPE1": ["A", "B"]}))
    ingest = on_cluster(path)
    assert [result.status for result in ingest] == [Status.RETAGGED]
    assert ingest.audio_seconds == 0.0
    with Index("index") as index:
        (track,) = index
    assert (track.title, track.artist) == ("New", "A; B")


def test_every_copy_of_a_file_is_stored(tmp_path, on_cluster):
    paths = [write(tmp_path / f"{i}.wav", tone(440)) for i in range(9)]
    assert {result.status for result in on_cluster(*paths)} == {Status.ADDED}
    assert stored().keys() == set(map(str, paths))


def test_a_custom_model_is_copied_to_the_nodes(cluster, tmp_path, run):
    network = tflite(tmp_path / "custom.tflite", mean_bands)
    clip = write(tmp_path / "a.wav", melody())
    run("add", "--ray", cluster.address, clip, "--model", network)
    run("add", clip, "--model", network, "--index", "plain")
    ((_, actual),), ((_, expected),) = stored().values(), stored("plain").values()
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    with Index("index") as with_ray, Index("plain") as plain:
        assert with_ray.spec == plain.spec
        copy = cluster.folder / "cache" / "models" / f"{with_ray.spec.weights_digest}.tflite"
    assert copy.read_bytes() == network.read_bytes()


def test_a_file_missing_on_a_node_fails_and_is_tried_again(cluster, tmp_path, run):
    write(tmp_path / "a.wav", tone(440))
    folder = os.open(tmp_path, os.O_RDONLY)
    local_fd = os.dup2(folder, 900)
    os.close(folder)
    shared = write(tmp_path / "shared.wav", tone(330))
    arguments = (
        "--ray",
        cluster.address,
        "--model",
        "compact",
        f"/proc/self/fd/{local_fd}/a.wav",
    )
    stderr = run("add", *arguments, shared).stderr
    assert "1 added, 0 unchanged, 1 failed" in stderr
    assert "there is no such file on the node" in stderr
    assert "Mount the folder at the same path on every node" in stderr
    assert "there is no such file on the node" in run("add", *arguments).stderr
    os.close(local_fd)


def test_a_broken_file_fails_like_without_ray(cluster, tmp_path, run):
    (tmp_path / "bad.mp3").write_text("no sound")
    write(tmp_path / "good.wav", tone(440))
    stderr = run("add", "--ray", cluster.address, tmp_path, "--model", "compact").stderr
    assert "1 added, 0 unchanged, 1 failed" in stderr
    assert "bad.mp3: it contains no audio that can be decoded" in stderr


def test_urls_are_fetched_on_the_nodes(cluster, music, run):
    with over_http(music) as url:
        arguments = ("--ray", cluster.address, "--model", "compact", f"{url}/", f"{url}/none.wav")
        stderr = run("add", *arguments).stderr
        assert "5 added, 0 unchanged, 1 failed" in stderr
        assert f"{url}/none.wav: there is no such file" in stderr
        assert "0 added, 5 unchanged, 1 failed" in run("add", *arguments).stderr
    add("plain", music, model="compact")
    actual = {path.removeprefix(url): vector for path, (_, vector) in stored().items()}
    expected = {path.removeprefix(str(music)): v for path, (_, v) in stored("plain").items()}
    assert actual.keys() == expected.keys()
    for path, vector in actual.items():
        np.testing.assert_allclose(vector, expected[path], atol=1e-6)


@pytest.mark.parametrize("hop", [0.96, 0.48])
def test_workers_send_the_moments_of_files_and_urls(hop, cluster, music, run):
    new = ("--model", "compact", "--moments", "--moment-hop", hop)
    with over_http(music) as url:
        result = run("add", "--ray", cluster.address, *new, f"{url}/", music / "low.wav")
    assert "6 added, 0 unchanged, 0 failed" in result.stderr
    assert run("add", *new, "--index", "plain", music).exit_code == 0
    moments = {}
    for location in ("index", "plain"):
        with Index(location) as index:
            assert (index.moment_hop, index.moments.missing()) == (hop, [])
            for track in index:
                moments[location, os.path.basename(track.path)] = index.moments_of(track)
    for (_, name), actual in moments.items():
        expected = moments["plain", name]
        np.testing.assert_allclose(actual.vectors(), expected.vectors(), atol=0.02)
        assert actual.sounds is not None


def test_a_single_missing_url_is_an_error(cluster, music, run):
    with over_http(music) as url:
        completed = run("add", "--ray", cluster.address, f"{url}/none.wav")
    assert completed.exit_code == 1
    assert completed.stderr.splitlines() == [
        f"error: {url}/none.wav: there is no such file",
        "hint: Check the URL.",
    ]


def test_another_version_on_a_node_is_an_error(tracks, on_cluster, monkeypatch):
    monkeypatch.setattr(reader, "version", lambda _: "99.0")
    with pytest.raises(AudiosearchError, match=r"has audiosearch .*, but .* has 99\.0\.") as caught:
        list(on_cluster(tracks))
    assert "audiosearch[ray]==99.0" in caught.value.hint


def test_workers_that_cannot_start_are_an_error(tracks, on_cluster, monkeypatch):
    class EmbeddingActor(actor.EmbeddingActor):
        def __init__(self):
            os._exit(1)

    monkeypatch.setattr(worker_pool, "EmbeddingActor", EmbeddingActor)
    with pytest.raises(AudiosearchError, match="No worker can start on the Ray cluster"):
        list(on_cluster(tracks))


def test_a_cluster_without_a_free_cpu_is_an_error(cluster, tracks, on_cluster):
    import ray

    ingest = on_cluster(tracks, timeout_seconds=1.0)
    busy_class = ray.remote(num_cpus=1)(type("Busy", (), {"ping": lambda self: True}))
    busy_actors = [busy_class.remote() for _ in range(2)]
    ray.get([busy.ping.remote() for busy in busy_actors])
    with pytest.raises(AudiosearchError, match="No CPU of the Ray cluster became free within 1 s"):
        list(ingest)


def test_no_worker_or_copy_is_left_when_iteration_ends_early(cluster, tracks, on_cluster):
    with over_http(tracks) as url:
        iterator = iter(on_cluster(f"{url}/"))
        next(iterator)
        assert worker_processes()
        iterator.close()
    wait_for(lambda: not worker_processes())
    assert list((cluster.folder / "tmp").glob("audiosearch-*")) == []
    with Index("index") as index:
        assert 0 < index.totals().tracks < N_FILES


def test_ctrl_c_keeps_added_files(cluster, tmp_path, start):
    for i in range(4):
        write(tmp_path / f"{i}.wav", tone(200 + i))
    samples = (32_767 * melody(10.0)).astype(np.int16)
    write(tmp_path / "long.wav", np.tile(samples, 800))  # longer than the test runs
    adding = start(
        *(*ADD_WITH_RAY, cluster.address, tmp_path),
        start_new_session=True,
    )
    wait_for(lambda: Index.exists("index") and len(stored()) == 4)
    os.killpg(adding.pid, signal.SIGINT)
    _, stderr = adding.communicate(timeout=120)
    assert adding.returncode == 130
    assert "run the same command to continue" in stderr
    wait_for(lambda: not worker_processes())
    assert len(stored()) == 4


def test_a_local_cluster_starts_without_output_of_ray(tmp_path):
    write(tmp_path / "a.wav", tone(440))
    command = [*ADD_WITH_RAY, "local", "-j", "1", tmp_path / "a.wav"]
    completed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert completed.stdout == ""
    (line,) = completed.stderr.splitlines()
    assert line.startswith("1 added, 0 unchanged, 0 failed")

"""Kills, concurrent writers and a full disk: no stored track is lost or wrong."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from sounds import tone, write

from audiosearch import Index, LibraryError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

ADD = [sys.executable, "-m", "audiosearch", "add", "--model", "compact", "-j", "2"]
QUERY = [sys.executable, "-m", "audiosearch", "query", "-k", "1000", "--format", "json"]


def sounds(folder, n_files):
    folder.mkdir()
    for i in range(n_files):
        write(folder / f"{i}.wav", tone(100 + 7 * i, 1.5))
    return folder


def vectors(directory):
    with Index(directory) as index, index.storage.all_with_vectors() as (_, rows):
        return {track.path: vector for track, vector in rows}


def revisions(directory):
    """Return the revision of each track's vector, by path."""
    with sqlite3.connect(os.path.join(directory, "audiosearch.db")) as connection:
        sql = "SELECT path, revision FROM tracks JOIN vectors ON id = track_id"
        result = dict(connection.execute(sql).fetchall())
    connection.close()
    return result


def test_add_that_is_killed_and_run_again_gives_the_same_index(tmp_path, request, start):
    n_files, n_kills = (
        request.config.getoption("--kills-files"),
        request.config.getoption("--kills"),
    )
    folder = sounds(tmp_path / "music", n_files)
    started = time.monotonic()
    subprocess.run([*ADD, folder, "--index", "undisturbed"], check=True)
    run_seconds = time.monotonic() - started
    rng = random.Random(0)
    committed = {}
    for _ in range(n_kills):
        adding = start(*ADD, folder)
        time.sleep(rng.uniform(0, 1.2 * run_seconds))
        adding.kill()
        said = adding.communicate()[1]
        assert "error" not in said
        if Index.exists("index"):
            now = revisions("index")
            assert committed.items() <= now.items()  # nothing lost, nothing embedded again
            committed = now
            if len(now) == n_files:  # give the next runs something to do
                with Index("index") as index:
                    index.remove(list(index))
                committed = {}
    subprocess.run([*ADD, folder], check=True)
    assert committed.items() <= revisions("index").items()
    expected, result = vectors("undisturbed"), vectors("index")
    assert result.keys() == expected.keys()
    for path, vector in result.items():
        np.testing.assert_allclose(vector, expected[path], atol=1e-6)
    hits = json.loads(
        subprocess.run([*QUERY, folder / "0.wav"], check=True, capture_output=True).stdout
    )
    assert len(hits["hits"]) == min(n_files, 1_001) - 1
    assert sorted(os.listdir("index")) == ["audiosearch.db", "vectors.faiss"]


def test_two_adds_and_a_query_can_run_at_the_same_time(tmp_path, request, start):
    seconds = request.config.getoption("--together-seconds")
    first, second = sounds(tmp_path / "a", 20), sounds(tmp_path / "b", 30)
    subprocess.run([*ADD, first / "0.wav", second / "1.wav"], check=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        adding = [start(*ADD, "--force", folder) for folder in (first, second)]
        while any(process.poll() is None for process in adding):
            asked = start(*QUERY, first / "0.wav", stdout=subprocess.PIPE)
            answer, said = asked.communicate()
            assert (asked.returncode, said) == (0, "")
            hits = {hit["path"] for hit in json.loads(answer)["hits"]}
            assert hits <= vectors("index").keys()
        for process in adding:
            said = process.communicate()[1]
            assert (process.returncode, "0 failed" in said) == (0, True), said
    everything = {str(path) for folder in (first, second) for path in folder.iterdir()}
    assert vectors("index").keys() == everything
    asked = subprocess.run([*QUERY, first / "0.wav"], capture_output=True, text=True, check=True)
    hits = {hit["path"] for hit in json.loads(asked.stdout)["hits"]}
    # Both folders contain the same tones, so tracks of both are hits.
    assert hits == everything - {str(first / "0.wav")}


def test_added_tracks_are_kept_and_the_cause_reported_on_a_full_disk(tmp_path, start):
    folder = sounds(tmp_path / "music", 300)
    limits = (150_000, 150_000)
    adding = start(sys.executable, "-c", LIMITED.format(limits=limits), *ADD[3:], folder)
    said = adding.communicate()[1]
    assert adding.returncode == 1
    assert "Traceback" not in said
    assert "disk is not full" in said
    before = vectors("index") if Index.exists("index") else {}
    assert len(before) < 300
    subprocess.run([*ADD, folder], check=True)
    after = vectors("index")
    assert len(after) == 300
    assert before.keys() <= after.keys()


# Limits the size of files, which acts like a full disk. Decoder processes write no files.
LIMITED = """
import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, {limits})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from audiosearch.cli import main
main()
"""


def test_an_empty_database_file_with_a_log_is_damaged_and_not_new(tmp_path):
    folder = sounds(tmp_path / "music", 3)
    subprocess.run([*ADD, folder], check=True)
    with Index("index") as index:
        index.remove([next(iter(index))])
        with open("index/audiosearch.db-wal", "rb") as file:
            log = file.read()
    with open("index/audiosearch.db", "wb"), open("index/audiosearch.db-wal", "wb") as file:
        file.write(log)
    assert Index.exists("index")
    with pytest.raises(LibraryError):
        Index("index")


def test_an_incomplete_index_is_created_again(tmp_path):
    folder = sounds(tmp_path / "music", 2)
    os.mkdir("index")
    sqlite3.connect("index/audiosearch.db").close()
    for content in (b"", None):
        if content is not None:
            with open("index/audiosearch.db", "wb") as file:
                file.write(content)
        subprocess.run([*ADD, folder], check=True)
        assert len(vectors("index")) == 2

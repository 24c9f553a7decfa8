"""Concurrent writers, and indexes whose creation was interrupted."""

import json
import os
import sqlite3
import subprocess
import sys
import time

import pytest
from sounds import tone, write

from audiosearch import Index

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

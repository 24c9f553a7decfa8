"""Databases that somebody edited: every command ends in its result or in a sentence.

What can't be computed again makes the index damaged, and `doctor --repair` keeps the other tracks.
What can be computed again counts as missing.
"""

import shutil
import sqlite3
from contextlib import closing

import pytest
from forked_commands import Forks
from served import library

from audiosearch import Index

N_FILES = 15
#: Commands that read tracks and vectors.
COMMANDS = [
    ["list"],
    ["query", "#4", "--artist", "Band"],
    ["query", "--track", "tone1"],
    ["playlist", "#4", "-n", "5", "--to", "#9", "--artist-gap", "2"],
    ["info"],
    ["failures"],
    ["refresh"],
    ["add", "../home/music/tone1.wav", "--jobs", "1"],
]
MAP = ["map", "-o", "map.html"]
#: Contents of columns that are read as they are: commands fail, and `doctor --repair` helps.
DAMAGES = {
    "number for a path": "UPDATE tracks SET path = -5 WHERE id = 3",
    "number for a real path": "UPDATE tracks SET real_path = 1.5 WHERE id = 3",
    "bytes for a title": "UPDATE tracks SET title = x'ff00' WHERE id = 3",
    "bytes for an artist": "UPDATE tracks SET artist = x'ff00' WHERE id = 3",
    "bytes for a genre": "UPDATE tracks SET genre = x'00' WHERE id = 3",
    "text for a year": "UPDATE tracks SET year = 'abc' WHERE id = 3",
    "bytes for a hash": "UPDATE tracks SET content_hash = x'00', audio_hash = x'00' WHERE id = 3",
    "text for a duration": "UPDATE tracks SET seconds = 'abc' WHERE id = 3",
    "infinite duration": "UPDATE tracks SET seconds = 9e999 WHERE id = 3",
    "negative duration": "UPDATE tracks SET seconds = -1 WHERE id = 3",
    "text for the revision": "UPDATE revision SET number = 'abc'",
    "no revision": "DELETE FROM revision",
    "largest revision": "UPDATE vectors SET revision = 9223372036854775807; "
    "UPDATE revision SET number = 9223372036854775807",
    "text for the count of changes": "UPDATE track_changes SET number = 'abc'",
    "no count of changes": "DELETE FROM track_changes",
    "text for a failure's path": "INSERT INTO failures VALUES ('a', x'00', 'b', 'c')",
    "huge path": "UPDATE tracks SET path = zeroblob(1000000) WHERE id = 3",
    "text for a vector": "UPDATE vectors SET embedding = hex(zeroblob(256)) WHERE track_id = 3",
}
#: Contents that are derived, with commands that use them: these work.
DERIVED = {
    "infinite coordinates": ("UPDATE positions SET x = 9e999", MAP),
    "half a word of a print": ("UPDATE prints SET words = x'00'", ["duplicates"]),
    "text for a print": ("UPDATE prints SET fine_words = 'abc'", ["duplicates"]),
    "infinite print": ("UPDATE prints SET seconds = 9e999", ["duplicates"]),
}
#: Contents with which nothing can be computed.
NO_VECTORS = {
    "no vectors": "DELETE FROM vectors",
    "another dimension": "UPDATE settings SET value = '4096' WHERE key = 'dimension'",
}


@pytest.fixture(scope="module")
def forks():
    with Forks() as forks:
        yield forks


@pytest.fixture(scope="module")
def intact(tmp_path_factory, forks):
    home = tmp_path_factory.mktemp("edited") / "home"
    library(home)
    for command in (["duplicates"], ["map", "-o", "map.html"]):
        run = forks.run(*command, "--index", home / "index", folder=home)
        assert run.status == 0, run.said
    with closing(sqlite3.connect(home / "index" / "audiosearch.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return home


@pytest.fixture
def edited(intact, tmp_path):
    """Return a function that makes a copy of the index with changes by SQL."""

    def edit(sql):
        folder = intact.parent / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copytree(intact / "index", folder / "index")
        with closing(sqlite3.connect(folder / "index" / "audiosearch.db")) as database:
            database.executescript(sql)
        return folder

    return edit


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_and_repaired(edited, forks, name):
    folder = edited(DAMAGES[name])
    assert forks.run("doctor", "--index", "index", folder=folder).status == 1
    for command in COMMANDS:
        run = forks.run(*command, "--index", "index", folder=folder)
        assert "Traceback" not in run.said
        assert run.status == 0 or "is damaged" in run.said, run.said
    run = forks.run("doctor", "--repair", "--index", "index", folder=folder)
    assert run.status == 0, run.said
    with Index(folder / "index") as index:
        kept = {track.id for track in index}
    assert kept >= set(range(1, N_FILES + 1)) - {3}


@pytest.mark.parametrize("name", DERIVED)
def test_what_can_be_computed_again_counts_as_missing(edited, forks, name):
    sql, command = DERIVED[name]
    run = forks.run(*command, "--index", "index", folder=edited(sql))
    assert run.status == 0, run.said


@pytest.mark.parametrize("name", NO_VECTORS)
@pytest.mark.parametrize(
    "command", [["evaluate", "--by", "folder"], ["optimize"], MAP], ids=" ".join
)
def test_an_index_without_usable_vectors_is_named(edited, forks, name, command):
    run = forks.run(*command, "--index", "index", folder=edited(NO_VECTORS[name]))
    assert run.status == 1
    assert "is damaged: no track has a vector" in run.said

"""Damaged databases and FAISS indexes are opened, repaired or refused in a sentence."""

import shutil
import sqlite3
from collections import Counter

import numpy as np
import pytest
from forked_tries import outcomes
from mutations import DAMAGES
from tracks import some_track, unit_vectors

from audiosearch import Index, LibraryError
from audiosearch.library.track import EmbeddingSpec
from audiosearch.models.registry import compact

N_TRACKS = 200
PROGRAM = """
from audiosearch import Index
from audiosearch.maintenance import doctor

def look(location):
    doctor.examine(location)
    with Index(location) as index:
        tracks = list(index)
        for track in tracks[:1]:
            index.search(index.vector(track), 5)
        index.search_text("song", limit=5)

def use(location):
    try:
        look(location)
    except AudiosearchError:
        doctor.repair(location)
        look(location)
"""


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intact") / "index"
    with Index(folder, spec=EmbeddingSpec("compact", compact().weights_digest)) as index:
        with index.transaction():
            for number, vector in enumerate(unit_vectors(N_TRACKS)):
                index.add(some_track(number), vector)
        index.sync()
    with sqlite3.connect(folder / "audiosearch.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return folder


def truncated(content, rng, _):
    return content[: rng.integers(len(content))]


@pytest.mark.parametrize("pattern", ["audiosearch.db", "*.faiss*"], ids=["database", "FAISS"])
def test_a_damaged_index_is_used_repaired_or_refused(intact, tmp_path, request, figures, pattern):
    (file,) = [path for path in intact.iterdir() if path.match(pattern)]
    damages = [*DAMAGES, *[truncated] * len(DAMAGES)]
    locations = []
    for number in range(request.config.getoption("--cuts")):
        rng = np.random.default_rng(number)
        damage = damages[number % len(damages)]
        location = tmp_path / f"{number} {damage.__name__}"
        shutil.copytree(intact, location)
        damaged = damage(bytearray(file.read_bytes()), rng, rng.bytes(5_000))
        (location / file.name).write_bytes(damaged)
        locations.append(str(location))
    results = outcomes(PROGRAM, locations)
    figures(indexes=len(locations), **Counter(results.values()))
    if file.suffix != ".db":  # the database has everything
        assert set(results.values()) == {"used"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"title TEXT", b"titl0 TEXT", id="unknown column"),
        pytest.param(b"title TEXT", b"titl\xff TEXT", id="column that is not UTF-8"),
        pytest.param(b"CREATE TABLE", b"CREATE \xff\xff\xff\xff\xff", id="table that is not UTF-8"),
    ],
)
def test_a_damaged_schema_is_an_error_with_a_hint(intact, tmp_path, old, new):
    location = tmp_path / "index"
    shutil.copytree(intact, location)
    database = location / "audiosearch.db"
    content = database.read_bytes()
    assert old in content
    database.write_bytes(content.replace(old, new))
    with pytest.raises(LibraryError, match="is damaged") as error, Index(location) as index:
        list(index)
    assert "doctor --repair" in error.value.hint

"""Playlist files, imports and settings that are too large, too deep, or of other types."""

import contextlib
import io
import json
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pytest
from computing_time import taking_little_time

from audiosearch import Index, LibraryError
from audiosearch.library.faiss.index_config import IndexConfig
from audiosearch.maintenance.export_import import import_vectors
from audiosearch.playlist_files import parse_playlist, playlist_text, read_playlist
from audiosearch.playlist_files.entry import MAX_ENTRIES, Entry
from audiosearch.playlist_files.formats import MAX_FILE_BYTES, PlaylistFormat
from audiosearch.playlist_files.recognize import is_playlist

# Playlist files


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param("a.m3u8", b"a.mp3\n" * 3_000_000, "100,000 entries", id="m3u8 entries"),
        pytest.param("a.m3u8", b"\n" * 3_000_000, "2,000,000 lines", id="m3u8 lines"),
        pytest.param(
            "a.pls",
            b"".join(b"File%d=a\n" % number for number in range(200_000)),
            "100,000 entries",
            id="pls entries",
        ),
        pytest.param(
            "a.xspf",
            b"<playlist>" + b"<track><title>x</title></track>" * 200_000,
            "100,000 entries",
            id="xspf entries",
        ),
        pytest.param("a.xspf", b"<playlist>" + b"<a>" * 200_000, "more than 100 deep", id="xspf"),
        pytest.param(
            "a.xspf", b"<playlist><track>" + b"<a/>" * 2_000, "1,000 fields", id="xspf fields"
        ),
        pytest.param(
            "a.xspf",
            b"<!DOCTYPE p [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><playlist>&b;</playlist>",
            "it declares XML entities",
            id="xspf entities",
        ),
        pytest.param("a.jspf", b"[" * 200_000, "nested too deeply", id="jspf"),
        pytest.param(
            "a.jspf",
            b'{"playlist":{"track":[' + b"0," * 200_000 + b"0]}}",
            "100,000 entries",
            id="jspf entries",
        ),
        *(
            pytest.param("a.jspf", content, "it has no playlist object", id=content.decode())
            for content in (b"[]", b"5", b"null", b'"track"', b'{"playlist": [1]}', b"{}")
        ),
    ],
)
def test_a_playlist_file_beyond_a_limit_is_one_sentence(name, content, reason):
    with taking_little_time(), pytest.raises(LibraryError, match=reason) as caught:
        parse_playlist(content, name)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a.m3u8", "a.pls", "a.xspf", "a.jspf"])
def test_a_playlist_file_of_many_bytes_is_not_read(tmp_path, name):
    with open(tmp_path / name, "wb") as file:
        file.truncate(50 * MAX_FILE_BYTES)
    with pytest.raises(LibraryError, match="larger than 32,000,000 bytes"):
        read_playlist(str(tmp_path / name))
    assert not is_playlist(tmp_path / name)


@pytest.mark.long
@pytest.mark.parametrize("kind", PlaylistFormat)
def test_a_playlist_file_just_below_the_limit_is_read(kind):
    entries = [Entry(f"/m/{number}.mp3") for number in range(MAX_ENTRIES)]
    assert len(parse_playlist(playlist_text(entries, "x", kind), f"a.{kind.value}")) == MAX_ENTRIES


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"#EXTINF:1 " + b"a" * 20_000_000, id="comment"),
        pytest.param(b"a" * 20_000_000, id="path"),
        pytest.param(b"#EXTINF:" + b"9" * 20_000_000 + b",x\n", id="number"),
    ],
)
def test_a_line_of_megabytes_is_read_at_once(content):
    with taking_little_time():
        assert parse_playlist(content + b"\na.mp3\n", "a.m3u8")[0].path == "a.mp3"


def test_a_long_comment_in_an_xspf_file_is_read_once():
    content = b"<playlist><!--" + b"a" * 20_000_000 + b"--></playlist>"
    with taking_little_time():
        assert len(parse_playlist(content, "a.xspf")) == 0


# Imports


def npy(shape, descr="<f4", data=b""):
    file = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


def npz():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(10_000_000))
    return file.getvalue()


ONE = npy((1, 2), data=np.ones((1, 2), "<f4").tobytes())
ROW = b'{"path": "/a.mp3"}\n'


@pytest.mark.parametrize(
    ("vectors", "fields", "suffix", "reason"),
    [
        pytest.param(npy((10**12, 128)), ROW, ".jsonl", "longer|greater than file", id="rows"),
        pytest.param(npy((2**62, 128)), ROW, ".jsonl", "too big", id="overflow"),
        pytest.param(npy((-1, 128)), ROW, ".jsonl", "must be positive", id="negative"),
        pytest.param(npy((1, 128), "|V1000000000"), ROW, ".jsonl", "than file", id="dtype"),
        pytest.param(npy((1, 128), "|O"), ROW, ".jsonl", "Python objects", id="objects"),
        pytest.param(b"\x80\x04cos\nsystem\n", ROW, ".jsonl", "magic string", id="pickle"),
        pytest.param(npz(), ROW, ".jsonl", "holds several arrays", id="npz"),
        pytest.param(ONE, b"[" * 100_000, ".json", "nested too deeply", id="json"),
        pytest.param(ONE, b'{"path":' + b"[" * 100_000, ".jsonl", "nested too", id="jsonl"),
        pytest.param(ONE, b'[{"path":' + b"9" * 5_000 + b"}]", ".json", "digits", id="digits"),
        pytest.param(ONE, b"5", ".json", "not a list of objects", id="a number"),
        pytest.param(ONE, b"[[1]]", ".json", "not a list of objects", id="lists"),
        pytest.param(ONE, b'{"path": ["/a"]}', ".jsonl", "path is not a text", id="list"),
        pytest.param(ONE, b'{"path": true}', ".jsonl", "path is not a text", id="boolean"),
        pytest.param(
            ONE, b'{"path": "/' + b"a" * 5_000 + b'"}', ".jsonl", "path is too long", id="long path"
        ),
        pytest.param(
            ONE, b"path\n/a" + b"x" * 3_000_000, ".csv", "field larger than", id="csv field"
        ),
        pytest.param(
            ONE, b"path" + b",c" * 2_000 + b"\n/a", ".csv", "more than 1,000 columns", id="columns"
        ),
    ],
)
def test_an_import_that_cannot_be_is_one_sentence_and_writes_nothing(
    run, vectors, fields, suffix, reason
):
    files = [Path("v.npy"), Path(f"f{suffix}")]
    files[0].write_bytes(vectors)
    files[1].write_bytes(fields)
    result = run("import", *files)
    assert result.exit_code == 1
    assert result.stderr.count("error: ") == 1
    assert "hint: " in result.stderr
    assert not Index.exists("index")
    with pytest.raises(LibraryError, match=reason) as caught:
        import_vectors("index", *files)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ['{"a": 1}', "true", "[[[1]]]", '"' + "x" * 20_000 + '"', "[" * 500 + "]" * 500],
    ids=["object", "boolean", "lists", "long", "deep"],
)
def test_a_tag_of_another_type_is_ignored_with_a_warning(run, tmp_path, caplog, value):
    (tmp_path / "v.npy").write_bytes(ONE)
    (tmp_path / "f.jsonl").write_text(f'{{"path": "/a.mp3", "title": {value}}}')
    (track,) = import_vectors(tmp_path / "i", tmp_path / "v.npy", tmp_path / "f.jsonl")
    assert track.title is None
    assert "ignored title in row 1" in caplog.text


@pytest.mark.parametrize("field", ["size", "channels", "year", "seconds"])
@pytest.mark.parametrize("digits", ["1" * 100_000, "1e400", "-" * 1_000], ids=["digits", "e", "-"])
def test_a_number_that_cannot_be_stored_is_ignored(tmp_path, field, digits):
    (tmp_path / "v.npy").write_bytes(ONE)
    (tmp_path / "f.jsonl").write_text(json.dumps({"path": "/a.mp3", field: digits}))
    (track,) = import_vectors(tmp_path / "i", tmp_path / "v.npy", tmp_path / "f.jsonl")
    assert not getattr(track, field)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"model": ["a"], "fingerprint": "b"}', id="list"),
        pytest.param('{"model": "a", "fingerprint": {}}', id="object"),
        pytest.param('{"model": "a", "fingerprint": "b", "excerpt_seconds": "x"}', id="text"),
        pytest.param('{"model": "a", "fingerprint": "b", "excerpt_seconds": 1e999}', id="endless"),
        pytest.param(" " * 1_000_000, id="long"),
    ],
)
def test_the_header_of_an_export_that_cannot_be_is_no_header(tmp_path, content):
    (tmp_path / "vectors.npy").write_bytes(ONE)
    (tmp_path / "index.json").write_text(content)
    (tmp_path / "f.jsonl").write_bytes(ROW)
    import_vectors(tmp_path / "i", tmp_path / "vectors.npy", tmp_path / "f.jsonl")
    with Index(tmp_path / "i") as index:
        assert (index.spec.model, index.spec.excerpt_seconds) == ("imported", None)


# Settings of an index


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[]",
        "5",
        '{"kind": ["flat"]}',
        '{"kind": "ivf-flat", "n_lists": -1}',
        '{"kind": "ivf-flat", "n_lists": "4"}',
        '{"kind": "ivf-flat", "n_lists": true}',
        '{"kind": "ivf-flat", "n_lists": 1000000000000}',
        '{"kind": "ivf-flat"}',
        '{"kind": "ivf-pq", "n_lists": 4}',
        '{"kind": "hnsw", "effort": 0}',
        '{"kind": "hnsw", "effort": ' + "9" * 5_000 + "}",
    ],
    ids=lambda text: text[:40],
)
def test_a_configuration_that_cannot_be_is_one_short_sentence(text):
    with pytest.raises(LibraryError, match="doesn't know the type") as caught:
        IndexConfig.from_settings({"arrangement": text})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["model", "fingerprint", "excerpt_seconds", "dimension"])
@pytest.mark.parametrize(
    "value", [b"\xff", "x" * 100_000, "9" * 5_000, "nan", "1e999", "-1"], ids=lambda v: str(v)[:8]
)
def test_settings_of_another_type_give_no_traceback(tmp_path, run, name, value):
    (tmp_path / "v.npy").write_bytes(ONE)
    (tmp_path / "f.jsonl").write_bytes(ROW)
    import_vectors("index", tmp_path / "v.npy", tmp_path / "f.jsonl")
    with contextlib.closing(sqlite3.connect("index/audiosearch.db")) as database:
        database.execute("UPDATE settings SET value = ? WHERE key = ?", [value, name])
        database.commit()
    for command in (["info"], ["doctor"], ["query", "--track", "#1"]):
        result = run(*command)
        assert result.exit_code in (0, 1)
        assert "Traceback" not in result.stderr

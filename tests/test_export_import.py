"""`audiosearch import` and `audiosearch export`: vectors and fields of tracks."""

import csv
import json
import os

import numpy as np
import pyarrow.parquet
import pytest
from sounds import melody, write

from audiosearch import Index, LibraryError, ModelMismatch, UsageError, add, similar
from audiosearch.maintenance.export_import import export, export_parquet, import_vectors
from audiosearch.models.registry import compact


@pytest.fixture
def vectors():
    return np.random.default_rng(0).standard_normal((4, 128)) * 3


@pytest.fixture
def npy(tmp_path, vectors):
    path = tmp_path / "v.npy"
    np.save(path, vectors)
    return path


def rows(**fields):
    return [{name: f"{value} {i}" for name, value in fields.items()} for i in range(4)]


def written(path, content):
    if path.suffix == ".json":
        path.write_text(json.dumps(content))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, content[0])
            writer.writeheader()
            writer.writerows(content)
    return path


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv"])
def test_common_names_of_fields_are_understood(tmp_path, npy, vectors, suffix):
    content = rows(track_name="song", artist_name="band", album_name="lp", file_name="f", x="?")
    import_vectors("index", npy, written(tmp_path / f"t{suffix}", content))
    with Index("index") as index:
        tracks = list(index)
        assert [t.title for t in tracks] == [f"song {i}" for i in range(4)]
        assert (tracks[2].artist, tracks[2].album, tracks[2].path) == ("band 2", "lp 2", "f 2")
        expected = vectors[1] / np.linalg.norm(vectors[1])
        np.testing.assert_allclose(index.vector(tracks[1]), expected, atol=1e-6)


def test_fields_can_be_mapped_by_name(tmp_path, npy):
    content = rows(song="s", where="w", seconds="1.5")
    file = written(tmp_path / "t.json", content)
    import_vectors("index", npy, file, names={"song": "title", "where": "path"})
    with Index("index") as index:
        assert next((t.path, t.title, t.seconds) for t in index) == ("w 0", "s 0", 1.5)
    with pytest.raises(UsageError, match="no field name"):
        import_vectors("index", npy, file, names={"song": "name"})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("path,title,year\n{}", id="commas"),
        pytest.param("path;title;year\r\n{}", id="semicolons"),
        pytest.param("path\ttitle\tyear\n{}", id="tabs"),
        pytest.param("path|title|year\n{}", id="bars"),
        pytest.param("sep=;\r\npath;title;year\r\n{}", id="Excel names it"),
        pytest.param('"path";"title, with, commas";year\n{}', id="commas in the header"),
        pytest.param("path;title;year;;\n{}", id="empty columns"),
        pytest.param("\ufeffpath;title;year\n{}\n;;\n\n", id="a mark first, empty rows last"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".CSV"])
def test_the_delimiter_of_a_table_is_found(tmp_path, npy, text, suffix):
    delimiter = next(d for d in (";", "\t", "|", ",") if d in text)
    content = "\n".join(delimiter.join((f"p {i}", f'"a, b; c {i}"', "1997")) for i in range(4))
    file = tmp_path / f"t{suffix}"
    file.write_text(text.format(content), newline="")
    names = {"title, with, commas": "title"} if "with" in text else {}
    import_vectors("index", npy, file, names=names)
    with Index("index") as index:
        tracks = [(track.path, track.title, track.year) for track in index]
    assert tracks == [(f"p {i}", f"a, b; c {i}", 1997) for i in range(4)]


def test_a_table_of_one_column_has_any_delimiter_in_its_fields(tmp_path, npy):
    file = tmp_path / "t.csv"
    file.write_text("path\na.mp3\nb;c.mp3\nd.mp3\ne.mp3\n")
    import_vectors("index", npy, file)
    with Index("index") as index:
        assert [track.path for track in index] == ["a.mp3", "b;c.mp3", "d.mp3", "e.mp3"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_row_with_more_fields_than_the_header_is_left_out_and_named(
    tmp_path, npy, caplog, delimiter
):
    file = tmp_path / "t.csv"
    rows = ["path,title", "a,A", "b,B", "c,one,two", "d,D"]
    file.write_text("\n".join(rows).replace(",", delimiter))
    import_vectors("index", npy, file)
    assert "left out row 3: more fields than the header" in caplog.text
    with Index("index") as index:
        assert [track.title for track in index] == ["A", "B", "D"]


def test_an_empty_table_has_no_rows(tmp_path, npy):
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(LibraryError, match=r"has 0 rows, but .* has 4 vectors"):
        import_vectors("index", npy, tmp_path / "t.csv")


def test_years_and_numbers_are_read_from_texts(tmp_path, npy):
    content = rows(path="p")
    content[0] |= {"year": "1997-03-01", "track_number": "3/12", "seconds": 2, "genre": None}
    import_vectors("index", npy, written(tmp_path / "t.json", content))
    with Index("index") as index:
        first, second, *_ = index
        assert (first.year, first.track_number, first.seconds) == (1997, 3, 2.0)
        assert (first.genre, second.year, second.seconds) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v, t: (v[:3], t), "has 4 rows"),
        (lambda v, t: (v[:, :1], t), r"its shape is \(4, 1\)"),
        (lambda v, t: (np.ones((4, 4_097)), t), r"its shape is \(4, 4097\)"),
        (lambda v, t: (v[0], t), r"its shape is \(128,\)"),
        (lambda v, t: (v * 0, t), "rows 1, 2, 3, 4: its vector is zero"),
        (lambda v, t: (v.astype("S8"), t), "not real numbers"),
        (lambda v, t: (v, [{"title": "x"}] * 4), "rows 1, 2, 3, 4: no path"),
        (lambda v, t: (v, 7), "not a list of objects"),
        (lambda v, t: (v, ["a", "b", "c", "d"]), "not a list of objects"),
        (lambda v, t: (v, [{"path": f"a\0{i}"} for i in range(4)]), "its path has characters"),
    ],
)
def test_invalid_vectors_or_fields_are_rejected_and_nothing_is_imported(
    tmp_path, vectors, change, reason
):
    changed, content = change(vectors, rows(path="p"))
    np.save(tmp_path / "v.npy", changed)
    with pytest.raises(LibraryError, match=reason):
        import_vectors("index", tmp_path / "v.npy", written(tmp_path / "t.json", content))
    assert not Index.exists("index")


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        pytest.param({"path": ""}, "left out row 2: no path", id="no path"),
        pytest.param({"path": "a\0b"}, "left out row 2: its path has characters", id="NUL"),
        pytest.param(
            {"path": "p 0"}, "left out row 2: an earlier row has the same path", id="twice"
        ),
    ],
)
def test_a_bad_row_is_left_out_and_named(tmp_path, npy, caplog, change, warning):
    content = rows(path="p")
    content[1] |= change
    tracks = import_vectors("index", npy, written(tmp_path / "t.json", content))
    assert [track.path for track in tracks] == ["p 0", "p 2", "p 3"]
    assert warning in caplog.text


@pytest.mark.parametrize("line", ["{broken", "[1, 2]", "7", "null"])
def test_a_line_without_an_object_is_left_out_and_named(tmp_path, npy, vectors, caplog, line):
    lines = [json.dumps(row) for row in rows(path="p")]
    lines[2] = line
    file = tmp_path / "t.jsonl"
    file.write_text("\n".join(lines))
    tracks = import_vectors("index", npy, file)
    assert [track.path for track in tracks] == ["p 0", "p 1", "p 3"]
    assert "left out row 3: not an object" in caplog.text
    with Index("index") as index:
        expected = vectors[3] / np.linalg.norm(vectors[3])
        np.testing.assert_allclose(index.vector(tracks[2]), expected, atol=1e-6)


@pytest.mark.parametrize("factor", [0, np.nan, np.inf])
def test_a_row_with_a_bad_vector_is_left_out_and_named(tmp_path, vectors, caplog, run, factor):
    vectors[1] *= factor
    np.save(tmp_path / "v.npy", vectors)
    file = written(tmp_path / "t.csv", rows(path="p"))
    assert "3 imported" in run("import", tmp_path / "v.npy", file).stderr
    assert "left out row 2: its vector is zero or not finite" in caplog.text


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        pytest.param("seconds", "long", 0.0, id="text for a number"),
        pytest.param("seconds", float("nan"), 0.0, id="NaN"),
        pytest.param("size", 1e23, 0, id="too large"),
        pytest.param("track_number", "A1", None, id="side of a record"),
        pytest.param("title", "\ud800", None, id="lone surrogate"),
        pytest.param("title", "a\0b", None, id="NUL"),
        pytest.param("album", {"name": "x"}, None, id="object for a text"),
    ],
)
def test_a_bad_field_is_ignored_and_named(tmp_path, npy, caplog, field, value, stored):
    content = rows(path="p")
    content[3] |= {field: value}
    tracks = import_vectors("index", npy, written(tmp_path / "t.json", content))
    assert getattr(tracks[3], field) == stored
    assert f"ignored {field} in row 4" in caplog.text


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("21.05.1997", 1997),
        (1997.0, 1997),
        ("c. 1990", 1990),
        (0, None),
        ("soon", None),
        (97, None),
    ],
)
def test_a_year_is_imported_from_any_date(tmp_path, npy, caplog, date, year):
    content = rows(path="p")
    content[0] |= {"year": date}
    tracks = import_vectors("index", npy, written(tmp_path / "t.json", content))
    assert (tracks[0].year, caplog.text) == (year, "")


@pytest.mark.parametrize(
    ("length", "seconds"),
    [
        pytest.param("3:45", 225.0, id="minutes"),
        pytest.param("1:02:05", 3725.0, id="hours"),
        pytest.param("12,5", 12.5, id="decimal comma"),
        pytest.param("12.5 s", 12.5, id="unit"),
        pytest.param(-1, 0.0, id="unknown"),
        pytest.param("0", 0.0, id="zero"),
    ],
)
def test_a_length_is_imported_from_any_notation(tmp_path, npy, caplog, length, seconds):
    content = rows(path="p")
    content[0] |= {"seconds": length}
    tracks = import_vectors("index", npy, written(tmp_path / "t.json", content))
    assert (tracks[0].seconds, caplog.text) == (seconds, "")


_TABLE = "path,title\r\na.wav,Caf\u00e9\r\nb.wav,2\r\nc.wav,3\r\nd.wav,4\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_is_read_in_the_encodings_of_spreadsheets(tmp_path, npy, encoding):
    file = tmp_path / "t.csv"
    file.write_bytes(_TABLE.encode(encoding))
    tracks = import_vectors("index", npy, file)
    assert [(track.path, track.title) for track in tracks[:2]] == [
        ("a.wav", "Caf\u00e9"),
        ("b.wav", "2"),
    ]


def test_bytes_that_are_not_utf8_spoil_no_other_row(tmp_path, npy):
    file = tmp_path / "t.csv"
    file.write_bytes(_TABLE.encode().replace(b"b.wav,2", b"b\xff.wav,\xe9"))
    first, second, *_ = import_vectors("index", npy, file)
    assert first.title == "Caf\u00e9"
    assert (second.path, second.title) == ("b\udcff.wav", "\u00e9")


def test_a_row_with_an_open_quote_is_left_out_and_named(tmp_path, npy, caplog):
    file = tmp_path / "t.csv"
    file.write_text('path,title\n1.wav,"a, b"\n2.wav,"open\n3.wav,"c"\n4.wav,5" single\n')
    tracks = import_vectors("index", npy, file)
    titles = [(track.path, track.title) for track in tracks]
    assert titles == [("1.wav", "a, b"), ("3.wav", "c"), ("4.wav", '5" single')]
    assert "left out row 2: a double quote is not closed" in caplog.text


def test_an_empty_row_of_a_table_is_left_out_and_named(tmp_path, npy, caplog):
    file = tmp_path / "t.csv"
    file.write_text("path,title\n1.wav,1\n,\n3.wav,3\n4.wav,4\n,\n")
    assert [track.path for track in import_vectors("index", npy, file)] == [
        "1.wav",
        "3.wav",
        "4.wav",
    ]
    assert "left out row 2: no path" in caplog.text


@pytest.mark.parametrize(
    ("fields", "artist"),
    [
        pytest.param({"artist": ["A", "B"]}, "A; B", id="list"),
        pytest.param({"artists": ["A", "B"]}, "A; B", id="artists"),
        pytest.param({"artist": "A feat. B", "artists": ["A", "B"]}, "A feat. B", id="both"),
        pytest.param({"artists": ["A"], "artist": None}, "A", id="null"),
    ],
)
def test_several_artists_are_imported_as_a_list(tmp_path, npy, fields, artist):
    content = rows(path="p")
    content[0] |= fields
    tracks = import_vectors("index", npy, written(tmp_path / "t.json", content))
    assert tracks[0].artist == artist


def test_a_warning_lists_at_most_ten_rows(tmp_path, caplog):
    np.save(tmp_path / "v.npy", np.ones((13, 4)))
    content = [{"path": str(i), "seconds": "long" if i else 1} for i in range(13)]
    import_vectors("index", tmp_path / "v.npy", written(tmp_path / "t.json", content))
    assert "in rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more: it is not a number" in caplog.text


def test_unreadable_files_are_refused(tmp_path, npy):
    junk = tmp_path / "junk.json"
    junk.write_bytes(b"\xff\xfe\x00junk")
    with pytest.raises(LibraryError, match=r"junk\.json can't be read"):
        import_vectors("index", npy, junk)
    with pytest.raises(LibraryError, match=r"junk\.json is not an array"):
        import_vectors("index", junk, junk)
    with pytest.raises(LibraryError, match=r"is not an array .*: there is no such file"):
        import_vectors("index", tmp_path / "missing.npy", junk)
    (tmp_path / "link.csv").symlink_to("gone.csv")
    with pytest.raises(LibraryError, match=r"it is a link to gone\.csv, which doesn't exist"):
        import_vectors("index", npy, tmp_path / "link.csv")


def test_vectors_of_another_model_are_refused(tmp_path, npy, music):
    add("index", [music], model="compact")
    file = written(tmp_path / "t.json", rows(path="p"))
    with pytest.raises(ModelMismatch, match="not with vggish"):
        import_vectors("index", npy, file, model="vggish")
    import_vectors("index", npy, file)
    with Index("index") as index:
        assert index.totals().tracks == 9


def test_a_model_name_is_used_as_its_digest_until_the_model_is_available(tmp_path, npy, run):
    file = written(tmp_path / "t.json", rows(path="p"))
    import_vectors("index", npy, file, model="copy")
    with Index("index") as index:
        assert (index.spec.model, index.spec.weights_digest) == ("copy", "copy")
    clip = write(tmp_path / "clip.wav", melody())
    assert "not on this machine" in run("query", clip).stderr
    assert run("query", "#1").exit_code == 0
    model = tmp_path / "copy.tflite"
    model.write_bytes(compact().path.read_bytes())
    assert run("query", clip, "--model", model).exit_code == 0
    with Index("index") as index:
        assert index.spec.weights_digest == compact().weights_digest
    assert run("query", clip).exit_code == 0


def test_imported_vectors_of_compact_can_be_searched_with_files(tmp_path, npy):
    file = written(tmp_path / "t.json", rows(path="p"))
    import_vectors("index", npy, file, model="compact")
    assert len(similar("index", write(tmp_path / "clip.wav", melody())).hits) == 4


def test_an_import_of_an_export_gives_the_same_index(music, tmp_path):
    odd = music / "odd \udcff\n\u2028\u00e9.wav"
    odd.write_bytes((music / "low.wav").read_bytes())
    os.utime(odd, ns=(0, 10**11 * 10**9))  # beyond the last time that can be stored
    add("index", [music], model="compact")
    with Index("index") as index:
        assert export(index, tmp_path / "out") == 6
        before = {track.path: (track, index.vector(track)) for track in index}
    assert np.load(tmp_path / "out" / "vectors.npy").dtype == np.float32
    files = (tmp_path / "out" / "vectors.npy", tmp_path / "out" / "tracks.jsonl")
    import_vectors("other", *files, model="compact")
    with Index("other") as index:
        assert {track.path for track in index} == before.keys()
        for track in index:
            known, vector = before[track.path]
            assert (track.content_hash, track.mtime_ns) == (known.content_hash, known.mtime_ns)
            np.testing.assert_allclose(index.vector(track), vector, atol=1e-7)


def test_parquet_holds_fields_and_vectors(music, tmp_path):
    add("index", [music], model="compact")
    with Index("index") as index:
        assert export_parquet(index, tmp_path / "out") == 5
        expected = [track.path for track in index]
        first = index.vector(next(iter(index)))
    table = pyarrow.parquet.read_table(tmp_path / "out" / "tracks.parquet")
    assert table["path"].to_pylist() == expected
    np.testing.assert_array_equal(np.array(table["embedding"][0].as_py(), "f4"), first)


def test_an_unwritable_export_folder_is_refused(music, tmp_path):
    add("index", [music], model="compact")
    (tmp_path / "file").touch()
    with Index("index") as index, pytest.raises(LibraryError, match="Can't write"):
        export(index, tmp_path / "file" / "out")


def test_hits_of_songs_have_the_largest_cosines(song_files):
    import_vectors("index", *song_files)
    titles = [
        song.get("title", song.get("track_name"))
        for song in json.loads(song_files[1].read_text(encoding="utf-8"))
    ]
    vectors = np.load(song_files[0]).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    with Index("index") as index:
        tracks = list(index)
        assert len(tracks) == 915
        assert [track.title for track in tracks] == titles
        for number in range(0, 915, 7):
            hits = similar(index, f"#{tracks[number].id}", k=10).hits
            similarities = [hit.similarity for hit in hits]
            expected = np.sort(cosines[number])[:-11:-1]
            np.testing.assert_allclose(similarities, expected, atol=1e-5)
            best = tracks[int(np.argmax(cosines[number]))]
            assert hits[0].track == best or similarities[0] - similarities[1] < 1e-6


def test_an_export_names_the_model(music, tmp_path):
    add("index", [music], model="compact")
    with Index("index") as index:
        export(index, tmp_path / "out")
    files = (tmp_path / "out" / "vectors.npy", tmp_path / "out" / "tracks.jsonl")
    import_vectors("other", *files)
    with Index("other") as index:
        assert index.spec.weights_digest == compact().weights_digest
    content = json.loads((tmp_path / "out" / "index.json").read_text())
    assert content == {
        "model": "compact",
        "fingerprint": compact().weights_digest,
        "excerpt_seconds": None,
    }
    songs = written(tmp_path / "t.json", rows(path="p"))
    np.save(tmp_path / "v.npy", np.eye(4, 128))
    import_vectors("third", tmp_path / "v.npy", songs, model="vggish")
    with pytest.raises(ModelMismatch):
        import_vectors("third", *files)


def test_a_missing_mapped_field_is_rejected(tmp_path, npy):
    file = written(tmp_path / "t.json", rows(path="p"))
    with pytest.raises(LibraryError, match="has no field song"):
        import_vectors("index", npy, file, names={"song": "title"})

"""The command line: output, standard error and exit codes."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from networks import mean_bands, tflite
from sounds import cut, melody, tone, write
from terminals import on_terminal

from audiosearch import Index
from audiosearch.cli import app
from audiosearch.library.index import EmbeddingSpec, Track


@pytest.fixture
def index(music, run):
    assert run("add", music, "--model", "compact").exit_code == 0
    return music


def audiosearch(*arguments, **options):
    """Run the entry point in a process of its own."""
    command = [sys.executable, "-m", "audiosearch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, **options)


def test_help_does_not_import_numpy_faiss_tensorflow_or_the_server():
    check = (
        "import sys\n"
        "from audiosearch.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'numpy', 'faiss', 'tensorflow', 'sqlite_utils', 'fastapi', 'uvicorn', 'PIL'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))\n"
    )
    for arguments in (["--help"], ["add", "--help"], ["model", "--help"], ["serve", "--help"]):
        subprocess.run([sys.executable, "-c", check, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("by", ["path", "file"])
def test_a_query_imports_neither_tensorflow_nor_packages_for_clusters_or_servers(
    index, tmp_path, by
):
    clip = index / "low.wav" if by == "path" else write(tmp_path / "unseen.wav", melody())
    check = (
        "import sys\n"
        "from audiosearch.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'ray', 'fsspec', 'aiohttp', 'pymilvus', 'milvus_lite', 'grpc'}\n"
        "heavy |= {'fastapi', 'starlette', 'pydantic', 'uvicorn', 'PIL'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))\n"
    )
    if by == "path":  # the vector of a track is stored: nothing is decoded
        check = check.replace("'grpc'", "'grpc', 'soundfile', 'soxr'")
    subprocess.run([sys.executable, "-c", check, "query", clip], check=True, capture_output=True)


def test_add_reports_on_standard_error(music, run):
    (music / "bad.mp3").write_text("no audio")
    result = run("add", music, "--model", "compact")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "5 added, 0 unchanged, 1 failed" in result.stderr
    assert "bad.mp3: it contains no audio that can be decoded" in result.stderr
    assert "hint: " in result.stderr
    again = run("add", music)
    assert "0 added, 5 unchanged, 1 failed" in again.stderr
    assert again.exit_code == 0


def test_a_dry_run_lists_the_files_to_add_and_writes_nothing(music, run):
    planned = run("add", music, "--dry-run", "--exclude", "deep/", "--ext", "wav,OGG")
    assert planned.exit_code == 0
    assert planned.stderr == ""  # nothing was fetched, nothing is missing
    assert planned.stdout.splitlines() == [
        f"new\t{music / name}" for name in ("high.wav", "low.wav", "tune.ogg")
    ]
    assert os.listdir() == []
    run("add", music, "--model", "compact")
    write(music / "low.wav", melody(2.0))
    assert run("add", music, "--dry-run").stdout == f"changed\t{music / 'low.wav'}\n"
    assert len(run("add", music, "--dry-run", "--force").stdout.splitlines()) == 5


def test_strict_add_exits_with_1_when_any_file_failed(music, run):
    (music / "bad.mp3").write_text("no audio")
    assert run("add", music, "--model", "compact", "--strict").exit_code == 1


def test_query_in_json(index, run):
    answer = json.loads(run("query", index / "hiss.flac", "-k", 2, "--format", "json").stdout)
    assert answer["model"] == "compact"
    assert list(answer["hits"][0]) == [
        *("rank", "similarity", "id", "path", "title", "artist", "album", "seconds"),
        *("artists", "genre", "genres", "sound_score", "sounds"),
    ]
    assert answer["hits"][0]["path"] == str(index / "deep" / "hiss2.wav")
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2]


def test_piped_tables_are_tab_separated_columns(index, run):
    lines = run("query", index / "hiss.flac", "-k", 3).stdout.splitlines()
    cells = [line.split("\t") for line in lines]
    assert [len(row) for row in cells] == [9, 9, 9]
    assert cells[0][0] == "1"
    assert cells[0][-1] == str(index / "deep" / "hiss2.wav")


@pytest.mark.posix
def test_on_a_terminal_a_hit_is_one_line_that_ends_in_its_file_name(index, tmp_path):
    command = [sys.executable, "-m", "audiosearch", "query", str(index / "hiss.flac"), "-k", "3"]
    shown = on_terminal(command)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.decode().splitlines()]
    hits = [line for line in lines if re.match(r" +[123] ", line)]
    assert len(hits) == 3
    assert hits[0].rstrip().endswith("deep/hiss2.wav")
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert len([line for line in lines if line.strip()]) == 5  # the header, its line and three hits


def test_all_formats_show_the_same_hits(index, run):
    ask = ("query", index / "hiss.flac", "--format")
    hits = json.loads(run(*ask, "json").stdout)["hits"]
    assert [json.loads(line) for line in run(*ask, "jsonl").stdout.splitlines()] == hits
    rows = list(csv.DictReader(io.StringIO(run(*ask, "csv").stdout)))
    assert [row["path"] for row in rows] == [hit["path"] for hit in hits]
    paths = run(*ask, "paths").stdout.splitlines()
    assert paths == [hit["path"] for hit in hits]


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps any bytes in names")
def test_paths_with_any_bytes_are_printed_unchanged_in_every_format(tmp_path):
    name = os.path.join(os.fsencode(tmp_path), b"caf\xe9\t\n.wav")
    write(tmp_path / "a.wav", tone())
    os.rename(tmp_path / "a.wav", name)
    added = audiosearch("add", os.fsdecode(name), "--model", "compact")
    assert added.returncode == 0, added.stderr
    assert audiosearch("list", "-0").stdout == name + b"\0"
    listed = json.loads(audiosearch("list", "--format", "json").stdout)
    assert os.fsencode(listed["tracks"][0]["path"]) == name
    assert len(audiosearch("list").stdout.splitlines()) == 1


def test_list_info_and_remove(index, run):
    tracks = json.loads(run("list", "--format", "json").stdout)["tracks"]
    assert [track["id"] for track in tracks] == [1, 2, 3, 4, 5]
    info = json.loads(run("info", "--format", "json").stdout)
    assert (info["tracks"], info["model"], info["failures"]) == (5, "compact", 0)
    assert info["seconds"] == pytest.approx(15.0)
    assert len(info["fingerprint"]) == 64
    assert run("remove", "#1", index / "deep").exit_code == 0
    assert len(run("list").stdout.splitlines()) == 3


def test_failures_are_listed_with_their_reasons(index, run):
    (index / "bad.mp3").write_text("no audio")
    run("add", index)
    (failure,) = json.loads(run("failures", "--format", "json").stdout)["failures"]
    assert failure["path"] == str(index / "bad.mp3")
    assert "no audio" in failure["reason"]
    assert run("failures", "--format", "paths").stdout == f"{index / 'bad.mp3'}\n"
    again = run("add", index)
    assert "0 added, 5 unchanged, 1 failed" in again.stderr
    assert "--retry" in again.stderr


def test_embed_prints_json_without_an_index(music, run):
    files = [music / "low.wav", music / "high.wav"]
    printed = json.loads(run("embed", *files, "--model", "compact").stdout)
    assert printed["model"] == "compact"
    assert [row["path"] for row in printed["embeddings"]] == [str(file) for file in files]
    assert np.linalg.norm(printed["embeddings"][0]["embedding"]) == pytest.approx(1.0)
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("files", "options", "shape"),
    [
        (["low.wav"], [], (128,)),
        (["low.wav", "high.wav"], [], (2, 128)),
        (["low.wav"], ["--per-patch"], (3, 128)),
        (["low.wav", "high.wav"], ["--per-patch"], (6, 128)),
    ],
)
def test_embed_writes_arrays(music, run, tmp_path, files, options, shape):
    out = tmp_path / "out.npy"
    result = run("embed", *(music / f for f in files), "--model", "compact", "-o", out, *options)
    assert result.exit_code == 0, result.stderr
    array = np.load(out)
    assert (array.shape, array.dtype) == (shape, np.float32)


@pytest.mark.filterwarnings("ignore")  # warnings of TensorFlow
def test_embed_pools_as_the_options_say(music, run, tmp_path):
    model = tflite(tmp_path / "own.tflite", mean_bands)

    def embed(*options):
        out = tmp_path / "out.npy"
        run("embed", music / "tune.ogg", "--model", model, "-o", out, *options)
        return np.load(out)

    patches = embed("--per-patch")
    np.testing.assert_allclose(embed("--no-normalize"), patches.mean(axis=0), atol=1e-4)
    summed = embed("--pooling", "sum", "--no-normalize")
    np.testing.assert_allclose(summed, patches.sum(axis=0), rtol=1e-4, atol=1e-3)


def test_embed_warns_about_a_truncated_file_only(music, run):
    assert run("embed", music / "hiss.flac", "--model", "compact").stderr == ""
    path = cut(write(music / "long.flac", melody(20.0)))
    assert "warning: " in run("embed", path, "--model", "compact").stderr


BAD = [
    pytest.param(["add", "none.wav"], 1, "no such file", id="a missing path"),
    pytest.param(["add", "empty.mp3"], 1, "empty", id="an empty file"),
    pytest.param(["add", "text.mp3"], 1, "no audio", id="a text file"),
    pytest.param(["add", "nan.wav"], 1, "not finite", id="samples that are not numbers"),
    pytest.param(["add", "nothing"], 1, "no audio files", id="a folder without audio"),
    pytest.param(["add", "low.wav", "--model", "vggish"], 1, "not with vggish", id="model"),
    pytest.param(["add", "low.wav", "--index", "/proc/x"], 1, "/proc/x", id="unwritable"),
    pytest.param(["add", "low.wav", "--model", "x.tflite"], 1, "x.tflite", id="no such model"),
    pytest.param(
        ["add", "low.wav", "--index", "new", "--weights", "none.ckpt"], 1, "none.ckpt", id="weights"
    ),
    pytest.param(["add"], 2, "PATH", id="add nothing"),
    pytest.param(["query", "low.wav", "-k", "0"], 2, "-k", id="no hits"),
    pytest.param(["query", "none.wav"], 1, "none.wav", id="an unknown clip"),
    pytest.param(["query", "text.mp3"], 1, "text.mp3", id="a clip without audio"),
    pytest.param(["query", "#77"], 1, "#77", id="an unknown id"),
    pytest.param(["query", "low.wav", "--index", "gone"], 1, "no index", id="no index"),
    pytest.param(["query", "low.wav", "--format", "xml"], 2, "xml", id="an unknown format"),
    pytest.param(["query", "#" + "9" * 30], 1, "neither", id="an id that is too large"),
    pytest.param(["add", "low.wav", "--excerpt", "nan"], 2, "excerpt", id="an excerpt of nan"),
    pytest.param(["remove", ""], 2, "is empty", id="remove an empty name"),
    pytest.param(["remove", "nowhere"], 1, "nowhere", id="remove nothing"),
    pytest.param(["embed", "low.wav", "-o", "gone/x.npy"], 1, "gone/x.npy", id="output"),
    pytest.param(
        ["embed", "low.wav", "--model", "compact", "--postprocess"],
        2,
        "PCA",
        id="PCA of another model",
    ),
    pytest.param(["model", "verify"], 1, "not on this machine", id="verify without weights"),
    pytest.param(["fly"], 2, "fly", id="an unknown command"),
]


@pytest.mark.parametrize(("arguments", "status", "words"), BAD)
def test_bad_input_ends_in_a_sentence_and_a_hint(index, run, monkeypatch, arguments, status, words):
    samples = tone()
    samples[100] = np.nan
    write(index / "nan.wav", samples, subtype="FLOAT")
    (index / "empty.mp3").touch()
    (index / "text.mp3").write_text("no audio")
    (index / "nothing").mkdir()
    monkeypatch.setenv("AUDIOSEARCH_INDEX", os.path.abspath("index"))
    before = run("list", "--format", "json").stdout
    monkeypatch.chdir(index)
    result = run(*arguments)
    assert result.exit_code == status
    assert words in result.stderr
    assert result.stderr.count("hint: ") == 1
    assert result.stdout == ""
    assert run("list", "--format", "json").stdout == before


def test_standard_error_contains_no_output_of_c_libraries(music, index):
    cut(write(music / "cut.mp3", melody(20.0), format="MP3"))
    result = audiosearch("add", music)
    warning, summary = result.stderr.decode().splitlines()
    assert warning.startswith("warning: ")
    assert summary.startswith("1 added, 5 unchanged, 0 failed")


def test_a_closed_pipe_causes_no_traceback(music):
    with Index("index", spec=EmbeddingSpec("compact", "0" * 64)) as index:
        for number in range(2_000):
            track = Track(f"/{'long' * 20}/{number}.mp3", 1, 1, "", 1.0, 8_000, 1, "mp3")
            index.add(track, np.eye(128, dtype=np.float32)[0])
    command = f"{sys.executable} -m audiosearch list | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, check=False, text=True)
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a full device")
def test_a_full_disk_is_an_error_without_a_traceback(index):
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "audiosearch", "list"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1
    assert b"disk is full" in result.stderr
    assert b"Traceback" not in result.stderr


def commands():
    """Yield every command as a user types it."""
    for command in app.registered_commands:
        yield command.name or command.callback.__name__
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:
            yield f"{group.name} {command.name or command.callback.__name__}"


def test_every_command_has_help(run):
    assert len(list(commands())) >= 11
    for command in commands():
        assert f" {command} [OPTIONS]" in run(*command.split(), "--help").stdout


def test_a_group_without_a_command_shows_its_help(run):
    for arguments in ([], ["model"]):
        result = run(*arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "Usage: " in result.stdout


def test_the_model_path_of_compact_is_a_file(run):
    assert os.path.isfile(run("model", "path", "--model", "compact").stdout.strip())


def test_model_status_without_vggish(run):
    status = json.loads(run("model", "status", "--format", "json").stdout)
    assert status["vggish"] is None
    assert os.path.isfile(status["compact"])
    lines = run("model", "status").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == list(status)
    assert "vggish\tnone on this machine" in lines
    assert not [line for line in lines if line.endswith("\t")]


def test_demo_queries_find_sounds_of_the_same_kind(run):
    result = run("demo", "--format", "json")
    assert result.exit_code == 0, result.stderr
    queries = json.loads(result.stdout)["queries"]
    assert len(queries) == 8
    assert sum(query["own_kind_first"] for query in queries) >= 7
    assert sorted(os.listdir("audiosearch-demo")) == ["index", "queries", "sounds"]
    assert not os.path.exists("index")
    assert json.loads(run("demo", "--format", "json").stdout)["queries"] == queries

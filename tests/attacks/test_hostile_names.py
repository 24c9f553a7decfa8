"""Names, tags and paths that try to act on a terminal, a spreadsheet, a header or a page."""

import contextlib
import csv
import http.client
import io
import json
import os
import re
import subprocess
import sys
import urllib.parse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from served import library, serving
from sounds import melody, noise, write
from terminals import on_terminal

from audiosearch import Index, add
from audiosearch.cli.table import COMMANDS
from audiosearch.maintenance.export_import import import_vectors

# Sets the clipboard, hides what follows, moves the cursor, does both in C1, goes back, begins a
# line that looks like our own, and reverses the rest.
HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07\x1b[8m\x1b[3A\x9b31m\x9d0;evil\x9c\r\b\b\x7f\x85\u2028"
    "\nFAKE: removed \u202egnp.\u2066\u200f\u200b\ufeff[bold]<b>"
)
NOT_IN_NAMES = "\x1b]52", "\x1b[8m", "\x1b[3A"
#: Rich's styles and movements, of which names use none.
STYLES = re.compile(
    r"\x1b\[(?:[0-7](?:;[0-9;]+)?|[0-9;]{2,})?m|\x1b\[\?25[lh]|\r(?:\x1b\[1A|\x1b\[2K)*"
)
ACTING = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
#: Command lines that print no name.
NAMELESS = {
    *("unknown option", "evaluate", "optimize", "model status", "model path", "refresh", "reembed"),
    *("sounds", "sounds of a track"),
    *("export", "import", "copy", "remove", "playlists list"),
}
# Runs many command lines in one process, which is many times as fast as a process for each.
DRIVER = """
import json, sys
from typer.main import get_command
from audiosearch.cli import console
from audiosearch.cli.app import app
from audiosearch.cli.streams import open_streams
console.messages = open_streams()
command = get_command(app)
for name, arguments in json.load(open(sys.argv[1])):
    print(f"@@{name}@@", flush=True)
    try:
        command.main(arguments, standalone_mode=False)
    except Exception:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
"""


def hostile_library(folder):
    """Make an index of three tracks and a failure with hostile names; return its folder."""
    music = folder / f"music{HOSTILE.replace('/', '|')}"
    music.mkdir()
    for seed in range(2):
        write(music / "x.wav", noise(2.0, seed=seed)).rename(
            music / f"{seed} {HOSTILE}.wav".replace("/", "|")
        )
    write(music / "copy.wav", noise(2.0, seed=0))
    write(music / "gone.wav", melody(2.0))
    (music / f"bad {HOSTILE}.mp3".replace("/", "|")).write_text("no sound")
    add(folder / "index", [music], model="compact", n_jobs=1)
    with Index(folder / "index") as index:
        for track in list(index):
            tags = dict.fromkeys(("title", "artist", "album", "genre"), f"=1+1{HOSTILE}")
            index.storage.update(replace(track, **tags))
    (music / "gone.wav").unlink()
    return music


def command_lines(folder, music):
    """Return names and arguments of command lines that print all names and many messages."""
    files = sorted(map(str, music.iterdir()))
    sound = next(name for name in files if os.path.basename(name).startswith("0 "))
    index = ["--index", str(folder / "index")]
    odd = str(folder / f"out{HOSTILE}".replace("/", "|"))
    np.save(folder / "v.npy", np.eye(2, 128, dtype=np.float32))
    (folder / "f.json").write_text(json.dumps([{"path": "/a", HOSTILE: 1}, {"title": HOSTILE}]))
    (folder / "mpd.log").write_text(
        f'Jan 02 10:00 : player: played "copy.wav"\nJan 02 10:05 : player: played "{HOSTILE!r}"\n'
    )
    (folder / "some.m3u8").write_text(f"{Path(sound).as_uri()}\n/nowhere/{HOSTILE}\n")
    lines = {
        "unknown command": [f"li{HOSTILE}"],
        "unknown option": ["list", f"--x{HOSTILE}"],
        "wrong value": ["list", "--format", HOSTILE],
        "model fetch": ["model", "fetch", HOSTILE],
        "missing index": ["list", "--index", odd],
        "add a missing file": ["add", odd, *index],
        "add --dry-run": ["add", str(music), "--dry-run", "--force", *index],
        "failures": ["failures", *index],
        "query a missing file": ["query", odd, *index],
        "query a playlist": ["query", str(folder / "some.m3u8"), *index],
        "query words": ["query", "--track", HOSTILE, *index],
        "sounds": ["sounds", *index],
        "sounds of a track": ["sounds", sound, *index],
        "sounds of nothing": ["sounds", odd, *index],
        "query within": ["query", sound, "--within", sound, "--to", "0.5", *index],
        "cut": ["cut", f"{sound}@0-0.5", f"{odd}@0-1", "-o", f"{odd}-cuts", *index],
        "duplicates": ["duplicates", "--threshold", "0.1", *index],
        "evaluate": ["evaluate", "--by", "artist", *index],
        "doctor": ["doctor", *index],
        "optimize": ["optimize", "--exact", *index],
        "embed": ["embed", sound, "--model", "compact"],
        "embed nothing": ["embed", odd, "--model", "compact"],
        "model status": ["model", "status"],
        "model path": ["model", "path", "--model", "compact"],
        "model verify": ["model", "verify", "--weights", odd],
        "refresh": ["refresh", *index],
        "relocate": ["relocate", odd, HOSTILE, *index],
        "reembed": ["reembed", "--model", "compact", "--weights", odd, *index],
        "map": ["map", "-o", f"{odd}.png", "--title", HOSTILE, *index],
        "map of nothing": ["map", "-o", f"{odd}.xyz", *index],
        "export": ["export", odd, *index],
        "import": ["import", str(folder / "v.npy"), str(folder / "f.json"), "--model", "compact",
                   "--index", str(folder / "i2")],
        "import nothing": ["import", odd, odd, *index],
        "copy": ["copy", str(folder / "index"), f"{odd}-index"],
        "info": ["info", "--index", f"{odd}-index"],
        "playlist --save": ["playlist", sound, "--save", "mine", *index],
        "playlists list": ["playlists", "list", *index],
        "playlists show": ["playlists", "show", "mine", *index],
        "playlists auto": ["playlists", "auto", "-n", "2", "-o", f"{odd}-auto", "--save", *index],
        "playlist --history": ["playlist", "--history", str(folder / "mpd.log"), *index],
        "playlist --history of nothing": ["playlist", "--history", odd, *index],
        "playlist -o": ["playlist", sound, "-o", f"{odd}.m3u8", *index],
        "playlist --send": ["playlist", sound, "--send", f"mpd:///{odd}", *index],
        "radio": ["radio", f"http://{HOSTILE}", sound, *index],
        "serve at no address": ["serve", *index, "--host", HOSTILE, "--api-key", "k"],
        "watch no folder": ["watch", sound, *index],
        "serve nothing": ["serve", "--index", odd, "--port", "0"],
        "proxy": ["proxy", "http://127.0.0.1:1", "--index", odd],
        "bench": ["bench", "--model", HOSTILE],
        "demo": ["demo", "--folder", str(folder / "f.json" / HOSTILE.replace("/", "|"))],
        "prune --dry-run": ["prune", "--dry-run", *index],
        "prune": ["prune", *index],
        "remove": ["remove", str(music), *index],
        "add": ["add", str(music), "--retry", "--force", "-j", "1", *index],
    }  # fmt: skip
    for form in ("table", "json", "jsonl", "csv", "paths"):
        shown = {f"list {form}": ["list"], f"query {form}": ["query", sound]}
        lines = {name: [*rest, "--format", form, *index] for name, rest in shown.items()} | lines
    for form in ("m3u8", "xspf", "jspf", "pls", "table", "csv"):
        lines = {f"playlist {form}": ["playlist", sound, "--format", form, *index]} | lines
    return lines


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Return what each command line prints on a terminal."""
    folder = tmp_path_factory.mktemp("hostile")
    lines = command_lines(folder, hostile_library(folder))
    (folder / "lines.json").write_text(json.dumps(list(lines.items())))
    command = [sys.executable, "-c", DRIVER, str(folder / "lines.json")]
    text = on_terminal(command, columns=4_000, typed="n\nn\n").decode(errors="surrogateescape")
    parts = re.split("@@(.*?)@@", text)
    shown = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert shown.keys() == lines.keys()
    return shown


def test_no_command_lets_a_name_act_on_a_terminal(printed):
    for name, text in printed.items():
        acting = ACTING.findall(STYLES.sub("", text.replace("\r\n", "\n")))
        assert not acting, (name, acting, text)
        assert not any(sequence in text for sequence in NOT_IN_NAMES), (name, text)
        assert not re.search(r"^\W*FAKE", text, re.MULTILINE), (name, text)
        assert "Traceback" not in text, (name, text)


def test_every_command_was_tried_with_names_to_print(printed):
    tried = {name.split()[0] for name in printed}
    assert tried >= COMMANDS.keys()
    assert {name for name, text in printed.items() if "gnp." not in text} == NAMELESS


def test_a_traceback_on_a_terminal_is_escaped(tmp_path):
    program = (
        "import sys\nfrom audiosearch.cli.streams import open_streams\nopen_streams()\n"
        f"raise RuntimeError({HOSTILE!r})"
    )
    (tmp_path / "bug.py").write_text(program)
    text = on_terminal([sys.executable, str(tmp_path / "bug.py")], check=False).decode()
    assert "RuntimeError: \\x1b]52" in text
    assert not ACTING.search(text.replace("\r\n", "\n"))


# Output for programs


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Return an index whose tracks begin like formulas."""
    folder = tmp_path_factory.mktemp("formulas")
    np.save(folder / "v.npy", np.eye(len(CELLS), 128, dtype=np.float32) - 0.01)
    rows = [{"path": f"/music/{n}{HOSTILE}.mp3", "title": text} for n, text in enumerate(CELLS)]
    (folder / "f.json").write_text(json.dumps(rows))
    import_vectors(folder / "index", folder / "v.npy", folder / "f.json", model="compact")
    return folder / "index"


CELLS = {
    "=1+1": "'=1+1",
    "+cmd|'/C calc'!A0": "'+cmd|'/C calc'!A0",
    "-2+3": "'-2+3",
    "@SUM(A1)": "'@SUM(A1)",
    " =1+1": "' =1+1",
    "\t=1+1": "'\t=1+1",
    "\rfake": "'\rfake",
    "first\rsecond": "first\rsecond",
    "\uff1d1+1": "'\uff1d1+1",
    "a=1": "a=1",
    "Ça ira - live": "Ça ira - live",
    HOSTILE: HOSTILE,
}


def piped(*arguments):
    """Run a command in a process of its own, and return the bytes on its standard output."""
    command = [sys.executable, "-m", "audiosearch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


@pytest.mark.parametrize("command", [["list"], ["query", "#1", "-k", "20", "--include-self"]])
def test_csv_in_a_pipe_is_exact(index, command):
    rows = rows_of(piped(*command, "--format", "csv", "--index", index))
    assert {row["title"] for row in rows} == CELLS.keys()
    assert all(HOSTILE in row["path"] for row in rows)


def test_safe_csv_begins_no_text_like_a_formula_and_leaves_numbers(index):
    query = ("query", "#1", "-k", "20", "--include-self", "--format", "csv", "--index", index)
    rows, safe = rows_of(piped(*query)), rows_of(piped(*query, "--csv-safe"))
    assert {row["title"] for row in safe} == set(CELLS.values())
    numbers = [name for name in rows[0] if name not in {"title", "path"}]
    assert [[row[n] for n in numbers] for row in safe] == [
        [row[n] for n in numbers] for row in rows
    ]
    assert any(row["similarity"].startswith("-") for row in safe)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_in_a_pipe_is_exact_and_acts_on_no_terminal(index, form):
    text = piped("list", "--format", form, "--index", index).decode()
    assert not ACTING.search(text)
    tracks = json.loads(text)["tracks"] if form == "json" else map(json.loads, text.splitlines())
    assert {track["title"] for track in tracks} == CELLS.keys()
    assert "Ça ira" in text


def test_messages_in_a_pipe_are_escaped_too(index):
    command = [sys.executable, "-m", "audiosearch", "query", f"/no{HOSTILE}", "--index", index]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 1
    assert not ACTING.search(result.stderr.decode())


@pytest.mark.parametrize("form", ["m3u8", "pls", "xspf", "jspf"])
def test_a_title_adds_no_line_to_a_playlist(index, form):
    text = piped("playlist", "#11", "-n", "3", "--format", form, "--index", index).decode()
    assert not any(line.lstrip().startswith("FAKE") for line in text.splitlines())


# The server


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory):
    """Serve a library with one hostile track; yields host and port, and the track's id."""
    folder = tmp_path_factory.mktemp("served")
    ids = hostile_index(folder)
    with serving(folder, ids) as served:
        yield urllib.parse.urlsplit(served.url).netloc, ids["hiss0.flac"]


def hostile_index(folder):
    """Make a library with one hostile track, and return the ids of its tracks by file."""
    ids = library(folder)
    with Index(folder / "index") as index:
        (track,) = index.by_id([ids["hiss0.flac"]]).values()
        tags = dict.fromkeys(("title", "artist", "album", "genre"), f"</script>{HOSTILE}")
        index.storage.update(replace(track, **tags))
    return ids


def ask(host, path, body=None):
    """Send a request, and return the response and its body."""
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
        connection.request(method, path, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response, response.read().decode()


def test_json_over_http_is_exact_and_acts_on_no_terminal(hostile_server):
    host, number = hostile_server
    playlist = {"tracks": [number], "n": 3}
    file = {"name": f"{HOSTILE}.xspf", "text": f"<{HOSTILE}"}
    for path, body in {
        f"/api/tracks/{number}": None,
        "/api/tracks": None,
        "/api/map": None,
        f"/api/tracks/{urllib.parse.quote(HOSTILE)}": None,
        "/api/playlist": playlist,
        "/api/playlist?": playlist | {"only": {"year": HOSTILE}},
        "/api/playlist??": playlist | {"strategy": HOSTILE},
        "/api/playlist???": playlist | {HOSTILE: 1},
        "/api/playlist????": playlist | {"exclude_playlists": [file]},
    }.items():
        _, text = ask(host, path, body)
        assert not ACTING.search(text), path
        json.loads(text)
    assert json.loads(ask(host, f"/api/tracks/{number}")[1])["title"] == f"</script>{HOSTILE}"


@pytest.mark.parametrize("form", ["m3u8", "xspf", "jspf", "pls"])
def test_a_name_adds_no_header_and_no_line_to_a_playlist_file(hostile_server, form):
    host, number = hostile_server
    body = {"tracks": [number], "name": f"a\r\nSet-Cookie: b=c\r\n\r\n{HOSTILE}", "format": form}
    response, text = ask(host, "/api/playlist/file", body)
    assert response.status == 200
    assert response.headers["Set-Cookie"] is None
    assert response.headers["Content-Disposition"] == f'attachment; filename="playlist.{form}"'
    assert not any(line.lstrip().startswith(("FAKE", "Set")) for line in text.splitlines())


def test_a_tag_ends_no_script_of_the_map(run, tmp_path):
    hostile_index(tmp_path)
    assert run("map", "-o", tmp_path / "map.html", "--index", tmp_path / "index").exit_code == 0
    text = (tmp_path / "map.html").read_text()
    assert "</script>\\u001b" not in text
    assert not re.search("[\x80-\x9f\u202a-\u202e\u2028\u2066]", text.rpartition("<script")[2])
    assert "\\u003c/script>" in text


@pytest.mark.parametrize("options", [[], ["--format", "json"]], ids=["table", "JSON"])
def test_safe_csv_of_another_format_is_refused(index, run, options):
    refused = run("list", "--csv-safe", *options, "--index", index)
    assert refused.exit_code == 2
    assert "--csv-safe only changes --format csv." in refused.stderr
    assert "Add --format csv" in refused.stderr

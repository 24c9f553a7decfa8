"""Nothing in the working directory runs, whatever command or HTTP route is used there."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from served import serving
from sounds import encode, melody, noise, tone, write

import audiosearch
from audiosearch import Index, add, bench, child_process
from audiosearch.cli.table import COMMANDS
from audiosearch.import_path import safe_path
from audiosearch.maintenance.export_import import export, import_vectors

PACKAGE = Path(audiosearch.__file__).parent
SCRIPT = "import sys; from audiosearch.__main__ import main; sys.exit(main())"

PACKAGES = {"av", "blake3", "faiss", "numpy", "rich", "soundfile", "soxr", "sqlite_utils", "typer"}
EVERYTHING = {name.split("/")[0] for name in importlib.metadata.packages_distributions()}
EVERYTHING |= {*sys.stdlib_module_names, "sitecustomize", "usercustomize", "audiosearch"}
#: `python -m audiosearch` itself imports these from the working directory; the script doesn't.
PYTHONS_OWN = {"audiosearch", *(sys.stdlib_module_names if sys.version_info < (3, 11) else ())}


def hostile_folder(folder: Path, names: set[str]) -> Path:
    """A folder with modules that each leave a mark and fail; decoders couldn't leave a mark."""
    folder.mkdir()
    for name in names:
        code = f"open({str(folder) + '.marks'!r}, 'a').write(__name__ + ' '); raise SystemExit(99)"
        (folder / f"{name}.py").write_text(code)
    return folder


def marks(folder: Path) -> str:
    """Names of the hostile modules that ran."""
    file = folder.with_suffix(".marks")
    return (file.read_text() if file.exists() else "") + "cache " * (folder / "cache").exists()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """A hostile folder, and a library elsewhere."""
    root = tmp_path_factory.mktemp("world")
    music = root / "music"
    music.mkdir()
    for number in range(3):
        write(music / f"hiss{number}.wav", noise(2.0, seed=number))
    sung = melody(2.0, 44_100)
    encode(music / "sung.wma", sung, 44_100, container="asf", codec="wmav2", artist="A")
    write(root / "clip.wav", tone(400, 2.0))
    (root / "not.ckpt").write_text("not a checkpoint")
    add(root / "index", [music], model="compact", n_jobs=1)
    with Index(root / "index") as index:
        export(index, root / "out")
        files = root / "out" / "vectors.npy", root / "out" / "tracks.jsonl"
        import_vectors(root / "other", *files, model="other")
        ids = {os.path.basename(track.path): track.id for track in index}
    np.save(root / "many.npy", np.random.default_rng(0).standard_normal((60, 8)))
    (root / "many.json").write_text(json.dumps([{"path": f"/{number}"} for number in range(60)]))
    import_vectors(root / "many", root / "many.npy", root / "many.json")
    hostile = hostile_folder(root / "hostile", EVERYTHING - PYTHONS_OWN)
    (hostile / "matplotlibrc").write_text("text.usetex: True")  # runs LaTeX
    metadata = hostile / "evil-1.0.dist-info"  # a package with a model
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[audiosearch.models]\nevil = numpy:evil\n")
    (root / "mpd.log").write_text(f'Jan 02 10:00 : player: played "{music}/hiss0.wav"\n')
    (hostile / ".numba_config.yaml").write_text("cache_dir: cache")  # unpickles what is there
    return SimpleNamespace(
        root=root,
        music=music,
        ids=ids,
        hostile=hostile,
    )


SLOW = pytest.mark.slow
COMMAND_LINES = [
    pytest.param("add {root}/clip.wav --model compact", id="add"),
    pytest.param("add {root}/clip.wav --ray local -j 1", marks=SLOW, id="add on a local Ray"),
    pytest.param("query {root}/clip.wav", id="query"),
    pytest.param("query {root}/clip.wav --within {root}/clip.wav --to 0.5", id="moments"),
    pytest.param("playlist #1 -n 2 --index {index}", id="playlist"),
    pytest.param("playlists list", id="playlists"),
    pytest.param("playlists auto -o {out}/auto", id="playlists auto"),
    pytest.param("playlist --history {root}/mpd.log -n 2", id="playlist from a history"),
    pytest.param("radio mpd://127.0.0.1:1 #1", id="radio"),
    pytest.param("proxy http://127.0.0.1:1 --index {out}/none --port 0", id="proxy"),
    pytest.param("duplicates", id="duplicates"),
    pytest.param("map -o {out}/map.png", marks=SLOW, id="map as an image"),
    pytest.param("map -o {out}/map.html --index {root}/many", marks=SLOW, id="map by UMAP"),
    pytest.param("evaluate --by folder", id="evaluate"),
    pytest.param("embed {root}/clip.wav --model compact", id="embed"),
    pytest.param("embed {root}/clip.wav --weights {root}/not.ckpt", marks=SLOW, id="conversion"),
    pytest.param("list", id="list"),
    pytest.param("sounds", id="sounds"),
    pytest.param("cut {music}/hiss0.wav@0-0.1 -o {out}/cuts", id="cut"),
    pytest.param("info", id="info"),
    pytest.param("remove {music}/hiss0.wav", id="remove"),
    pytest.param("failures", id="failures"),
    pytest.param("prune -y", id="prune"),
    pytest.param("relocate {music} {root}/moved", id="relocate"),
    pytest.param("refresh", id="refresh"),
    pytest.param("optimize --exact", id="optimize"),
    pytest.param("reembed --model compact --index {root}/other", id="reembed"),
    pytest.param("doctor", id="doctor"),
    pytest.param("export {out}", id="export"),
    pytest.param("import {root}/out/vectors.npy {root}/out/tracks.jsonl", id="import"),
    pytest.param("copy {index} {out}/copy", id="copy"),
    pytest.param("copy {index} milvus+lite://{out}/copy.db", marks=SLOW, id="copy to Milvus"),
    pytest.param("bench --model compact --rounds 1", marks=pytest.mark.long, id="bench"),
    pytest.param("model status", id="model"),
    pytest.param("demo --folder {out}/demo", marks=SLOW, id="demo"),
]
#: Messages of command lines that fail at their end, by a part of the line.
FAILURES = {
    "not.ckpt": "is not a TensorFlow checkpoint",
    "mpd://": "Connection refused",
    "proxy": "There is no index",
}


def run_in(folder: Path, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_no_command_runs_code_from_the_working_directory(world, line, tmp_path):
    index = tmp_path / "index"
    shutil.copytree(world.root / "index", index)
    line = line.format(root=world.root, music=world.music, index=index, out=tmp_path)
    completed = run_in(
        world.hostile,
        [sys.executable, "-m", "audiosearch", *line.split()],
        AUDIOSEARCH_INDEX=str(index),
        XDG_STATE_HOME=str(tmp_path / "state"),
    )
    assert marks(world.hostile) == ""
    messages = [message for part, message in FAILURES.items() if part in line]
    assert completed.returncode == bool(messages), completed.stderr
    assert all(message in completed.stderr for message in messages)


def test_every_command_is_tested():
    tested = {param.values[0].split()[0] for param in COMMAND_LINES}
    # These don't end: see the test of the routes, and that of `watch`.
    assert tested | {"serve", "watch"} == set(COMMANDS)


def test_watch_runs_no_code_from_the_working_directory(world, tmp_path):
    command = [sys.executable, "-m", "audiosearch", "watch", world.music, "--model", "compact"]
    with subprocess.Popen(
        [*map(str, command), "-j", "1", "--index", f"{tmp_path}/index"],
        cwd=world.hostile,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert any("added: " in line for line in process.stderr)
        process.terminate()
        process.stderr.read()
    assert (marks(world.hostile), process.returncode) == ("", 0)


def test_the_processes_of_bench_run_no_code_from_the_working_directory(world, monkeypatch):
    monkeypatch.chdir(world.hostile)
    assert bench._front_end_on_all_cores([str(world.music / "hiss0.wav")] * 2 * bench.n_cores())
    assert marks(world.hostile) == ""


@pytest.mark.parametrize(
    ("names", "import_path"),
    [
        pytest.param(EVERYTHING, [], id="every module"),
        # When Python starts, it imports from PYTHONPATH before any code of audiosearch runs.
        pytest.param(PACKAGES, [""], id="packages, if PYTHONPATH has empty entries"),
        pytest.param(PACKAGES, [".", "../folder"], id="packages, if PYTHONPATH is relative"),
    ],
)
def test_the_script_runs_no_code_from_the_working_directory(world, tmp_path, names, import_path):
    folder = hostile_folder(tmp_path / "folder", names)
    (tmp_path / "audiosearch").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "audiosearch", "add", world.music, "--model", "compact"]
    completed = run_in(
        folder,
        [*map(str, command), "--index", f"{tmp_path}/index"],
        PYTHONPATH=os.pathsep.join([str(PACKAGE.parent), *import_path]),
    )
    assert (marks(folder), completed.returncode) == ("", 0)


def test_no_route_runs_code_from_the_working_directory(world, monkeypatch):
    monkeypatch.chdir(world.hostile)
    track, upload = world.ids["sung.wma"], {"file": (world.root / "clip.wav").read_bytes()}
    requests = {
        "/api/health": ("GET", {}),
        "/api/defaults": ("GET", {}),
        "/api/embed": ("POST", {"files": upload}),
        "/api/query": ("POST", {"files": upload}),
        "/api/tracks": ("GET", {}),
        "/api/sounds": ("GET", {}),
        f"/api/tracks/{track}": ("GET", {}),
        f"/api/tracks/{track}/audio": ("GET", {}),
        f"/api/tracks/{track}/cover": ("GET", {}),
        "/api/playlist": ("POST", {"json": {"tracks": [track], "n": 2}}),
        "/api/playlist/file": ("POST", {"json": {"tracks": [track], "format": "xspf"}}),
        "/api/map": ("GET", {}),
        "/api/map/points": ("GET", {}),
        "/api/map/progress": ("GET", {}),
        "/api/suggestions": ("GET", {"params": {"words": "a"}}),
        "/api/tracks/sample": ("POST", {"json": {"tracks": [track]}}),
        f"/api/tracks/{track}/waveform": ("GET", {}),
        "/api/playlists/mine": ("PUT", {"json": {"tracks": [track]}}),
        "/api/playlists": ("GET", {}),
        "/docs": ("GET", {}),
        "/": ("GET", {}),
    }
    with serving(world.root, world.ids) as server, httpx.Client(timeout=120) as client:
        kept = client.post(f"{server.url}/api/uploads", files=upload).json()["id"]
        for path in ("/api/uploads", "/api/uploads/{}", "/api/uploads/{}/audio"):
            method, options = ("GET", {}) if "{" in path else ("POST", {"files": upload})
            requests[path.format(kept)] = (method, options)
        statuses = {
            path: client.request(method, server.url + path, **options).status_code
            for path, (method, options) in requests.items()
        }
        described = client.get(f"{server.url}/api/openapi.json").json()["paths"]
    assert marks(world.hostile) == ""
    assert {path: status for path, status in statuses.items() if status != 200} == {
        f"/api/tracks/{track}/cover": 404
    }
    names = {
        f"/{track}": "/{track_id}",
        kept: "{upload_id}",
        "points": "{part}",
        "mine": "{name}",
    }
    tried = set(requests)
    for value, name in names.items():
        tried = {path.replace(value, name) for path in tried}
    assert set(described) <= tried


def test_commands_work_in_a_deleted_folder(world, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'rmdir "$PWD" && exec {sys.executable} -m audiosearch "$@"'
    arguments = ["add", world.music, "--index", tmp_path / "i", "--model", "compact", "-j", "1"]
    completed = run_in(gone, ["sh", "-c", command, "sh", *map(str, arguments)])
    assert completed.returncode == 0, completed.stderr


PROBE = """
import json, os, sys
def main():
    files = [f for f in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{f}")]
    facts = {"cwd": os.getcwd(), "path": sys.path, "n_files": len(files), "in": sys.stdin.read()}
    print(json.dumps(facts | {"environment": dict(os.environ)}))
"""


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """Module that prints facts about its process; imported from a folder that only we know."""
    folder = tmp_path / "folder: with \N{EURO SIGN}, 'quotes' and \udcff"
    folder.mkdir()
    (folder / "probe.py").write_text(PROBE)
    monkeypatch.syspath_prepend(os.fspath(folder))
    return lambda: json.loads(child_process.run("probe").stdout)


def test_a_child_imports_from_the_same_folders_but_the_working_directory(probe, monkeypatch):
    monkeypatch.syspath_prepend("")
    monkeypatch.syspath_prepend("relative")
    monkeypatch.syspath_prepend(os.getcwd())
    expected = [entry for entry in sys.path if os.path.isabs(entry) and entry != os.getcwd()]
    assert probe()["path"] == [*expected, os.fspath(PACKAGE.parent)]


def test_a_child_has_its_own_folder_and_no_open_files(probe):
    with open(os.devnull, encoding="utf-8") as file:
        os.set_inheritable(file.fileno(), True)
        facts = probe()
    assert (facts["cwd"], facts["in"], facts["n_files"]) == ("/", "", 3)


def test_the_environment_of_a_child_names_no_relative_folders(probe, monkeypatch):
    for name in ("LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX"):
        monkeypatch.setenv(name, ":tmp:/some/where:.")
    environment = probe()["environment"]
    assert environment["LD_LIBRARY_PATH"] == environment["PYTHONPATH"] == "/some/where"
    assert environment["PYTHONUSERBASE"] == environment["PYTHONPYCACHEPREFIX"] == "/some/where"


def test_a_child_finds_packages_installed_for_the_user(world, tmp_path):
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = tmp_path / "lib" / version / "site-packages"
    site.mkdir(parents=True)
    (site / "audiosearch").symlink_to(PACKAGE)
    (site / "probe.py").write_text(PROBE)
    (site / "hook.pth").write_text("import sys; sys.is_hooked = True")
    code = "from audiosearch import child_process as c; print(c.run('probe').stdout)"
    interpreter = os.path.realpath(sys.executable)  # a virtual environment has no user's packages
    code = f"import sys; sys.path.remove(''); {code}"
    variables = {"PYTHONUSERBASE": str(tmp_path), "PYTHONPATH": ""}
    completed = run_in(world.hostile, [interpreter, "-c", code], **variables)
    assert str(site) in json.loads(completed.stdout)["path"]


def test_the_folder_of_installed_packages_may_be_the_working_directory(monkeypatch):
    for folder in [entry for entry in sys.path if entry.endswith("site-packages")]:
        monkeypatch.chdir(folder)
        assert folder in safe_path()


def test_no_other_module_starts_processes():
    starters = re.compile(
        r"subprocess\.(?!DEVNULL|PIPE|TimeoutExpired|Process\b)\w|create_subprocess|ProcessPool|posix_spawn"
        r"|os\.(system|popen|fork|exec|spawn)"
        r"|(import|from) multiprocessing(?!\.(connection|reduction))"
        r"|from (subprocess|pty) |import pty"
    )
    modules = {file.relative_to(PACKAGE).as_posix(): file for file in PACKAGE.rglob("*.py")}
    starting = {name for name, file in modules.items() if starters.search(file.read_text())}
    assert {name for name in starting if not name.startswith("training/")} == {"child_process.py"}

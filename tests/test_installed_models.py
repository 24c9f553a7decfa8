"""Models that installed packages bring, by entry points of the group `audiosearch.models`."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sounds import melody, write

import audiosearch
from audiosearch import UsageError, WeightsError
from audiosearch.models import registry
from audiosearch.models.installed import all_specs, find_spec, installed_models
from audiosearch.models.specs import SPECS

EXAMPLE = Path(__file__).parents[1] / "examples" / "model_package"
WEIGHTS = EXAMPLE / "audiosearch_bands" / "bands.tflite"
PACKAGES_FOLDER = Path(audiosearch.__file__).parents[1]

SPEC = f"""
from pathlib import Path
from audiosearch.models.spec import ModelSpec, PackagedFile
FILE = PackagedFile("bands.tflite", "MIT", Path({str(WEIGHTS.parent)!r}))
def spec(name, dimension=128, **fields):
    return ModelSpec(name, name, dimension, FILE, **fields)
"""


@pytest.fixture(autouse=True)
def _fresh():
    """Look entry points up again in each test."""
    installed_models.cache_clear()
    yield
    installed_models.cache_clear()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make a package with an entry point, in a folder that Python imports from."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def installed(package, code, target="VALUE"):
        module = f"{package.replace('-', '_')}_{abs(hash(tmp_path))}"
        folder = site / f"{package}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(
            f"[audiosearch.models]\nmodels = {module}:{target}\n"
        )
        (site / f"{module}.py").write_text(SPEC + code)
        importlib.invalidate_caches()  # the folder may have been missing at an earlier import
        return site

    return installed


@pytest.mark.slow
def test_the_example_package_brings_a_model(tmp_path, music):
    """It is installed as users install it, and every command knows its model."""
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(EXAMPLE, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    pip += ["--no-build-isolation", "--target", str(site), str(source)]
    subprocess.run(pip, check=True, capture_output=True)
    variables = os.environ | {"PYTHONPATH": f"{PACKAGES_FOLDER}{os.pathsep}{site}"}

    def run(*arguments, **others):
        command = [sys.executable, "-m", "audiosearch", *map(str, arguments)]
        environment = variables | others
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)

    index = ["--index", tmp_path / "index"]
    added = run("add", music, "--model", "bands", *index)
    assert added.returncode == 0, added.stderr
    assert json.loads(run("info", "--format", "json", *index).stdout)["model"] == "bands"
    status = json.loads(run("model", "status", "--format", "json").stdout)
    assert status["bands_package"] == "audiosearch-bands"
    assert status["bands"] == str(site / "audiosearch_bands" / "bands.tflite")
    clip = write(tmp_path / "clip.wav", melody(seed=4))
    assert len(run("query", clip, *index).stdout.splitlines()) == 5
    assert "FILE.tflite" in run("add", music, "--model", "band", *index).stderr
    # The cache has a copy of the model, so the index outlives the package.
    assert run("query", clip, *index, PYTHONPATH=str(PACKAGES_FOLDER)).returncode == 0


def test_the_example_has_ten_lines_of_code():
    text = (EXAMPLE / "audiosearch_bands" / "__init__.py").read_text()
    assert len(text.splitlines()) <= 10


@pytest.mark.parametrize(
    ("code", "names"),
    [
        pytest.param("VALUE = spec('one')", ["one"], id="a spec"),
        pytest.param("def VALUE(): return spec('one')", ["one"], id="a function with one"),
        pytest.param("def VALUE(): return [spec('a'), spec('b')]", ["a", "b"], id="with several"),
        pytest.param("def VALUE():\n  yield spec('a')\n  yield spec('b')", ["a", "b"], id="yields"),
        pytest.param("VALUE = (spec('a'), spec('b'))", ["a", "b"], id="a tuple"),
        pytest.param("VALUE = ()", [], id="none"),
    ],
)
def test_an_entry_point_is_a_spec_or_several_or_a_function_that_returns_them(install, code, names):
    install("others-models", code)
    assert [(m.package, m.spec.name) for m in installed_models()] == [
        ("others-models", name) for name in names
    ]
    assert list(all_specs()) == [*SPECS, *names]
    for name in names:
        model = registry.resolve(name)
        assert (model.name, model.dimension) == (name, 128)
        assert registry.by_digest(name, model.weights_digest).path.exists()


BROKEN = [
    pytest.param("import nonexistent_package", "No module named", id="import fails"),
    pytest.param("", "has no attribute", id="nothing there"),
    pytest.param("raise SystemExit(3)", "3", id="exits"),
    pytest.param("def VALUE(): raise RuntimeError('one\\ntwo')", "one two", id="two lines"),
    pytest.param("VALUE = 7", "not iterable", id="a number"),
    pytest.param("VALUE = ['vggish']", "not a ModelSpec", id="a name"),
    pytest.param("VALUE = spec('auto')", "'auto' can't be the name", id="auto"),
    pytest.param("VALUE = spec('../x')", "can't be the name", id="a path"),
    pytest.param("VALUE = spec('x.tflite')", "can't be the name", id="a file"),
    pytest.param("VALUE = spec('x', 1)", "has 1 dimensions", id="one dimension"),
    pytest.param("VALUE = spec('x', True)", "dimension can't be True", id="no number"),
    pytest.param("VALUE = spec('x', 128.0)", "dimension can't be 128.0", id="a fraction"),
    pytest.param("VALUE = spec('x', abilities=None)", "abilities can't be None", id="no set"),
    pytest.param("VALUE = spec('x', weights_format=None)", "weights_format", id="no format"),
    pytest.param(
        "from audiosearch.models.weights_format import LiteRtFile\n"
        "VALUE = spec('x', weights_format=LiteRtFile)",
        "weights_format can't be <class",
        id="a class",
    ),
    pytest.param(
        "VALUE = spec('x')._replace(weights=FILE._replace(folder='/models'))",
        "folder can't be '/models' in a PackagedFile",
        id="a folder that is no Path",
    ),
    pytest.param(
        "from audiosearch.models.remote_file import RemoteFile\n"
        "FILE = RemoteFile('X', 'X', 'https://models.example/x', 'abc', '--weights', 1.0, 'MIT')\n"
        "VALUE = spec('x')",
        "'abc' is not a SHA-512 digest",
        id="no digest",
    ),
    pytest.param(
        "from audiosearch.models.remote_file import RemoteFile\n"
        "FILE = RemoteFile('X', 'X', None, 'AB' * 64, '--weights', 1.0, 'MIT')\n"
        "VALUE = spec('x')",
        "published_url can't be None in a RemoteFile",
        id="no address",
    ),
    pytest.param("VALUE = spec('x', front_end='9')", "front end 9", id="another front end"),
]


@pytest.mark.parametrize(("code", "reason"), BROKEN)
def test_a_broken_package_is_named_once_and_breaks_nothing(install, run, music, code, reason):
    install("broken-models", code)
    install("good-models", "VALUE = spec('good')")
    assert run("add", music, "--model", "good", "--no-sounds").exit_code == 0
    result = run("model", "status")
    assert result.exit_code == 0
    assert "good_package\tgood-models" in result.stdout
    installed_models.cache_clear()
    result = run("query", music / "low.wav", "--model", "good")
    (line,) = (line for line in result.stderr.splitlines() if "broken-models" in line)
    assert reason in line
    assert result.exit_code == 0


def test_a_digest_may_be_in_upper_case(install):
    install(
        "remote-models",
        "from audiosearch.models.remote_file import RemoteFile\n"
        "URL = 'https://models.example/x'\n"
        "FILE = RemoteFile('X', 'X', URL, 'AB' * 64, '--weights', 1.0, 'MIT')\n"
        "VALUE = spec('x')",
    )
    (model,) = installed_models()
    assert model.spec.weights.sha512 == "ab" * 64


def test_a_model_whose_file_is_missing_or_does_not_fit_says_so(install, tmp_path):
    install(
        "odd-models",
        "LOST = FILE._replace(name='lost.tflite')\n"
        "VALUE = [spec('odd', 64), spec('lost')._replace(weights=LOST)]",
    )
    with pytest.raises(WeightsError, match="128 dimensions instead of 64"):
        registry.resolve("odd")
    with pytest.raises(WeightsError, match=r"lost\.tflite"):
        registry.resolve("lost")
    assert registry.status()["lost"] is None


def test_the_name_of_a_built_in_model_is_an_error_that_names_the_package(install, run, music):
    install("bad-names", "VALUE = [spec('compact'), spec('fine')]")
    for command in (["add", music, "--model", "compact"], ["model", "path", "--model", "compact"]):
        result = run(*command)
        assert result.exit_code == 2
        assert "bad-names" in result.stderr
    assert run("add", music, "--model", "fine", "--no-sounds").exit_code == 0
    assert find_spec("compact") is SPECS["compact"]
    assert registry.resolve().name == "compact"


def test_two_packages_with_one_name_are_an_error_that_names_both(install):
    install("first-models", "VALUE = spec('same')")
    install("second-models", "VALUE = spec('same')")
    with pytest.raises(UsageError, match="first-models and second-models"):
        registry.resolve("same")
    assert "same" not in all_specs()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["query", "#1"], id="query"),
        pytest.param(["query", "{clip}"], id="query a file"),
        pytest.param(["playlist", "#1"], id="playlist"),
        pytest.param(["list"], id="list"),
        pytest.param(["add", "{clip}"], id="add"),
    ],
)
def test_commands_that_name_no_model_do_not_load_packages(install, run, music, command, tmp_path):
    run("add", music, "--model", "compact", "--no-sounds")
    installed_models.cache_clear()
    install("slow-models", f"open({str(tmp_path / 'mark')!r}, 'w').close()\nVALUE = spec('x')")
    words = [word.format(clip=music / "low.wav") for word in command]
    assert run(*words).exit_code == 0
    assert not (tmp_path / "mark").exists()
    run("model", "status")
    assert (tmp_path / "mark").exists()


def test_packages_in_the_working_directory_are_not_loaded(install, tmp_path):
    site = install("near-models", f"open({str(tmp_path / 'mark')!r}, 'w')\nVALUE = spec('near')")
    command = [sys.executable, "-m", "audiosearch", "model", "status"]
    variables = os.environ | {"PYTHONPATH": f"{PACKAGES_FOLDER}{os.pathsep}."}
    done = subprocess.run(
        command, cwd=site, env=variables, capture_output=True, text=True, check=True
    )
    assert "near" not in done.stdout
    assert not (tmp_path / "mark").exists()

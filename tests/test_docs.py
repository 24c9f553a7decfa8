"""README.md and docs/ are correct: commands parse, options are documented, links resolve."""

from __future__ import annotations

import ast
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer
import typer.main
from PIL import Image

import audiosearch
from audiosearch.cli.app import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "commands.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
WRITTEN_BY_HAND = [README, *(path for path in DOCS if path != COMMANDS)]
CHANGELOG = ROOT / "CHANGELOG.md"
INDEX_README = ROOT / "index" / "README.md"
COMPACT_CARD = ROOT / "audiosearch" / "models" / "compact.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
LINKED = [README, CHANGELOG, CONTRIBUTING, *DOCS, INDEX_README, COMPACT_CARD]

TEST_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"
MAX_README_LINES = 150
MAX_PICTURE_BYTES = {"docs/hero.webp": 400_000, "docs/find.webp": 1_500_000}
MAX_DIFFERENCE = 0.02  # of two similarities, because processors round differently

# Programs other than audiosearch that command lines may start.
OTHER_PROGRAMS = {
    *("beet", "cd", "curl", "export", "git", "milvus-lite", "pip", "pytest", "python", "python3"),
    *("ray", "source", "sqlite3", "xargs", "journalctl", "loginctl", "systemctl"),
}
# Words that the style rules forbid, because readers stumble over them.
FORBIDDEN = re.compile(
    r"\b(?:anew|of itself|as of|not to be had|can be had|at hand|where there is none|whatever)\b"
    r"|\bWhat listens\b|\bWhose colors\b|\bis no range\b|\btakes what it takes\b",
    re.IGNORECASE,
)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
OPTION = re.compile(r"--[a-z][a-z-]*|-[a-zA-Z0]")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose_of(path: Path) -> str:
    return FENCE.sub("", text_of(path))


def blocks_of(path: Path, language: str) -> list[str]:
    return [code for tag, code in FENCE.findall(text_of(path)) if tag == language]


# Commands and their options


@dataclass(frozen=True)
class Option:
    """An option of a command: the names that set it, and the names that turn it off."""

    command: str
    names: tuple[str, ...]
    off_names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.command} {self.names[0]}".strip()


def command_tree(command=None, name="") -> Iterator[tuple[str, object]]:
    """Yield the name and the parser of each command that isn't hidden, groups included."""
    command = command or typer.main.get_command(app)
    yield name, command
    for part, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from command_tree(child, f"{name} {part}".strip())


PARSERS = dict(command_tree())
OPTIONS = [
    Option(name, tuple(parameter.opts), tuple(parameter.secondary_opts))
    for name, command in PARSERS.items()
    for parameter in command.params
    if parameter.param_type_name == "option" and not parameter.hidden
]
OPTION_NAMES = {name for option in OPTIONS for name in option.names + option.off_names}
OPTION_NAMES |= {"-h", "--help"}


def parse(arguments: list[str], *, may_lack_arguments: bool = False) -> None:
    """Parse a command line of audiosearch without running it. The parser's errors are raised."""
    if arguments in (["--install-completion"], ["--show-completion"]):
        return  # the parser itself would install it
    command, context = typer.main.get_command(app), None
    try:
        while True:
            context = command.make_context(command.name, list(arguments), parent=context)
            rest = [*getattr(context, "_protected_args", []), *context.args]
            if not hasattr(command, "commands") or not rest:
                return
            _, command, arguments = command.resolve_command(context, rest)
    except typer.Exit:  # --help, --version
        return
    except typer.TyperException as exc:
        if not (may_lack_arguments and type(exc).__name__ == "MissingParameter"):
            raise


def simple_commands(line: str) -> Iterator[list[str]]:
    """Split a shell line at &&, ; and |, and yield the commands without their variables."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;"):
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                yield words
            words = []
        else:
            words.append(word)


def shell_lines(path: Path) -> list[str]:
    text = "\n".join(blocks_of(path, "bash")).replace("\\\n", " ")
    return [line for line in text.split("\n") if line.strip()]


SHELL_LINES = [
    pytest.param(line, id=f"{name_of(path)}: {line}")
    for path in WRITTEN_BY_HAND
    for line in shell_lines(path)
]
SPANS = sorted({span for path in WRITTEN_BY_HAND for span in SPAN.findall(prose_of(path))})
SPANS_OF_COMMANDS = [
    span for span in SPANS if span.split()[0] == "audiosearch" or span.split()[0] in PARSERS
]
SPANS_OF_OPTIONS = [span for span in SPANS if OPTION.fullmatch(span.split()[0])]


@pytest.mark.parametrize("line", SHELL_LINES)
def test_a_command_line_is_valid(line):
    for program, *arguments in simple_commands(line):
        if Path(program).name == "audiosearch":
            parse(arguments)
        elif Path(program).name in {"pip", "pipx", "uv"}:
            check_install(arguments)
        elif Path(program).name.startswith("python") and arguments[0].endswith(".py"):
            check_script(*arguments)
        else:
            assert Path(program).name in OTHER_PROGRAMS


def check_install(arguments: list[str]) -> None:
    """Check that the extras in a pip command exist."""
    section = text_of(ROOT / "pyproject.toml").partition("[project.optional-dependencies]")[2]
    extras = set(re.findall(r"^(\w+) = \[", section.partition("\n[")[0], re.MULTILINE))
    for argument in arguments:
        named = re.fullmatch(r"\.\[([\w,]+)\]", argument)
        assert not named or set(named[1].split(",")) <= extras


def check_script(script: str, *arguments: str) -> None:
    """Check that a script of this repository exists and has the given options."""
    code = text_of(ROOT / script)
    for argument in arguments:
        assert not argument.startswith("--") or f'"{argument}"' in code


@pytest.mark.parametrize("span", SPANS_OF_COMMANDS)
def test_a_command_in_a_sentence_is_valid(span):
    (words,) = simple_commands(span)
    parse(words[1:] if words[0] == "audiosearch" else words, may_lack_arguments=True)


@pytest.mark.parametrize("span", SPANS_OF_OPTIONS)
def test_an_option_in_a_sentence_exists(span):
    assert OPTION_NAMES.issuperset(word for word in span.split() if OPTION.fullmatch(word))


@pytest.mark.parametrize(
    "span", [s for s in SPANS if s.startswith("python ") and ".py" in s and "-c" not in s]
)
def test_a_script_in_a_sentence_exists(span):
    _, *arguments = shlex.split(span)
    check_script(*arguments)


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["no-such-command"], ["query", "-k"]])
def test_mistakes_in_command_lines_are_detected(arguments):
    with pytest.raises(typer.TyperException):
        parse(arguments)


# Every command and option is documented


def section_of_help(command: str) -> str:
    """Return the part of docs/commands.md about a command."""
    heading = f"## audiosearch {command}".rstrip() + "\n"
    text = text_of(COMMANDS)
    assert heading in text
    return text.partition(heading)[2].partition("\n## ")[0]


@pytest.mark.parametrize("command", PARSERS)
def test_a_command_has_its_section_in_the_reference(command):
    usage = f"Usage: audiosearch {command}".rstrip() + " [OPTIONS]"
    assert usage in section_of_help(command)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_an_option_is_in_the_reference(option):
    section = section_of_help(option.command)
    for name in option.names:  # the help breaks long names over lines, but not these
        assert re.search(rf"(?<![\w-]){name}(?![\w-])", section)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_an_option_is_explained_in_a_guide(option):
    command = rf"(?<![\w-]){option.command}(?![\w-])"
    pages = [text for text in map(text_of, WRITTEN_BY_HAND) if re.search(command, text)]

    def is_explained(names: tuple[str, ...]) -> bool:
        return any(re.search(rf"(?<![\w-]){n}(?![\w-])", page) for n in names for page in pages)

    assert is_explained(option.names)
    assert not option.off_names or is_explained(option.off_names)


def test_the_reference_equals_the_output_of_help():
    check = [sys.executable, "-m", "cogapp", "--check", name_of(COMMANDS)]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, "run `poe format`"


@pytest.mark.parametrize(
    "variable",
    sorted(
        {
            name
            for path in (ROOT / "audiosearch").rglob("*.py")
            for name in re.findall(r"AUDIOSEARCH_[A-Z0-9_]+\b", text_of(path))
            if not name.endswith("_")
        }
    ),
)
def test_an_environment_variable_is_documented(variable):
    assert f"`{variable}`" in text_of(ROOT / "docs" / "guide.md")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in audiosearch.__all__
        if not (
            isinstance(getattr(audiosearch, name), type)
            and issubclass(getattr(audiosearch, name), audiosearch.AudiosearchError)
        )
    ],
)
def test_a_public_name_is_documented(name):
    assert f"`{name}`" in text_of(ROOT / "docs" / "guide.md")


# Claims of README.md


def test_the_readme_is_short():
    assert len(text_of(README).splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize(
    "line",
    ["git clone REPOSITORY_URL audiosearch", "pipx install .", "uv tool install .", TEST_COMMAND],
)
def test_the_readme_shows_the_first_steps(line):
    assert line in text_of(README)


def pictures_in(document: Path) -> list[str]:
    """Return the addresses of a document's pictures that have a text in their place."""
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text_of(document))


def test_the_readme_has_small_pictures():
    assert pictures_in(README) == list(MAX_PICTURE_BYTES)
    for picture, n_bytes in MAX_PICTURE_BYTES.items():
        assert (ROOT / picture).stat().st_size < n_bytes


def test_the_document_of_the_page_shows_it():
    (picture,) = pictures_in(ROOT / "docs" / "http.md")
    assert f"docs/{picture}" in MAX_PICTURE_BYTES


@pytest.mark.long
def test_the_pictures_are_made_by_a_script(tmp_path):
    script = ROOT / "docs" / "make_pictures.py"
    subprocess.run([sys.executable, script, "--folder", tmp_path, "--sounds", "40"], check=True)
    sizes = []
    for picture in MAX_PICTURE_BYTES:
        with Image.open(tmp_path / Path(picture).name) as image:
            sizes.append((image.size, image.n_frames > 1))
    assert sizes == [((2880, 1800), False), ((960, 600), True)]


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_the_readme_links_to_a_document(path):
    assert f"({name_of(path)})" in text_of(README)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A folder in which `audiosearch demo` was run."""
    from audiosearch.demo import write_sounds

    folder = tmp_path_factory.mktemp("demo")
    write_sounds(folder / "audiosearch-demo")
    sounds = folder / "audiosearch-demo" / "sounds"
    audiosearch.add(folder / "audiosearch-demo" / "index", [sounds], model="compact")
    return folder


def on_a_terminal(arguments: list[str], folder: Path) -> str:
    """Run audiosearch on a terminal of 80 columns, and return its output."""
    import pty  # missing in some tests

    master, slave = pty.openpty()
    environment = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    with open(master, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "audiosearch", *arguments],
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=subprocess.PIPE,
        )
        os.close(slave)
        printed = b""
        while True:
            try:
                block = screen.read(65_536)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            printed += block
        _, messages = process.communicate(timeout=60)
    assert process.returncode == 0, messages
    return printed.decode()


def hits_in(listing: str) -> list[tuple[str, float, str, str, str]]:
    """Parse a list of hits: return the rank, similarity, ID, tags and path of each."""
    hit = re.compile(r"^(\d+) +(\d\.\d+) +(#\d+) +(.+?) +\d\.\d\d s\n +(\S+)$", re.MULTILINE)
    found = hit.findall(listing.replace("\r", ""))
    return [(rank, float(similarity), *rest) for rank, similarity, *rest in found]


@pytest.mark.posix
def test_the_readme_shows_real_output_of_query(tmp_path):
    (line,) = [line for line in shell_lines(README) if "audiosearch-demo" in line]
    on_a_terminal(["demo"], tmp_path)
    printed = on_a_terminal(shlex.split(line)[1:], tmp_path)
    (shown,) = blocks_of(README, "text")
    hits, expected = hits_in(printed), hits_in(shown)
    assert len(expected) == 5
    for (rank, similarity, *rest), (shown_rank, shown_similarity, *shown_rest) in zip(
        hits, expected, strict=True
    ):
        assert (rank, rest) == (shown_rank, shown_rest)
        assert abs(similarity - shown_similarity) < MAX_DIFFERENCE


# Python, links, formats, words

PYTHON_BLOCKS = [
    pytest.param(code, id=f"{name_of(path)} {number}")
    for path in [README, *DOCS]
    for number, code in enumerate(blocks_of(path, "python"), start=1)
]


@pytest.mark.parametrize("code", PYTHON_BLOCKS)
def test_a_python_example_compiles_and_its_imports_exist(code):
    compile(code, "example", "exec")
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("audiosearch"):
            for alias in node.names:
                assert hasattr(import_module(node.module), alias.name)


@pytest.mark.parametrize("number", range(len(blocks_of(ROOT / "docs" / "guide.md", "python"))))
def test_a_python_example_of_the_guide_runs(number, demo):
    code = blocks_of(ROOT / "docs" / "guide.md", "python")[number]
    run = [sys.executable, "-c", code]
    result = subprocess.run(run, cwd=demo, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "bell/bell-3.wav" in result.stdout


def slugs_of(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = HEADING.findall(prose_of(path))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize(
    ("path", "target"),
    [
        pytest.param(path, target, id=f"{name_of(path)}: {target}")
        for path in filter(Path.exists, LINKED)
        for target in dict.fromkeys(LINK.findall(prose_of(path)))
        if not target.startswith(("http:", "https:", "mailto:"))
    ],
)
def test_a_link_resolves(path, target):
    file, _, anchor = unquote(target).partition("#")
    linked = (path.parent / file).resolve() if file else path
    assert linked.exists()
    assert linked.is_relative_to(ROOT)
    assert not anchor or anchor in slugs_of(linked)


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_a_document_begins_with_a_summary(path):
    title, blank, opening, *_ = text_of(path).split("\n")
    assert title.startswith("# ")
    assert not blank
    assert re.match(r"[A-Z`]", opening)


@pytest.mark.parametrize("path", [*WRITTEN_BY_HAND, CHANGELOG, INDEX_README], ids=name_of)
def test_a_document_has_no_forbidden_words(path):
    assert FORBIDDEN.findall(SPAN.sub("", prose_of(path))) == []


def test_the_changelog_begins_with_the_current_version():
    assert HEADING.findall(text_of(CHANGELOG))[1] == audiosearch.__version__


def test_every_table_and_column_of_the_database_is_documented(demo):
    text = text_of(ROOT / "docs" / "index-format.md")
    database = sqlite3.connect(demo / "audiosearch-demo" / "index" / "audiosearch.db")
    query = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
    columns = database.execute(f"{query} WHERE m.type = 'table'").fetchall()
    settings = database.execute("SELECT key FROM settings").fetchall()
    database.close()
    names = {n for table, column in columns for n in (table, column) if not table.startswith("sql")}
    names -= {name for table, name in columns if table.startswith("_sqlite")}
    names |= {name for (name,) in settings}
    assert {
        name for name in names if f"`{name}`" not in text and f"### {name}\n" not in text
    } == set()


def test_every_path_and_field_of_the_http_interface_is_documented(demo):
    web = pytest.importorskip("audiosearch.web")
    text = text_of(ROOT / "docs" / "http.md")
    description = web.create_app(demo / "audiosearch-demo" / "index").openapi()
    shown = {(method, path) for method, path in re.findall(r"`([A-Z]+) (/api/\S+)`", text)}
    actual = {
        (method.upper(), path)
        for path, methods in description["paths"].items()
        for method in methods
    }
    assert shown == actual
    fields = set()
    for methods in description["paths"].values():
        for operation in methods.values():
            fields |= {p["name"] for p in operation.get("parameters", [])}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schema = content["schema"]
                name = (schema.get("$ref") or schema["allOf"][0]["$ref"]).rpartition("/")[2]
                fields |= set(description["components"]["schemas"][name]["properties"])
    assert {name for name in fields if name not in text} == set()

"""The process as a shell sees it: standard streams, Ctrl-C and exit statuses."""

import os
import signal
import subprocess
import sys

import pytest
from tracks import SPEC, some_track, unit

from audiosearch import Index

# Prepares a process in which a module, once it is imported, does something first.
HOOK = """
import os, signal, sys, importlib.abc
class Hook(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {action}
sys.meta_path.insert(0, Hook())
sys.argv = ["audiosearch", *sys.argv[1:]]
from audiosearch.__main__ import main
main()
"""
INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"


@pytest.fixture
def tracks():
    """An index in the current folder."""
    with Index("index", spec=SPEC) as index:
        index.add_all((some_track(number), unit()) for number in range(200))


def audiosearch(*arguments, **options):
    command = [sys.executable, "-m", "audiosearch", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, **options)


def audiosearch_with(redirections, *arguments):
    """Run audiosearch with a shell's redirections, such as ">&-", which closes standard output."""
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh"]
    command += [sys.executable, "-m", "audiosearch", *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def hooked(module, action, *arguments):
    """Run audiosearch in a process that runs some code when it imports a module."""
    code = HOOK.format(module=module, action=action)
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.fixture
def _is_interruptible():
    """A shell starts background jobs with SIGINT ignored, and children inherit that."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


OUTPUTS = [
    pytest.param(["list"], id="a table"),
    pytest.param(["list", "--format", "json"], id="JSON"),
    pytest.param(["list", "-0"], id="paths"),
    pytest.param(["--help"], id="help"),
    pytest.param(["--version"], id="the version"),
]


@pytest.mark.parametrize("arguments", OUTPUTS)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a full device")
def test_a_full_disk_is_a_sentence(tracks, arguments):
    with open("/dev/full", "wb") as full:
        result = audiosearch(*arguments, stdout=full)
    assert result.returncode == 1
    assert result.stderr.startswith(b"error: Can't write the output: the disk is full.\nhint: ")
    assert result.stderr.count(b"\n") == 2


@pytest.mark.parametrize("arguments", OUTPUTS)
def test_a_closed_standard_output_is_a_sentence(tracks, arguments):
    result = audiosearch_with(">&-", *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith(b"error: Can't write the output: standard output is closed.\n")
    assert result.stderr.count(b"\n") == 2


def test_a_closed_standard_output_is_no_error_if_nothing_is_written(tracks):
    result = audiosearch_with(">&-", "remove", "#1")
    assert (result.returncode, result.stderr) == (0, b"1 track removed\n")


@pytest.mark.parametrize("arguments", OUTPUTS)
def test_a_closed_pipe_is_quiet_and_has_the_status_of_sigpipe(tracks, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    result = audiosearch(*arguments, stdout=writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"], ids=["standard error", "all"])
def test_closed_standard_streams_leave_the_index_intact(tracks, closed):
    audiosearch_with(closed, "remove", "#1")
    with Index("index") as index:
        assert index.n_tracks == 199


@pytest.mark.parametrize(
    "module",
    [
        "audiosearch.cli",
        "typer",
        "audiosearch.cli.options",
        "audiosearch.library.index",
        "sqlite3",
        "numpy",
        "faiss",
    ],
)
@pytest.mark.usefixtures("_is_interruptible")
def test_ctrl_c_during_an_import_is_quiet(tracks, module):
    result = hooked(module, INTERRUPT, "query", "#1")
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"")


AT_EXIT = f"import atexit; atexit.register(lambda: {INTERRUPT})"
LOST = [
    pytest.param(f"try: {INTERRUPT}; 1\n            except BaseException: pass", id="a handler"),
    pytest.param(f"type('T', (), dict(__del__=lambda _: ({INTERRUPT}, 1)))()", id="a destructor"),
    pytest.param(
        f"try: {INTERRUPT}; 1\n            except BaseException: raise OSError('other')",
        id="another error",
    ),
]


@pytest.mark.parametrize("action", LOST)
@pytest.mark.usefixtures("_is_interruptible")
def test_ctrl_c_counts_even_if_a_library_loses_it(tracks, action):
    result = hooked("numpy", action, "query", "#1")
    assert (result.returncode, result.stderr) == (130, b"")


@pytest.mark.usefixtures("_is_interruptible")
def test_ctrl_c_after_the_answer_is_quiet(tracks):
    result = hooked("numpy", AT_EXIT, "query", "#1", "-k", "1")
    assert (result.returncode, result.stderr) == (130, b"")
    assert result.stdout.count(b"\n") == 1


WARNINGS = [
    pytest.param("import warnings; warnings.warn('noise')", id="warnings"),
    pytest.param("print('noise', file=sys.stderr)", id="print"),
    pytest.param("import logging; logging.getLogger('library').warning('noise')", id="logging"),
    pytest.param("os.write(2, b'noise')", id="C"),
]


@pytest.mark.parametrize("action", WARNINGS)
def test_warnings_of_libraries_do_not_reach_the_terminal(tracks, action):
    result = hooked("numpy", action, "query", "#1", "-k", "1")
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_bug_keeps_its_traceback(tracks):
    result = hooked("numpy", "raise ZeroDivisionError", "query", "#1")
    assert result.returncode == 1
    assert result.stderr.startswith(b"Traceback")
    assert b"ZeroDivisionError" in result.stderr

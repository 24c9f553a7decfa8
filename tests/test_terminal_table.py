"""Tables on terminals of different widths."""

import pytest
from rich.cells import cell_len

from audiosearch.cli.output import Format, show_rows
from audiosearch.cli.terminal_table import print_table

COLUMNS = ("rank", "similarity", "id", "title", "artist", "album", "seconds", "path")
SONG = {
    "rank": 1,
    "similarity": 0.9512,
    "id": 12,
    "title": "Symphony No. 9 in D minor, Op. 125",
    "artist": "Berliner Philharmoniker",
    "album": "Nine Symphonies",
    "seconds": 1_462.3,
    "path": "/home/me/Music/Berliner Philharmoniker/Nine Symphonies/04 Presto.flac",
}
SAMPLE = {
    **dict.fromkeys(COLUMNS),
    "rank": 2,
    "similarity": 0.5,
    "id": 3,
    "seconds": 0.284,
    "path": "/samples/kick.wav",
}


@pytest.fixture
def show(monkeypatch, capsys):
    """Print rows at a width, and return the lines."""

    def lines(width, rows, columns=COLUMNS):
        monkeypatch.setenv("COLUMNS", str(width))
        print_table(rows, columns)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return lines


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_path_is_readable_at_any_width(show, width):
    lines = show(width, [SONG, SAMPLE])
    assert all(cell_len(line) <= width for line in lines)
    assert any(line.endswith("/04 Presto.flac") for line in lines)
    assert any(line.endswith("/samples/kick.wav") for line in lines)


def test_a_narrow_terminal_has_two_lines_per_row(show):
    assert show(40, [SONG, SAMPLE]) == [
        "1  0.951  #12  Symphony No. 9 i…   24:22",
        "  …/Nine Symphonies/04 Presto.flac",
        "2  0.500   #3  kick.wav           0.28 s",
        "  /samples/kick.wav",
    ]


def test_a_track_without_a_title_has_its_file_name_before_its_other_tags(show):
    lines = show(60, [SONG, SAMPLE | {"artist": "Mira"}])
    assert lines[2].split("  ")[3] == "kick.wav · Mira"


def test_rows_that_are_too_narrow_to_align_keep_every_value(show):
    copies = [
        {"relation": "partial", "id": 12, "format": "mp3", "seconds": 4.0, "size": 65_400},
        {"relation": "same", "id": 3, "format": "adpcm_ima_wav", "seconds": 83.0, "size": 9_000},
    ]
    rows = [{**copy, "path": "/music/Nine Symphonies/04 Presto.flac"} for copy in copies]
    assert show(40, rows, tuple(rows[0]))[::2] == [
        "partial  #12  mp3  4.00 s  65.4 kB",
        "same  #3  adpcm_ima_wav  1:23  9.0 kB",
    ]


def test_a_wide_terminal_has_one_line_per_row_under_a_header(show):
    header, _, first, second = filter(None, show(200, [SONG, SAMPLE]))
    assert header.split() == [*COLUMNS]
    assert first.split()[:3] == ["1", "0.951", "12"]
    assert first.endswith(SONG["path"])
    assert second.split() == ["2", "0.500", "3", "0.28", "s", "/samples/kick.wav"]


def test_a_file_name_that_is_too_long_for_a_line_wraps_and_is_not_cut(show):
    name = " ".join(f"word{number}" for number in range(12)) + ".flac"
    _, *lines = show(40, [SONG | {"path": f"/music/{name}"}])
    assert " ".join(line.strip() for line in lines) == f"…/{name}"


def test_wide_characters_count_as_two_columns(show):
    song = SONG | {"title": "さんぽ" * 8, "path": f"/{'音楽' * 6}/{'となり' * 4}.mp3"}
    lines = show(40, [song])
    assert all(cell_len(line) <= 40 for line in lines)
    assert lines[1].endswith(f"/{'となり' * 4}.mp3")


def test_a_long_reason_has_a_line_of_its_own(show):
    row = {"reason": "it contains no audio that can be decoded", "path": "/music/bad.mp3"}
    assert show(50, [row], ("reason", "path")) == [f"  {row['reason']}", f"  {row['path']}"]


def test_unknown_lengths_are_empty_and_sizes_have_units(show):
    row = {"id": 1, "seconds": 0.0, "size": 31_234_567, "path": "/a.wav"}
    assert show(80, [row], tuple(row))[3].split() == ["1", "31.2", "MB", "/a.wav"]


def test_a_table_without_rows_is_not_shown(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    show_rows([], key="tracks", columns=("id", "path"), output=Format.TABLE)
    assert capsys.readouterr().out == ""

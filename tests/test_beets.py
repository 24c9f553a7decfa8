"""The plugin of beets: similar items, and an index that follows the library."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from beets_library import SOURCE, BeetsLibrary, write_songs
from sounds import melody, tone, write

from audiosearch import Index, add
from audiosearch.ingest import add as ingest_add
from audiosearch.ingest.plan import states
from audiosearch.library.file_state import State
from audiosearch.library.sqlite import connection
from audiosearch.maintenance.files import relocate

N_SONGS = 100


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> BeetsLibrary:
    """A library of 100 songs, imported with the plugin. Tests don't change it."""
    folder = tmp_path_factory.mktemp("beets")
    library = BeetsLibrary(folder / "beets")
    write_songs(folder / "new", N_SONGS)
    assert library.run("import", folder / "new").code == 0
    return library


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> BeetsLibrary:
    """A library of four songs, imported with the plugin."""
    folder = tmp_path_factory.mktemp("small")
    library = BeetsLibrary(folder / "beets")
    write_songs(folder / "new", 4, seconds=0.5)
    assert library.run("import", folder / "new").code == 0
    return library


def copy_of(original: BeetsLibrary, folder: Path) -> BeetsLibrary:
    shutil.copytree(original.folder, folder)
    library = BeetsLibrary(folder)
    with Index(library.index) as index:
        relocate(index, original.music, library.music)
    return library


@pytest.fixture
def small(original: BeetsLibrary, tmp_path: Path) -> BeetsLibrary:
    """A copy of it for each test."""
    return copy_of(original, tmp_path / "beets")


@pytest.fixture
def no_embedding(monkeypatch: pytest.MonkeyPatch):
    """Return a function after which nothing may be embedded."""

    def refuse(_index, results, _runtimes) -> None:
        assert not results

    return lambda: monkeypatch.setattr(ingest_add, "store_embedded", refuse)


def paths_of(library: BeetsLibrary, *query: str) -> list[str]:
    return [os.fsdecode(item.path) for item in library.items(*query)]


def tracks_of(library: BeetsLibrary, location: object = None) -> dict[str, int]:
    """Return the ids of the tracks in the index by path."""
    with Index(location or library.index) as index:
        return {track.path: track.id for track in index}


def assert_current(library: BeetsLibrary) -> None:
    """Check that the index holds the items of a library as they are, and nothing else."""
    paths = paths_of(library)
    assert sorted(tracks_of(library)) == sorted(paths)
    assert {state for _, state in states(library.index, paths)} <= {State.UNCHANGED}


# Import


def test_imported_items_are_in_the_index(full):
    assert len(full.items()) == N_SONGS
    assert_current(full)


def test_sounds_of_imported_items_are_attributes(full):
    with Index(full.index) as index:
        for item in full.items():
            track = index.resolve(os.fsdecode(item.path))
            assert item.get("sounds", []) == [sound.name for sound in track.sounds]
            assert format(item, "$sounds") == ("; ".join(s.name for s in track.sounds) or "$sounds")


def test_items_are_found_by_their_sounds(full):
    with Index(full.index) as index:
        expected = {t.path for t in index if any("music" in s.name.lower() for s in t.sounds)}
    assert 0 < len(expected) < N_SONGS
    assert set(full.run("ls", "-p", "sounds:music").lines) == expected


@pytest.mark.parametrize(
    "settings",
    [pytest.param("  auto: no\n", id="auto"), pytest.param("  sounds: no\n", id="sounds")],
)
def test_automatic_work_can_be_switched_off(tmp_path, settings):
    library = BeetsLibrary(tmp_path / "beets", settings)
    write_songs(tmp_path / "new", 2, seconds=0.5)
    library.run("import", tmp_path / "new")
    assert library.index.exists() == ("auto" not in settings)
    assert not any("sounds" in item for item in library.items())


def test_the_library_is_embedded_by_a_command(tmp_path):
    library = BeetsLibrary(tmp_path / "beets", "  auto: no\n")
    write_songs(tmp_path / "new", 3, seconds=0.5)
    library.run("import", tmp_path / "new")
    assert "1 added" in library.run("audiosearch", "title:Song 1").stderr
    output = library.run("audiosearch")
    assert "2 added" in output.stderr
    assert "1 unchanged" in output.stderr
    assert_current(library)
    assert all("sounds" in item for item in library.items())


def test_a_damaged_file_is_imported_and_named(tmp_path):
    library = BeetsLibrary(tmp_path / "beets")
    first, _ = write_songs(tmp_path / "new", 2, seconds=0.5)
    first.write_bytes(first.read_bytes()[:600] + bytes(4000))
    output = library.run("import", tmp_path / "new")
    assert output.code == 0
    assert "Song 0.flac" in output.stderr
    assert len(library.items()) == 2
    assert sorted(tracks_of(library)) == paths_of(library, "title:Song 1")
    again = library.run("audiosearch")
    assert "1 failed" in again.stderr
    assert "1 unchanged" in again.stderr
    assert "1 failed" in library.run("audiosearch", "--retry").stderr


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda library: library.index.write_text("a file"), id="no folder"),
        pytest.param(
            lambda library: (
                add(library.index, write(library.folder / "a.wav", tone()))
                and library.configure("  model: vggish")
            ),
            id="another model",
        ),
    ],
)
def test_a_bad_index_doesnt_fail_the_import(tmp_path, spoil):
    library = BeetsLibrary(tmp_path / "beets")
    spoil(library)
    write_songs(tmp_path / "new", 2, seconds=0.5)
    output = library.run("import", tmp_path / "new")
    assert output.code == 0
    assert len(library.items()) == 2
    assert "beet audiosearch" in output.stderr


def test_a_locked_index_doesnt_fail_the_import(small, tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "_BUSY_SECONDS", 0.1)
    write_songs(tmp_path / "more", 5, first=20, seconds=0.5)
    with Index(small.index) as index, index.transaction():
        index.storage.set_settings({"a": "b"})
        output = small.run("import", tmp_path / "more")
    assert output.code == 0
    assert len(small.items()) == 9
    assert "beet audiosearch" in output.stderr


# Similar items


@pytest.mark.parametrize(
    ("arguments", "query", "options"),
    [
        pytest.param(["title:Song 31"], ["title:Song 31"], [], id="one item"),
        pytest.param(["album:LP 3"], ["album:LP 3"], [], id="several items"),
        pytest.param(["LP 3", ",", "Song 77"], ["LP 3", ",", "Song 77"], [], id="alternatives"),
        pytest.param(["-n", "3", "id:5"], ["id:5"], ["-k", "3"], id="number"),
        pytest.param(["-k", "30", "id:5"], ["id:5"], ["-k", "30"], id="number as in query"),
        pytest.param(
            ["--min-similarity", "0.8", "-n", "50", "id:5"],
            ["id:5"],
            ["--min-similarity", "0.8", "-k", "50"],
            id="least similarity",
        ),
    ],
)
def test_similar_items_are_the_hits_of_query(full, run, arguments, query, options):
    output = full.run("soundslike", "-p", *arguments)
    hits = run(
        "query", *paths_of(full, *query), "--index", full.index, "--format", "paths", *options
    )
    assert output.lines == hits.stdout.splitlines()
    assert output.lines


def test_items_are_unlike_those_of_another_query(full, run):
    output = full.run("soundslike", "-p", "id:5", "--unlike", "id:9", "--unlike", "'LP 4'")
    unlike = [word for path in paths_of(full, "id:9", ",", "LP 4") for word in ("--unlike", path)]
    hits = run(
        *("query", *paths_of(full, "id:5"), *unlike, "--index", full.index, "--format", "paths")
    )
    assert output.lines == hits.stdout.splitlines()


@pytest.mark.parametrize("name", ["{}/clip.wav", "./clip.wav"])
def test_a_file_outside_the_library_is_a_clip(full, run, name):
    clip = write(Path("clip.wav"), melody(1.0, seed=42))
    output = full.run("soundslike", "-p", name.format(Path.cwd()))
    hits = run("query", clip, "--index", full.index, "--format", "paths")
    assert output.lines == hits.stdout.splitlines()
    assert "Song 42" in output.lines[0]


def test_a_file_in_the_library_is_its_item(full):
    (path,) = paths_of(full, "title:Song 42")
    output = full.run("soundslike", "-p", path)
    assert path not in output.lines
    assert output.lines == full.run("soundslike", "-p", "title:Song 42").lines


def test_items_are_printed_as_beets_prints_them(full):
    paths = full.run("soundslike", "-p", "id:5").lines
    plain = full.run("soundslike", "id:5").lines
    assert plain == [full.run("ls", f"path:{path}").lines[0] for path in paths]
    formatted = full.run("soundslike", "-f", "$similarity $genres $title", "id:5").lines
    similarities = [float(line.split()[0]) for line in formatted]
    assert similarities == sorted(similarities, reverse=True)
    assert re.fullmatch(r"0\.\d{3} \w+ Song \d+", formatted[0])


def test_similarity_is_not_stored(full):
    full.run("soundslike", "-f", "$similarity", "id:5")
    assert not any("similarity" in item for item in full.items())


@pytest.mark.parametrize(
    "among", ["genres:Jazz", "genres:jazz sounds:telephone", "id:80..", "'Song 1'"]
)
def test_items_match_another_query(full, among):
    ranking = full.run("soundslike", "-p", "-n", "1000", "id:5").lines
    allowed = paths_of(full, *shlex.split(among))
    output = full.run("soundslike", "-p", "-n", "7", "--among", among, "id:5")
    assert output.lines == [path for path in ranking if path in allowed][:7]
    assert len(output.lines) == 7


def test_tracks_outside_the_library_dont_count(small, tmp_path):
    add(small.index, [write(tmp_path / f"{i}.wav", melody(0.5, seed=i)) for i in range(4)])
    output = small.run("soundslike", "-p", "-n", "3", "title:Song 0")
    assert sorted(output.lines) == [p for p in sorted(paths_of(small)) if "Song 0" not in p]


def test_items_that_the_index_lacks_are_left_out(small, tmp_path):
    (track,) = [path for path in tracks_of(small) if "Song 2" in path]
    with Index(small.index) as index:
        index.remove([index.resolve(track)])
    output = small.run("soundslike", "-p", "title:Song 1", ",", "title:Song 2")
    assert "1 of 2 matching tracks" in output.stderr
    assert len(output.lines) == 2
    output = small.run("soundslike", "title:Song 2")
    assert (output.code, output.stdout) == (1, "")
    assert "beet audiosearch" in output.stderr


def test_a_folder_of_music_may_be_a_link(tmp_path):
    """The index may know the files by their real paths."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "beets").mkdir()
    (tmp_path / "beets" / "music").symlink_to(real)
    library = BeetsLibrary(tmp_path / "beets", "  auto: no\n")
    write_songs(tmp_path / "new", 4, seconds=0.5)
    library.run("import", tmp_path / "new")
    add(library.index, real, model="compact")
    before = tracks_of(library)
    assert len(library.run("soundslike", "title:Song 0").lines) == 3
    library.configure("  auto: no\n", "paths: {default: sorted/$title}")
    library.run("move")
    assert sorted(tracks_of(library).values()) == sorted(before.values())
    assert len(library.run("soundslike", "title:Song 0").lines) == 3
    library.run("remove", "-f", "title:Song 1")
    assert len(tracks_of(library)) == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param([], "Enter a query", id="no query"),
        pytest.param(["no such song"], "No track in the library matches no such song", id="query"),
        pytest.param(["id:5", "--unlike", "no such song"], "No track in the library", id="unlike"),
        pytest.param(["id:5", "-n", "0"], "-k 10", id="number"),
        pytest.param(["id:5", "-m", ""], "name of the playlist is empty", id="empty name"),
        pytest.param(["year:x"], "invalid query", id="invalid query"),
        pytest.param(["id:5", "--among", "year:x"], "invalid query", id="invalid among"),
        pytest.param(["id:5", "--unlike", "a 'b"], "quotation", id="open quotation"),
    ],
)
def test_a_bad_request_is_explained(full, arguments, sentence):
    output = full.run("soundslike", *arguments)
    assert (output.code, output.stdout) == (1, "")
    assert sentence in output.stderr


def test_a_missing_index_is_explained(tmp_path):
    output = BeetsLibrary(tmp_path / "beets").run("soundslike", "id:1")
    assert output.code == 1
    assert "Run `beet audiosearch`" in output.stderr


def test_hints_name_settings_and_the_index_of_beets(small):
    (small.index / "audiosearch.db").write_bytes(b"no database" * 1_000)
    damaged = small.run("soundslike", "id:1")
    assert f"`audiosearch doctor --repair --index {small.index}`" in damaged.stderr
    small.configure("  index: other")
    text = (small.folder / "config.yaml").read_text()
    (small.folder / "config.yaml").write_text(text.replace("model: compact", "model: nonsense"))
    unknown = small.run("audiosearch")
    assert "`model` in the section `audiosearch` of `beet config -e` takes" in unknown.stderr
    for output in (damaged, unknown):
        assert output.code == 1
        assert "--model" not in output.stderr
        assert "--index DIR" not in output.stderr


def test_nothing_similar_is_said(full):
    output = full.run("soundslike", "id:5", "--min-similarity", "0.9999")
    assert (output.code, output.stdout) == (0, "")
    assert "No other track" in output.stderr


# Playlists


def test_a_playlist_is_written(full, tmp_path):
    hits = full.run("soundslike", "-p", "-n", "3", "id:5").lines
    output = full.run("soundslike", "-n", "3", "-m", "like five", "id:5")
    assert output.stdout == ""
    lines = Path("like five.m3u").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == hits
    assert str(Path("like five.m3u").absolute()) in output.stderr


@pytest.mark.parametrize(
    ("own", "smart", "file", "start"),
    [
        pytest.param("  playlist_dir: lists", "", "lists/like.m3u", "{music}/", id="own"),
        pytest.param("", "playlist_dir: smart", "smart/like.m3u", "{music}/", id="smartplaylist"),
        pytest.param(
            "  playlist_dir: lists", "playlist_dir: smart", "lists/like.m3u", "{music}/", id="both"
        ),
        pytest.param(
            "  playlist_dir: lists", "relative_to: music", "lists/like.m3u", "", id="relative"
        ),
        pytest.param(
            "  playlist_dir: lists",
            "relative_to: music\n  prefix: ../",
            "lists/like.m3u",
            "../",
            id="prefix",
        ),
    ],
)
def test_a_playlist_follows_the_settings_of_smartplaylist(tmp_path, small, own, smart, file, start):
    small.configure(own, f"smartplaylist:\n  {smart}" if smart else "")
    small.run("soundslike", "-m", "like", "title:Song 0")
    lines = (small.folder / file).read_text().splitlines()
    paths = [line for line in lines if not line.startswith("#")]
    expected = [Path(path).relative_to(small.music) for path in paths_of(small)[1:]]
    assert sorted(paths) == sorted(start.format(music=small.music) + str(p) for p in expected)


def test_a_playlist_is_replaced_but_no_other_file(full):
    Path("notes.m3u").write_bytes(b"\0 no playlist")
    output = full.run("soundslike", "-m", "notes", "id:5")
    assert output.code == 1
    assert "no playlist" in output.stderr
    assert Path("notes.m3u").read_bytes() == b"\0 no playlist"
    full.run("soundslike", "-m", "like", "-n", "9", "id:5")
    full.run("soundslike", "-m", "like", "-n", "2", "id:6")
    lines = Path("like.m3u").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 2


# An index that follows


@pytest.mark.parametrize(
    "options", [pytest.param("-f", id="kept"), pytest.param("-df", id="deleted")]
)
def test_removed_items_leave_the_index(small, options):
    before = tracks_of(small)
    small.run("remove", options, "title:Song 1")
    assert_current(small)
    after = tracks_of(small)
    assert len(after) == 3
    assert after.items() <= before.items()


def test_moved_files_keep_their_tracks(small, no_embedding):
    before = sorted(tracks_of(small).values())
    no_embedding()
    small.configure(more="paths: {default: sorted/$title}")
    output = small.run("move")
    assert "Moving 4 items" in output.stderr
    assert_current(small)
    assert {Path(path).parent for path in tracks_of(small)} == {small.music / "sorted"}
    assert sorted(tracks_of(small).values()) == before


def test_changed_tags_are_in_the_index(small, no_embedding):
    before = sorted(tracks_of(small).values())
    no_embedding()
    small.run("modify", "-y", "title:Song 1", "title=Étude", "artist=A; B")
    assert_current(small)
    assert sorted(tracks_of(small).values()) == before
    with Index(small.index) as index:
        (track,) = [track for track in index if track.title == "Étude"]
    assert track.path.endswith("02 Étude.flac")
    assert track.artist == "A; B"


def test_a_library_of_100_songs_is_followed(full, tmp_path, no_embedding, run):
    library = copy_of(full, tmp_path / "beets")
    before = tracks_of(library)
    no_embedding()
    library.run("remove", "-df", "album:LP 7")
    library.run("modify", "-y", "album:LP 2", "artist=Someone")
    library.configure(more="paths: {default: $artist/$title}")
    library.run("move")
    assert len(library.items()) == N_SONGS - 10
    assert_current(library)
    assert tracks_of(library).keys().isdisjoint(before)
    assert set(tracks_of(library).values()) < set(before.values())
    (path,) = paths_of(library, "title:Song 25")
    assert path == str(library.music / "Someone" / "Song 25.flac")
    hits = run("query", path, "--index", library.index, "--format", "paths")
    assert library.run("soundslike", "-p", "title:Song 25").lines == hits.stdout.splitlines()


def test_written_files_that_the_index_lacks_are_not_embedded(tmp_path, no_embedding):
    library = BeetsLibrary(tmp_path / "beets", "  auto: no\n")
    write_songs(tmp_path / "new", 2, seconds=0.5)
    library.run("import", tmp_path / "new")
    library.run("audiosearch", "title:Song 0")
    no_embedding()
    library.run("modify", "-y", "title:Song", "genres=New")
    assert sorted(tracks_of(library)) == paths_of(library, "title:Song 0")


def test_copies_take_over_the_tracks_of_their_sources(small, tmp_path, no_embedding):
    no_embedding()
    (tmp_path / "elsewhere").mkdir()
    small.run("move", "-c", "-d", tmp_path / "elsewhere", "title:Song 1")
    (path,) = paths_of(small, "title:Song 1")
    assert path.startswith(str(tmp_path / "elsewhere"))
    assert path in tracks_of(small)


def test_files_imported_again_are_not_embedded_again(small, no_embedding):
    before = tracks_of(small)
    no_embedding()
    output = small.run("import", "-L", "title:Song")
    assert output.code == 0
    assert tracks_of(small) == before
    assert_current(small)


def test_moved_files_are_followed_without_embedding_new_ones(tmp_path, no_embedding):
    library = BeetsLibrary(tmp_path / "beets", "  auto: no\n")
    write_songs(tmp_path / "new", 2, seconds=0.5)
    add(library.index, tmp_path / "new", model="compact")
    no_embedding()
    library.run("import", "-m", tmp_path / "new")
    assert_current(library)


def test_items_replaced_in_an_import_leave_the_index(small, tmp_path):
    write_songs(tmp_path / "again", 4, seconds=0.7)
    small.configure(more="import: {autotag: no, copy: yes, quiet: yes, duplicate_action: remove}")
    small.run("import", tmp_path / "again")
    assert len(small.items()) == 4
    assert_current(small)


def test_an_interrupted_command_has_moved_the_tracks(small, monkeypatch):
    from beets import plugins

    small.configure(more="paths: {default: sorted/$title}")

    send = plugins.send

    def send_until_the_exit(event, **arguments):
        if event == "cli_exit":
            raise KeyboardInterrupt
        return send(event, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(plugins, "send", send_until_the_exit)
        small.run("move")
    (plugin,) = plugins.find_plugins()
    plugin._follow_at_exit()
    assert_current(small)


def test_names_that_are_no_utf8_are_followed(tmp_path):
    library = BeetsLibrary(tmp_path / "beets")
    first, _ = write_songs(tmp_path / "new", 2, seconds=0.5)
    os.rename(first, os.path.join(os.fsencode(first.parent), b"\xff caf\xe9.flac"))
    library.run("import", "-C", tmp_path / "new")
    assert_current(library)
    assert library.run("soundslike", "title:Song 1").lines == ["Band 0 - LP 0 - Song 0"]
    library.run("move")
    assert_current(library)


# Elsewhere


def test_the_index_may_be_elsewhere(tmp_path):
    library = BeetsLibrary(tmp_path / "beets", f"  index: {tmp_path / 'other'}\n")
    write_songs(tmp_path / "new", 2, seconds=0.5)
    library.run("import", tmp_path / "new")
    assert sorted(tracks_of(library, tmp_path / "other")) == sorted(paths_of(library))


@pytest.mark.slow
def test_the_index_may_be_in_milvus(tmp_path):
    location = f"milvus+lite://{tmp_path / 'index.db'}"
    library = BeetsLibrary(tmp_path / "beets", f"  index: {location}\n")
    write_songs(tmp_path / "new", 4, seconds=0.5)
    library.run("import", tmp_path / "new")
    assert len(library.run("soundslike", "title:Song 0").lines) == 3
    library.run("modify", "-y", "title:Song 1", "title=New")
    library.run("remove", "-df", "title:Song 2")
    assert sorted(tracks_of(library, location)) == sorted(paths_of(library))


def test_beets_finds_the_plugin_beside_its_own(full, tmp_path):
    """The folder of packages holds beetsplug/audiosearch.py, in beets' namespace package."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "beetsplug").symlink_to(SOURCE)
    folders = [str(tmp_path / "site"), str(SOURCE.parents[2])]
    environment = os.environ | {"BEETSDIR": str(full.folder), "PYTHONPATH": ":".join(folders)}
    result = subprocess.run(
        [sys.executable, "-m", "beets", "soundslike", "-p", "id:5"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == full.run("soundslike", "-p", "id:5").lines

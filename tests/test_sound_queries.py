"""Tracks are filtered, ranked and listed by the sounds that are heard in them."""

import asyncio
import csv
import io
import json
from dataclasses import replace

import httpx
import numpy as np
import pytest
from locations import location_in
from tracks import SPEC, some_track, unit_vectors

import audiosearch
from audiosearch import Index, LibraryError, UsageError, similar
from audiosearch.cli.terminal_table import print_table
from audiosearch.library.filters import Filters
from audiosearch.library.track import EmbeddingSpec, Sound
from audiosearch.models.registry import compact
from audiosearch.search.query import SearchOptions
from audiosearch.web import create_app

#: Sounds of the tracks 0, 1, 2 ... as name, score, mean score and time.
SOUNDS = (
    [Sound("Dog", 0.9, 0.25, 1.92), Sound("Bark", 0.75, 0.25, 62.4)],
    [Sound("Bark", 0.95, 0.5, 0.0)],
    [Sound("Electric guitar", 0.8, 0.5, 0.0), Sound("Music", 0.5, 0.5, 0.0)],
    [Sound("Acoustic guitar", 0.25, 0.125, 0.0), Sound("Dog", 0.125, 0.125, 0.0)],
    [],
)
DOG_OR_BARK = ("Dog", "Bark")
VECTORS = unit_vectors(len(SOUNDS), seed=3)


def tracks():
    return [
        replace(
            some_track(n),
            id=n + 1,
            content_hash=f"{n:032x}",
            artist=f"Band {n}",
            sounds=tuple(sounds),
            tagger="a" * 64,
        )
        for n, sounds in enumerate(SOUNDS)
    ]


def filled(location, stored=None, spec=SPEC):
    with Index(location, spec=spec) as index:
        index.add_all(zip(stored or tracks(), VECTORS, strict=True))
    return location


@pytest.fixture(params=["folder", "milvus", "toy"])
def location(request, tmp_path, monkeypatch):
    """Location of an index of the tracks in each backend."""
    return filled(location_in(request.param, tmp_path, monkeypatch))


@pytest.fixture
def folder(tmp_path):
    """An index of the tracks in a folder."""
    return filled(tmp_path / "index")


@pytest.fixture
def unheard(tmp_path):
    """An index of tracks without sounds."""
    return filled(
        tmp_path / "unheard", [replace(track, sounds=(), tagger="") for track in tracks()]
    )


@pytest.fixture
def ask(tmp_path):
    """Send a request to a server in this process, and return the response."""
    model = compact()
    spec = EmbeddingSpec(model.name, model.weights_digest, dimension=model.dimension)
    app = create_app(filled(tmp_path / "served", spec=spec))

    async def send(method, path, **options):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost/api") as api:
            return await api.request(method, path, **options)

    loop = asyncio.new_event_loop()
    lifespan = app.router.lifespan_context(app)
    loop.run_until_complete(lifespan.__aenter__())
    yield lambda *request, **options: loop.run_until_complete(send(*request, **options))
    loop.run_until_complete(lifespan.__aexit__(None, None, None))
    loop.close()


def numbers(paths):
    return [int(path.rpartition("/")[2].removesuffix(".mp3")) for path in paths]


def hit_numbers(result):
    return numbers(hit.track.path for hit in result.hits)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param(Filters(sound=("Dog",)), [0, 3], id="one"),
        pytest.param(Filters(sound=DOG_OR_BARK), [0, 1, 3], id="any of two"),
        pytest.param(Filters(sound=("Dog",), artist=("band 3",)), [3], id="and an artist"),
        pytest.param(Filters(exclude=Filters(sound=DOG_OR_BARK)), [2, 4], id="none of two"),
        pytest.param(
            Filters(sound=("Dog",), exclude=Filters(sound=("Bark",))), [3], id="one, not another"
        ),
        pytest.param(
            Filters(exclude=Filters(sound=("Bark",), artist=("Band 4",))), [2, 3], id="neither"
        ),
        pytest.param(Filters(sound=("Hi-hat",)), [], id="not heard"),
        pytest.param(Filters(sound=("Dental drill, dentist's drill",)), [], id="with a quote"),
    ],
)
def test_tracks_are_filtered_by_sounds(location, filters, expected):
    with Index(location) as index:
        ids = index.storage.ids(filters).tolist()
        assert sorted(numbers(track.path for track in index.by_id(ids).values())) == expected
        hits = similar(index, "#1", k=9, options=SearchOptions(filters, include_self=True)).hits
    assert sorted(numbers(hit.track.path for hit in hits)) == expected


def test_without_a_clip_tracks_are_ranked_by_their_highest_score(location):
    result = similar(location, options=SearchOptions(Filters(sound=DOG_OR_BARK)))
    assert [(hit.rank, hit.similarity, hit.sound_score) for hit in result.hits] == [
        (1, None, pytest.approx(0.95)),
        (2, None, pytest.approx(0.9)),
        (3, None, pytest.approx(0.125)),
    ]
    assert hit_numbers(result) == [1, 0, 3]
    best = similar(location, k=1, options=SearchOptions(Filters(sound=DOG_OR_BARK)))
    assert hit_numbers(best) == [1]
    other = Filters(sound=DOG_OR_BARK, exclude=Filters(artist=("Band 1",)))
    assert hit_numbers(similar(location, options=SearchOptions(other))) == [0, 3]


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("unlike", [(), ("#3",)], ids=["like", "like and unlike"])
def test_a_weight_mixes_similarities_and_scores(location, weight, unlike):
    options = SearchOptions(Filters(sound=DOG_OR_BARK), sound_weight=weight, include_self=True)
    result = similar(location, "#1", unlike=unlike, k=2, options=options)
    scores = np.array([0.9, 0.95, 0.0, 0.125, 0.0])
    cosines = VECTORS @ VECTORS[0]
    ranking = cosines - 0.5 * (VECTORS @ VECTORS[2]) if unlike else cosines
    mixed = (1 - weight) * ranking + weight * scores
    expected = sorted((0, 1, 3), key=lambda n: -mixed[n])[:2]
    assert hit_numbers(result) == expected
    found = [(hit.similarity, hit.sound_score) for hit in result.hits]
    np.testing.assert_allclose(found, [(cosines[n], scores[n]) for n in expected], atol=1e-6)


def test_sounds_without_a_weight_only_filter(location):
    options = SearchOptions(Filters(sound=DOG_OR_BARK))
    hits = similar(location, "#1", options=options).hits
    assert [hit.sound_score for hit in hits] == [None, None]
    assert [hit.similarity for hit in hits] == sorted(
        (hit.similarity for hit in hits), reverse=True
    )


def test_copies_are_left_out_of_a_ranking_by_sounds(tmp_path):
    stored = [replace(track, content_hash=f"{track.size // 2:032x}") for track in tracks()]
    options = SearchOptions(Filters(sound=DOG_OR_BARK), is_distinct=True)
    result = similar(filled(tmp_path / "index", stored), options=options)
    assert hit_numbers(result) == [1, 3]


def test_the_sounds_of_a_library_are_counted(location):
    heard = audiosearch.sounds(location)
    assert [(sound.name, sound.tracks) for sound in heard] == [
        *(("Bark", 2), ("Dog", 2), ("Electric guitar", 1), ("Music", 1), ("Acoustic guitar", 1))
    ]
    assert heard[1].score == pytest.approx(0.9)
    assert heard[1].mean == pytest.approx((0.25 + 0.125) / 2)
    assert audiosearch.sounds(location, limit=1) == heard[:1]
    guitars = audiosearch.sounds(location, filters=Filters(artist=("Band 2",)))
    assert [sound.name for sound in guitars] == ["Electric guitar", "Music"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"sound_weight": -0.1}, "can't be -0.1", id="negative"),
        pytest.param({"sound_weight": 1.5}, "can't be 1.5", id="above 1"),
        pytest.param({"sound_weight": float("nan")}, "can't be nan", id="not a number"),
        pytest.param({"sound_weight": 0.5, "filters": Filters()}, "needs a sound", id="no sound"),
        pytest.param({"sound_weight": 0.5}, "needs a clip", id="weight without a clip"),
        pytest.param({"min_similarity": 0.5}, "needs a clip", id="similarity without a clip"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(folder, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        similar(folder, options=SearchOptions(**{"filters": Filters(sound=("Dog",))} | options))


def test_a_query_needs_a_clip_or_a_sound(folder):
    with pytest.raises(UsageError, match="No clip"):
        similar(folder, options=SearchOptions(Filters(exclude=Filters(sound=("Dog",)))))
    with pytest.raises(UsageError, match="A clip to avoid needs a clip to search with"):
        similar(folder, unlike="#1", options=SearchOptions(Filters(sound=("Dog",))))


# Command line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(["--sound", "DOGS"], [0, 3], id="words"),
        pytest.param(["--sound", "dog barking"], [0, 1, 3], id="two names"),
        pytest.param(["--sound", "guitar"], [2, 3], id="part of names"),
        pytest.param(["--sound", "guitar", "--sound", "bark"], [0, 1, 2, 3], id="repeated"),
        pytest.param(["--not-sound", "guitar"], [0, 1, 4], id="not"),
        pytest.param(["--sound", "dog", "--not-sound", "bark"], [3], id="one, not another"),
        pytest.param(["--sound", "dog", "--limit", "1"], [0], id="limited"),
        pytest.param(["--sound", "dog", "--sort", "-path"], [3, 0], id="sorted"),
        pytest.param(["Song", "--sound", "dog"], [0, 3], id="and words of tags"),
    ],
)
def test_list_is_filtered_by_words(run, folder, options, expected):
    result = run("list", "--index", folder, "--format", "paths", *options)
    assert numbers(result.stdout.split()) == expected


def test_query_ranks_by_words_without_a_clip(run, folder):
    result = run("query", "--index", folder, "--format", "json", "--sound", "dog barking")
    hits = json.loads(result.stdout)["hits"]
    assert [(hit["rank"], hit["id"], hit["similarity"]) for hit in hits] == [
        *((1, 2, None), (2, 1, None), (3, 4, None))
    ]
    assert [hit["sound_score"] for hit in hits] == pytest.approx([0.95, 0.9, 0.125])
    assert hits[0]["sounds"] == [{"name": "Bark", "score": 0.95, "mean": 0.5, "at": 0.0}]


def test_query_mixes_a_weight(run, folder):
    command = ("query", "#3", "--index", folder, "--format", "json", "--sound", "bark")
    by_clip, mixed, by_sound = (
        [hit["id"] for hit in json.loads(run(*command, *options).stdout)["hits"]]
        for options in ((), ("--sound-weight", "0"), ("--sound-weight", "1"))
    )
    assert by_clip == mixed
    assert by_sound == [2, 1]


def test_names_are_joined_in_columns_of_tables_and_csv(run, folder):
    expected = ["Dog; Bark", "Bark", "Electric guitar; Music", "Acoustic guitar; Dog", ""]
    lines = run("list", "--index", folder).stdout.splitlines()
    assert [line.split("\t")[-2] for line in lines] == expected
    rows = csv.DictReader(io.StringIO(run("list", "--index", folder, "--format", "csv").stdout))
    assert [row["sounds"] for row in rows] == expected


def test_json_of_tracks_has_their_sounds_even_if_there_are_none(run, folder, unheard):
    for location, first in ((folder, "Dog"), (unheard, None)):
        for command in (["list"], ["query", "#5", "--include-self"], ["playlist", "#1", "-n", "2"]):
            result = run(*command, "--index", location, "--format", "jsonl")
            rows = {row["path"]: row for row in map(json.loads, result.stdout.splitlines())}
            sounds = rows["/music/0.mp3"]["sounds"]
            assert [sound["name"] for sound in sounds][:1] == ([first] if first else [])


def test_playlists_are_filtered_by_sounds(run, folder):
    result = run(
        *("playlist", "#5", "--no-seeds", "--index", folder, "--format", "paths"),
        *("--sound", "dog", "--not-sound", "guitar"),
    )
    assert numbers(result.stdout.split()) == [0]


def test_sounds_lists_what_the_library_holds(run, folder):
    result = run("sounds", "--index", folder)
    assert result.stdout.splitlines()[:2] == [
        "Bark\t2\t0.950000\t0.375000",
        "Dog\t2\t0.900000\t0.187500",
    ]
    result = run("sounds", "-n", "1", "--sound", "guitar", "--format", "json", "--index", folder)
    assert json.loads(result.stdout) == {
        "sounds": [{"name": "Electric guitar", "tracks": 1, "score": 0.8, "mean": 0.5}]
    }


def test_sounds_of_a_track_come_with_their_times(run, folder):
    result = run("sounds", "/music/0.mp3", "--index", folder)
    assert result.stdout.splitlines() == [
        "Dog\t0.900000\t0.250000\t1.92",
        "Bark\t0.750000\t0.250000\t62.40",
    ]
    result = run("sounds", "#1", "-n", "1", "--format", "json", "--index", folder)
    assert json.loads(result.stdout)["sounds"][0]["at"] == 1.92
    assert "#9" in run("sounds", "#9", "--index", folder).stderr
    assert run("sounds", "#5", "--index", folder).stderr.startswith("No sound in /music/4.mp3")


@pytest.mark.parametrize(
    ("width", "is_shown"), [pytest.param(120, True, id="wide"), pytest.param(70, False, id="80")]
)
def test_a_wide_terminal_shows_the_first_sounds(monkeypatch, capsys, width, is_shown):
    names = ("Dog", "Bark", "Yip", "Howl")
    row = {
        "id": 1,
        "title": "Song",
        "path": "/music/some/where/far/away/in/a/folder/Song.mp3",
        "sounds": [{"name": name} for name in names],
    }
    monkeypatch.setenv("COLUMNS", str(width))
    print_table([row, row | {"sounds": []}], list(row))
    shown = capsys.readouterr().out
    assert ("Dog; Bark; Yip" in shown) == is_shown
    assert "Howl" not in shown


def test_a_terminal_shows_times_as_players_do(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    print_table([{"name": "Bark", "at": 62.4}], ["name", "at"])
    assert "1:02.4" in capsys.readouterr().out


def test_a_table_without_sounds_has_no_column_for_them(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    print_table([{"id": 1, "sounds": []}], ["id", "sounds"])
    assert "sounds" not in capsys.readouterr().out


# Bad input


@pytest.mark.parametrize("command", ["list", "query", "playlist", "sounds"])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(["--sound", "gitar"], 'No sound is called "gitar".', id="unknown"),
        pytest.param(["--not-sound", "gitar"], 'No sound is called "gitar".', id="not unknown"),
        pytest.param(["--sound", " "], "The name of a sound is empty.", id="empty"),
    ],
)
def test_unknown_words_are_usage_errors(run, folder, command, options, sentence):
    result = run(command, "--index", folder, *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Guitar" in result.stderr or "guitar" in result.stderr


@pytest.mark.parametrize("weight", ["-0.5", "2", "nan"])
def test_a_weight_out_of_range_is_a_usage_error(run, folder, weight):
    result = run("query", "#1", "--sound", "dog", "--sound-weight", weight, "--index", folder)
    assert result.exit_code == 2
    assert "from 0 to 1" in result.stderr


def test_sounds_of_a_track_cannot_be_filtered(run, folder):
    result = run("sounds", "#1", "--sound", "dog", "--index", folder)
    assert (result.exit_code, "Leave out" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["list", "--sound", "dog"], id="list"),
        pytest.param(["list", "--not-sound", "dog"], id="list, not"),
        pytest.param(["query", "--sound", "dog"], id="query"),
        pytest.param(["query", "#1", "--not-sound", "dog"], id="query with a clip, not"),
        pytest.param(["playlist", "#1", "--sound", "dog"], id="playlist"),
        pytest.param(["playlist", "#1", "--to", "#2", "--sound", "dog"], id="path"),
        pytest.param(["sounds"], id="sounds"),
        pytest.param(["sounds", "#1"], id="sounds of a track"),
    ],
)
def test_an_index_without_sounds_says_how_to_add_them(run, unheard, command):
    result = run(*command, "--index", unheard)
    assert result.exit_code == 1
    assert "5 of 5 tracks have no sounds; run `audiosearch refresh --sounds`" in result.stderr


def test_a_warning_counts_the_tracks_that_have_no_sounds_yet(run, tmp_path):
    stored = tracks()
    stored[3] = replace(stored[3], sounds=(), tagger="")
    location = filled(tmp_path / "partly", stored)
    result = run("list", "--sound", "dog", "--index", location, "--format", "paths")
    assert numbers(result.stdout.split()) == [0]
    assert "1 of 5 tracks have no sounds; run `audiosearch refresh --sounds`" in result.stderr
    result = run("sounds", "#4", "--index", location)
    assert "no sounds yet" in result.stderr


def as_an_older_version_left_it(location):
    """Take from a database what the version before sounds didn't have."""
    with Index(location) as index:
        db = index.storage.db
        db.execute("DROP TABLE sounds")
        db.execute("ALTER TABLE tracks DROP COLUMN tagger")
        db.execute("DELETE FROM _sqlite_migrations WHERE name >= 'm012'")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_database_of_an_older_version_says_how_to_add_sounds(folder):
    as_an_older_version_left_it(folder)
    with pytest.raises(LibraryError, match="5 of 5 tracks have no sounds"):
        similar(folder, options=SearchOptions(Filters(sound=("Dog",))))


@pytest.mark.parametrize("is_older", [pytest.param(False, id="new"), pytest.param(True, id="old")])
@pytest.mark.parametrize(
    ("command", "message"),
    [
        pytest.param(["list", "--sound", "dog"], "The index is empty.", id="list"),
        pytest.param(["list", "--not-sound", "dog"], "The index is empty.", id="list, not"),
        pytest.param(["query", "--sound", "dog"], "No hits.", id="query"),
        pytest.param(["sounds"], "The index is empty.", id="sounds"),
        pytest.param(["sounds", "--sound", "dog"], "The index is empty.", id="sounds, filtered"),
    ],
)
def test_an_empty_index_of_any_version_has_no_sounds(run, tmp_path, is_older, command, message):
    location = tmp_path / "empty"
    with Index(location, spec=SPEC):
        pass
    if is_older:
        as_an_older_version_left_it(location)
    result = run(*command, "--index", location)
    assert result.exit_code == 0
    assert message in result.output


# HTTP


def test_http_queries_take_sounds(ask):
    hits = ask("POST", "query", data={"only.sound": "dog barking"}).json()["hits"]
    assert [hit["track"]["id"] for hit in hits] == [2, 1, 4]
    assert [hit["similarity"] for hit in hits] == [None] * 3
    assert hits[0]["sound_score"] == pytest.approx(0.95)
    assert hits[0]["track"]["sounds"] == [{"name": "Bark", "score": 0.95, "mean": 0.5, "at": 0.0}]
    form = {"track": 1, "only.sound": ["dog", "bark"], "unless.artist": "Band 1"}
    hits = ask("POST", "query", data=form | {"sound_weight": 1}).json()["hits"]
    assert [(hit["track"]["id"], hit["sound_score"]) for hit in hits] == [(4, 0.125)]
    (hit,) = ask("POST", "query", data=form).json()["hits"]
    assert hit["sound_score"] is None


def test_http_lists_of_tracks_and_sounds_take_filters(ask):
    result = ask("GET", "tracks", params={"only.sound": "guitar", "limit": 1, "offset": 1}).json()
    assert ([track["id"] for track in result["tracks"]], result["total"]) == ([4], 2)
    result = ask("GET", "tracks", params={"words": "song", "unless.sound": ["dog", "bark"]}).json()
    assert [track["id"] for track in result["tracks"]] == [3, 5]
    result = ask("GET", "sounds", params={"limit": 1, "only.year": ""}).json()
    assert result == {"sounds": [{"name": "Bark", "tracks": 2, "score": 0.95, "mean": 0.375}]}
    assert ask("GET", "tracks/1").json()["sounds"][0]["name"] == "Dog"


def test_http_playlists_take_sounds(ask):
    body = {"tracks": [5], "seeds": False, "only": {"sound": ["dog"]}}
    tracks_by_filter = [
        {track["id"] for track in ask("POST", "playlist", json=body | more).json()["tracks"]}
        for more in ({}, {"unless": {"sound": ["acoustic guitar"]}})
    ]
    assert tracks_by_filter == [{1, 4}, {1}]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        pytest.param({"only.sound": "gitar"}, 'No sound is called "gitar".', id="unknown"),
        pytest.param({"unless.sound": "gitar"}, 'No sound is called "gitar".', id="not unknown"),
        pytest.param({"only.sound": "dog", "sound_weight": 2}, "weight can't be 2", id="weight"),
        pytest.param({"track": 1, "sound_weight": 1}, "needs a sound", id="no sound"),
        pytest.param({"only.sound": "dog", "sound_weight": 1}, "needs a clip", id="no clip"),
    ],
)
def test_http_queries_reject_bad_sounds(ask, form, sentence):
    response = ask("POST", "query", data=form)
    assert response.status_code == 400
    assert sentence in response.json()["error"]

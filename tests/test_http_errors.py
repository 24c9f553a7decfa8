"""Errors over HTTP speak of fields, and say which file is missing."""

import ast
import re
import shutil
from pathlib import Path

import httpx
import pytest
from served import serving
from sounds import encode, melody, noise, tone, write

import audiosearch
from audiosearch import Index, add
from audiosearch.web.interface.field_names import request_fields, with_field_names

FIELDS = {"from", "k", "moments", "only.genre", "per_track", "seeds", "to", "unless.genre"}


@pytest.mark.parametrize(
    ("hint", "over_http"),
    [
        ("Ask for at least one hit, for example -k 10.", "for example `k=10`."),
        ("Ask for at least one, for example --per-track 3.", "for example `per_track=3`."),
        ("Use a part, such as `--from 1:02 --to 1:09`.", "such as `from=62 to=69`."),
        ("Name the last track too: --to TRACK.", "too: `to`."),
        ("Search without --moments.", "without `moments`."),
        ("Leave out --genre or --not-genre.", "Leave out `only.genre` or `unless.genre`."),
        ("Make it with --no-seeds.", "with `seeds=false`."),
        ("Name a track's path or #ID.", "Name a track's id."),
    ],
)
def test_options_become_fields(hint, over_http):
    assert with_field_names(hint, FIELDS).endswith(over_http)


@pytest.mark.parametrize(
    "hint",
    [
        "Add them with `audiosearch refresh --moments`.",
        "`add --weights FILE` uses a local one.",
        "Years are from 1990..1999, a well-known range - or not.",
    ],
)
def test_commands_for_the_owner_of_the_server_stay(hint):
    assert with_field_names(hint, FIELDS) == hint


@pytest.mark.parametrize(
    ("hint", "command"),
    [
        ("Name another with --index DIR.", "`audiosearch serve --index DIR`."),
        (
            "Name its file with --model FILE.tflite.",
            "`audiosearch model path --model FILE.tflite`.",
        ),
        ("Use a local one with --weights FILE.", "`audiosearch model path --weights FILE`."),
    ],
)
def test_other_options_get_the_command_for_the_owner(hint, command):
    assert with_field_names(hint, FIELDS).endswith(f"with {command}")


@pytest.fixture(scope="module")
def api(served):
    with httpx.Client(base_url=f"{served.url}/api", timeout=60) as client:
        yield client


#: Modules that requests use, and none of whose texts is only for the command line.
MODULES = ["playlists", "search/options.py", "search/sound_query.py", "search/clip_parts.py"]
MODULES += ["search/query.py", "search/moments", "library/filters.py", "library/faiss/whitening.py"]
MODULES += ["library/search_target.py"]
MODULES += ["library/index.py", "library/sqlite/database.py", "embedding", "web"]
MODULES += ["audio/decode.py", "audio/downmix.py", "audio/opened_file.py", "audio/cover.py"]


def hints_in(file):
    """The texts of hints in the code of a module."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.keyword):
            is_hint = node.arg == "hint"
        else:
            is_hint = (
                isinstance(node, ast.Assign) and "hint" in ast.unparse(node.targets[0]).lower()
            )
        if is_hint and isinstance(node.value, ast.JoinedStr):
            yield "".join(str(getattr(part, "value", "")) for part in node.value.values)
        elif is_hint:
            yield from (one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant))


def test_every_option_that_errors_name_is_a_field(api):
    """Texts in the modules that requests use name no option that stays one over HTTP."""
    fields = request_fields(api.get("/openapi.json").json())
    package = Path(audiosearch.__file__).parent
    paths = [package / name for name in MODULES]
    files = [file for path in paths for file in ([path] if path.suffix else path.rglob("*.py"))]
    texts = [str(text) for file in files for text in hints_in(file)]
    assert len(texts) > 50
    for text in texts:
        outside_of_commands = re.sub("`audiosearch [^`]*`", "", with_field_names(text, fields))
        assert not re.search(r"(?<!\w)--?[a-z]", outside_of_commands), text


@pytest.mark.parametrize(
    ("path", "request_", "field"),
    [
        ("/query", {"data": {}}, "`only.sound`"),
        ("/query", {"data": {"track": 1, "sound_weight": 0.5}}, "`only.sound`"),
        ("/query", {"data": {"only.sound": "dog", "unlike": 2}}, "a track's id"),
        ("/query", {"data": {"track": 1, "per_track": 3}}, "moments=true"),
        ("/query", {"data": {"track": 1, "whiten": True}}, "`whiten`"),
        ("/playlist", {"json": {"tracks": [1], "strategy": "path"}}, "`to`"),
        ("/playlist", {"json": {"tracks": [1], "via": [2]}}, "`to`"),
        ("/playlist", {"json": {"tracks": [1], "to": 2, "drift": True}}, "`drift` or `to`"),
        ("/playlist", {"json": {"tracks": [1], "to": 2, "vary": True}}, "`vary`"),
        ("/playlist", {"json": {"tracks": [1], "to": 2, "strategy": "similar"}}, "`to`"),
        ("/playlist", {"json": {"tracks": [1], "to": 2, "via": [3], "n": 2}}, "`n`"),
    ],
)
def test_a_hint_names_the_field_to_change(api, path, request_, field):
    problem = api.post(path, **request_).json()
    assert field in problem["hint"]
    assert not re.search(r"(?<!\w)--?[a-z]", problem["hint"])


@pytest.mark.parametrize("body", ["x", '{"tracks": [1'])
def test_a_request_that_is_not_json_is_an_error_without_a_field(api, body):
    headers = {"Content-Type": "application/json"}
    response = api.post("/playlist", content=body, headers=headers)
    assert response.status_code == 422
    assert response.json()["error"] == "The request isn't valid JSON."


@pytest.fixture
def deleted(tmp_path):
    """A server of a library with moments whose files are gone, except for the index."""
    music = tmp_path / "music"
    (music / "deep").mkdir(parents=True)
    write(music / "tone.wav", tone(330, 4.0))
    write(music / "loud.aiff", noise(4.0))
    encode(music / "deep" / "sung.m4a", melody(4.0, 44_100), 44_100, container="ipod", codec="aac")
    add(tmp_path / "index", [music], model="compact", n_jobs=1, moments=True)
    with Index(tmp_path / "index") as index:
        ids = {Path(track.path).name: track.id for track in index}
    shutil.rmtree(music / "deep")
    for file in ("tone.wav", "loud.aiff"):
        (music / file).unlink()
    with serving(tmp_path, ids) as server:
        yield server


def test_a_deleted_file_is_missing_wherever_it_is_asked_for(deleted):
    for track_id in deleted.ids.values():
        url = f"{deleted.url}/api/tracks/{track_id}"
        form = {"track": track_id, "from": "1", "to": "3"}
        answers = [
            httpx.get(f"{url}/audio"),
            httpx.get(f"{url}/audio", params={"format": "mp3"}),
            httpx.get(f"{url}/cover"),
            httpx.post(f"{deleted.url}/api/query", data=form, timeout=60),
            httpx.post(f"{deleted.url}/api/query", data=form | {"moments": "true"}, timeout=60),
        ]
        for answer in answers:
            problem = answer.json()
            assert answer.status_code == 404
            assert problem["error"] == f"The file of track #{track_id} is missing."
            assert "`audiosearch" in problem["hint"]
        assert httpx.get(url).status_code == 200


def test_hints_do_not_tell_where_the_index_is(tmp_path, deleted):
    answer = httpx.post(f"{deleted.url}/api/query", data={"track": 1, "whiten": "true"})
    assert str(tmp_path) not in answer.text

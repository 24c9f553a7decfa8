"""The HTTP interface gives the same results as the command line, and reveals no paths."""

import asyncio
import base64
import contextlib
import io
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
import soundfile
from served import EVIL, serving
from sounds import noise, write

from audiosearch import Embedder, Index, add, defaults, similar
from audiosearch.models.registry import compact
from audiosearch.playlist_files import read_playlist
from audiosearch.web import Limits
from audiosearch.web.services.embedding_service import EmbeddingService


@pytest.fixture
def api(served):
    with httpx.Client(base_url=f"{served.url}/api", timeout=60) as client:
        yield client


def upload(path):
    return {"file": ("clip", path.read_bytes())}


def test_health_reports_the_model_and_the_number_of_tracks(api):
    result = api.get("/health").json()
    assert (result["status"], result["model"], result["tracks"]) == ("ok", "compact", 15)


def test_defaults_equal_those_of_python_and_of_the_schema(api):
    result = api.get("/defaults").json()
    assert result == {name: getattr(defaults, name.upper()) for name in result}
    schema = api.get("/openapi.json").json()["components"]["schemas"]
    request = schema["PlaylistParams"]["properties"]
    assert request["n"]["default"] == result["playlist_tracks"]
    assert request["n"]["maximum"] == result["max_playlist_tracks"]
    assert request["seeds"]["default"] == result["keep_seeds"]
    assert request["tracks"]["maxItems"] == result["max_seeds"]


def test_an_upload_has_the_same_embedding_as_in_python(api, served):
    clip = served.clip("hiss.flac")
    result = api.post("/embed", files=upload(clip)).json()
    assert result["model"] == "compact"
    np.testing.assert_allclose(
        result["embedding"], Embedder("compact").embed(clip).vector, atol=1e-6
    )


def test_a_query_has_the_same_hits_as_in_python(api, served):
    clip = served.clip("tone.wav")
    result = api.post("/query", files=upload(clip), data={"k": 5}).json()
    expected = similar(served.folder / "index", clip, k=5).hits
    assert [hit["track"]["id"] for hit in result["hits"]] == [hit.track.id for hit in expected]
    np.testing.assert_allclose(
        [hit["similarity"] for hit in result["hits"]],
        [hit.similarity for hit in expected],
        atol=1e-5,
    )


def test_a_query_takes_tracks_to_be_like_and_unlike(api, served):
    hiss, tone = served.ids["hiss1.flac"], served.ids["tone1.wav"]
    result = api.post(
        "/query", data={"track": [hiss, tone], "unlike": [served.ids["low.mp3"]]}
    ).json()
    ids = [hit["track"]["id"] for hit in result["hits"]]
    assert len(ids) == 10
    assert not {hiss, tone, served.ids["low.mp3"]} & set(ids)


def test_tracks_are_listed_by_words_or_by_id(api, served):
    result = api.get("/tracks", params={"words": "tune"}).json()
    assert {track["name"] for track in result["tracks"]} == {f"tune{n}.ogg" for n in range(4)}
    pages = [api.get("/tracks", params={"offset": n, "limit": 8}).json() for n in (0, 8)]
    listed = [track["id"] for page in pages for track in page["tracks"]]
    assert listed == sorted(served.ids.values())
    assert pages[0]["total"] == 15
    assert api.get(f"/tracks/{served.ids['hiss0.flac']}").json()["title"] == EVIL


def test_responses_contain_no_path(api, served):
    texts = api.get("/tracks").text + api.get("/map").text + api.get("/openapi.json").text
    assert str(served.folder) not in texts


def test_audio_is_sent_whole_or_in_the_requested_range(api, served):
    content = (served.folder / "music" / "tune1.ogg").read_bytes()
    path = f"/tracks/{served.ids['tune1.ogg']}/audio"
    whole = api.get(path)
    assert (whole.headers["content-type"], whole.content) == ("audio/ogg", content)
    part = api.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, content[100:200])
    assert api.get(path, headers={"Range": "bytes=-50"}).content == content[-50:]
    assert api.get(path, headers={"Range": "bytes=99999999-"}).status_code == 416
    for invalid in ("bytes=x-", "bytes=-", "meters=0-5", "bytes=50-10"):
        response = api.get(path, headers={"Range": invalid})
        assert (response.status_code, response.content) == (200, content)


@pytest.mark.parametrize("path", ["/health", "/tracks", "/tracks/1/audio"])
def test_head_has_the_headers_of_get_without_a_body(api, path):
    response, whole = api.head(path), api.get(path)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == whole.headers["content-length"]


def test_the_server_stops_while_it_transcodes(served, tmp_path):
    write(tmp_path / "long.aiff", np.zeros(30 * 60 * 16_000, dtype=np.float32))
    add(tmp_path / "index", [tmp_path / "long.aiff"], model="compact", n_jobs=1)

    def request(url):
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, timeout=60)

    with serving(tmp_path, {}) as server:
        requesting = threading.Thread(target=request, args=[f"{server.url}/api/tracks/1/audio"])
        requesting.start()
        process, transcoding = psutil.Process(server.pid), None
        while transcoding is None:
            children = (
                child for child in process.children() if "transcode" in str(child.cmdline())
            )
            transcoding = next(children, None)
        started = time.monotonic()
        process.terminate()
        process.wait(20)
        transcoding.wait(20)
    requesting.join()
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("name", "kind"),
    [("low.mp3", "audio/mpeg"), ("sung.m4a", "audio/mp4"), ("hiss1.flac", "audio/flac")],
)
def test_formats_that_browsers_play_are_sent_unchanged(api, served, name, kind):
    response = api.get(f"/tracks/{served.ids[name]}/audio")
    assert response.headers["content-type"] == kind
    assert response.content == (served.folder / "music" / name).read_bytes()


@pytest.mark.parametrize(("kind", "status"), [("mp3", 200), ("ogg", 422)])
def test_any_format_is_sent_as_mp3_if_a_player_asks_for_it(api, served, kind, status):
    response = api.get(f"/tracks/{served.ids['hiss1.flac']}/audio", params={"format": kind})
    assert response.status_code == status
    if status == 200:
        assert response.headers["content-type"] == "audio/mpeg"
        assert soundfile.info(io.BytesIO(response.content)).format == "MP3"


def test_formats_that_browsers_do_not_play_are_sent_as_mp3(api, served):
    response = api.get(f"/tracks/{served.ids['loud.aiff']}/audio")
    assert response.headers["content-type"] == "audio/mpeg"
    samples, rate = soundfile.read(io.BytesIO(response.content))
    assert (rate, samples.shape[1]) == (44_100, 2)
    assert len(samples) / rate == pytest.approx(4.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples[22_050:66_150, 0]))
    assert spectrum.argmax() == pytest.approx(900, abs=1)


def test_the_cover_comes_from_the_tags(api, served, tmp_path):
    import av

    image = np.zeros((64, 64, 3), dtype=np.uint8)
    path = served.folder / "music" / "low.mp3"
    assert api.get(f"/tracks/{served.ids['low.mp3']}/cover").status_code == 404
    before = path.read_bytes()
    with av.open(str(path)) as source, av.open(str(tmp_path / "c.mp3"), "w") as target:
        sound = target.add_stream_from_template(source.streams.audio[0])
        cover = target.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in cover.encode(av.VideoFrame.from_ndarray(image)):
            target.mux(packet)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = sound
                target.mux(packet)
    path.write_bytes((tmp_path / "c.mp3").read_bytes())
    try:
        response = api.get(f"/tracks/{served.ids['low.mp3']}/cover")
    finally:
        path.write_bytes(before)
    assert response.headers["content-type"] == "image/png"
    assert response.content[:8] == b"\x89PNG\r\n\x1a\n"


def test_playlists_take_the_options_of_the_command_line(api, served):
    seed = served.ids["hiss1.flac"]
    body = {"tracks": [seed], "n": 6, "drift": True, "max_per_artist": 1, "seeds": True}
    result = api.post("/playlist", json=body).json()
    assert result["tracks"][0]["id"] == seed
    assert len(result["tracks"]) == 6
    path_request = {
        "tracks": [seed],
        "to": served.ids["low.mp3"],
        "via": [served.ids["tune1.ogg"]],
        "n": 5,
    }
    ids = [track["id"] for track in api.post("/playlist", json=path_request).json()["tracks"]]
    assert (ids[0], ids[-1]) == (seed, served.ids["low.mp3"])
    assert served.ids["tune1.ogg"] in ids


def test_playlists_can_be_filtered(api, served):
    body = {"tracks": [served.ids["hiss1.flac"]], "seeds": False, "only": {"artist": [EVIL]}}
    result = api.post("/playlist", json=body).json()
    assert [track["id"] for track in result["tracks"]] == [served.ids["hiss0.flac"]]
    body = {"tracks": [served.ids["hiss1.flac"]], "unless": {"artist": [EVIL]}, "n": 15}
    result = api.post("/playlist", json=body).json()
    assert served.ids["hiss0.flac"] not in [track["id"] for track in result["tracks"]]
    music = str(served.folder / "music")
    for key, n_tracks in (("only", 15), ("unless", 0)):
        for filters in ({"under": [music]}, {"under": ["music"]}, {"seconds": "3.5..4.5"}):
            result = api.post("/playlist", json=body | {"seeds": False, "unless": {}, key: filters})
            assert len(result.json()["tracks"]) == max(0, n_tracks - 1)
    rejected = api.post("/playlist", json=body | {"only": {"year": "soon"}})
    assert (rejected.status_code, rejected.json()["error"]) == (
        400,
        "soon is not a range of numbers.",
    )


def test_playlists_leave_out_the_tracks_of_excluded_playlists(api, served):
    body = {"tracks": [served.ids["hiss1.flac"]], "n": 15, "seeds": False}
    others = [served.ids["hiss2.flac"], served.ids["low.mp3"]]
    for kind in ("m3u8", "xspf", "jspf", "pls"):
        text = api.post("/playlist/file", json={"tracks": others, "format": kind}).text
        excluded = {"exclude_playlists": [{"name": f"a.{kind}", "text": text}]}
        result = api.post("/playlist", json=body | excluded).json()
        ids = {track["id"] for track in result["tracks"]}
        assert len(ids) == 12
        assert not ids & set(others)
    broken = {"exclude_playlists": [{"name": "a.xspf", "text": "<"}]}
    assert api.post("/playlist", json=body | broken).json()["error"].startswith("Can't read a.xspf")


def test_excluded_playlists_of_other_machines_are_matched_or_named(api, served):
    body = {"tracks": [served.ids["hiss1.flac"]], "n": 15, "seeds": False}
    content = "C:\\Music\\hiss2.flac\r\nC:\\Music\\gone.flac\r\ncafé.flac\r\n"
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        data = base64.b64encode(content.encode(encoding)).decode()
        excluded = {"exclude_playlists": [{"name": "a.m3u", "base64": data}]}
        result = api.post("/playlist", json=body | excluded).json()
        assert served.ids["hiss2.flac"] not in {track["id"] for track in result["tracks"]}
        assert "a.m3u: C:\\Music\\gone.flac is not a track of the index" in result["notes"]
        assert "a.m3u: café.flac is not a track of the index" in result["notes"]
    invalid = {"exclude_playlists": [{"name": "a.m3u", "base64": "A"}]}
    assert api.post("/playlist", json=body | invalid).status_code == 422


def test_playlists_vary_with_the_random_seed(api, served):
    body = {"tracks": [served.ids["hiss1.flac"]], "n": 10, "whiten": False}
    lists = [
        [track["id"] for track in response["tracks"]]
        for number in (1, 1, 2)
        for response in [api.post("/playlist", json=body | {"random_seed": number}).json()]
    ]
    assert lists[0] == lists[1] != lists[2]


@pytest.mark.parametrize("kind", ["m3u8", "xspf", "jspf", "pls"])
def test_a_playlist_is_written_in_the_order_given(api, served, tmp_path, kind):
    order = [served.ids["tune2.ogg"], served.ids["low.mp3"], served.ids["hiss0.flac"]]
    body = {"tracks": order, "name": EVIL, "format": kind}
    response = api.post("/playlist/file", json=body)
    (tmp_path / f"a.{kind}").write_bytes(response.content)
    names = ["tune2.ogg", "low.mp3", "hiss0.flac"]
    paths = [entry.path for entry in read_playlist(str(tmp_path / f"a.{kind}"))]
    assert paths == [str(served.folder / "music" / name) for name in names]


def test_the_map_has_every_track_and_follows_changes(api, served):
    result = api.get("/map").json()
    assert sorted(result["ids"]) == sorted(served.ids.values())
    assert len(result["x"]) == len(result["neighbours"]) == 15
    with Index(served.folder / "index") as index:
        track = index.resolve(f"#{served.ids['low.mp3']}")
        index.storage.update(replace(track, title="Low"))
        assert "Low" in api.get("/map").json()["name"]
        index.storage.update(track)


def test_the_map_also_comes_in_small_parts_of_the_same_version(api, served):
    whole = api.get("/map").json()
    points, names, neighbours = (
        api.get(f"/map/{part}").json() for part in ("points", "names", "neighbours")
    )
    assert points["version"] == names["version"] == neighbours["version"]
    assert points["ids"] == whole["ids"]
    assert np.allclose(np.array(points["x"]) * 2 / 65535 - 1, whole["x"], atol=1e-4)
    assert names["name"] == whole["name"]
    assert neighbours["neighbours"] == whole["neighbours"]
    sounds = names["sounds"]
    listed = ["; ".join(sounds["values"][code] for code in codes) for codes in sounds["codes"]]
    assert listed == whole["sounds"]
    for field in ("genre", "artist", "album", "folder", "sound", "cluster"):
        column = (points["columns"] | names["columns"])[field]
        values = [*column["values"], None]  # -1 stands for None
        assert [values[code] for code in column["codes"]] == whole[field]
    assert api.get("/map/others").status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "sentence"),
    [
        pytest.param("GET", "/tracks/999", {}, 404, "Track #999 doesn't exist", id="unknown track"),
        pytest.param(
            "GET",
            "/tracks/999/audio",
            {},
            404,
            "Track #999 doesn't exist",
            id="audio of an unknown track",
        ),
        pytest.param(
            "GET", "/tracks/..%2f..%2fetc%2fpasswd/audio", {}, 404, "", id="encoded path traversal"
        ),
        pytest.param("GET", "/tracks/../audio", {}, 404, "", id="path traversal"),
        pytest.param("GET", "/tracks/-1", {}, 422, "greater than", id="id below 1"),
        pytest.param(
            "GET", "/tracks/99999999999999999999", {}, 422, "less than", id="id too large"
        ),
        pytest.param("GET", "/tracks?limit=0", {}, 422, "limit", id="limit of 0"),
        pytest.param("POST", "/query", {}, 400, "No clip", id="empty query"),
        pytest.param("POST", "/embed", {"data": {"file": "x"}}, 422, "file", id="no file"),
        pytest.param("POST", "/playlist", {"json": {"tracks": []}}, 422, "tracks", id="no seeds"),
        pytest.param(
            "POST", "/playlist", {"json": {"tracks": [1], "x": 1}}, 422, "x", id="unknown field"
        ),
        pytest.param("POST", "/playlist", {"content": b"{"}, 422, "", id="invalid JSON"),
        pytest.param("GET", "/tracks?words=%00x", {}, 200, "", id="NUL in words"),
        pytest.param(
            "POST", "/playlist", {"json": {"tracks": [99]}}, 404, "#99", id="unknown seed"
        ),
        pytest.param(
            *("POST", "/query", {"data": {"track": 1, "whiten": True}}, 409),
            "too few to whiten",
            id="too few tracks to whiten",
        ),
        pytest.param("GET", "/nothing", {}, 404, "Not Found", id="unknown path"),
        pytest.param("DELETE", "/tracks", {}, 405, "Method", id="unknown method"),
    ],
)
def test_an_invalid_request_gets_a_sentence_and_a_hint(
    api, served, method, path, options, status, sentence
):
    response = api.request(method, path, **options)
    assert response.status_code == status
    problem = {"error": "", "hint": "none"} | response.json()
    assert str(served.folder) not in response.text
    assert sentence in problem["error"]
    assert problem["hint"]


def test_an_upload_without_audio_is_an_error_that_names_it_without_a_path(api, served):
    response = api.post("/embed", files=upload(served.clip("text.mp3")))
    assert response.status_code == 422
    assert response.json()["error"] == "clip: it contains no audio that can be decoded"


def test_playing_a_track_that_is_no_longer_decodable_is_an_error(api, served):
    path = served.folder / "music" / "loud.aiff"
    content = path.read_bytes()
    path.write_text("no sound")
    try:
        for _ in range(2):
            response = api.get(f"/tracks/{served.ids['loud.aiff']}/audio")
            assert (response.status_code, "can't be played" in response.text) == (422, True)
    finally:
        path.write_bytes(content)
    assert api.get(f"/tracks/{served.ids['loud.aiff']}/audio").status_code == 200


def test_playing_a_track_with_a_missing_file_is_an_error(api, served):
    path = served.folder / "music" / "tone3.wav"
    path.rename(path.with_suffix(".away"))
    try:
        response = api.get(f"/tracks/{served.ids['tone3.wav']}/audio")
    finally:
        path.with_suffix(".away").rename(path)
    assert response.status_code == 404
    assert "is missing" in response.json()["error"]


def test_an_unknown_host_name_is_rejected(api):
    assert api.get("/health", headers={"Host": "evil.example"}).status_code == 421
    assert api.get("/health", headers={"Host": "[::1"}).status_code == 421
    assert api.get("/health", headers={"Host": "localhost:1"}).status_code == 200


def test_requests_from_other_sites_are_rejected(api, served):
    headers = {"Origin": "https://evil.example"}
    assert api.post("/query", data={"track": [1]}, headers=headers).status_code == 403
    assert api.get("/health", headers={"Origin": "http://[x"}).status_code == 403
    assert api.get("/map", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert api.get("/health", headers={"Origin": served.url}).status_code == 200
    assert "access-control-allow-origin" not in api.get("/health", headers=headers).headers


def test_an_interrupted_upload_does_not_affect_later_requests(api, served):
    parts = urlsplit(served.url)
    for _ in range(3):
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            head = f"POST /api/embed HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 5000\r\n"
            kind = "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            connection.sendall((head + kind).encode())
    assert api.post("/embed", files=upload(served.clip("hiss.flac"))).status_code == 200


def test_responses_conform_to_the_openapi_schema(served):
    """Requests generated from the schema cause no crash and no undocumented status."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/api/openapi.json"]
    command += ["--checks", "not_a_server_error,status_code_conformance", "--max-examples", "8"]
    command += ["--seed", "1", "--workers", "2", "--phases", "examples,coverage,fuzzing"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3_000:]


def test_a_long_clip_is_embedded_whole(api, tmp_path):
    path = write(tmp_path / "long.wav", noise(60.0))
    result = api.post("/embed", files=upload(path)).json()["embedding"]
    np.testing.assert_allclose(result, Embedder("compact").embed(path).vector, atol=1e-5)


def test_a_clip_is_embedded_where_descriptors_cannot_be_read(served, monkeypatch):
    async def embedded(path):
        service = EmbeddingService(compact, None, limits=Limits())
        with path.open("rb") as stream, contextlib.closing(service):
            return await service.embed(stream, name=path.name)

    clip = served.clip("hiss.flac")
    monkeypatch.setattr("audiosearch.system.HAS_DESCRIPTOR_PATHS", False)
    vector = asyncio.run(embedded(clip)).vector
    np.testing.assert_allclose(vector, Embedder("compact").embed(clip).vector, atol=1e-6)

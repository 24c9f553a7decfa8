"""The HTTP interface: the same answers as the command line, and nothing more."""

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
from audiosearch.playlist_files import read_playlist


@pytest.fixture
def api(served):
    with httpx.Client(base_url=f"{served.url}/api", timeout=60) as client:
        yield client


def upload(path):
    return {"file": ("clip", path.read_bytes())}


def test_health_says_what_is_served(api):
    found = api.get("/health").json()
    assert (found["status"], found["model"], found["tracks"]) == ("ok", "compact", 15)


def test_defaults_are_those_of_python_and_of_the_description(api):
    found = api.get("/defaults").json()
    assert found == {name: getattr(defaults, name.upper()) for name in found}
    schema = api.get("/openapi.json").json()["components"]["schemas"]
    request = schema["PlaylistParams"]["properties"]
    assert request["n"]["default"] == found["playlist_tracks"]
    assert request["n"]["maximum"] == found["max_playlist_tracks"]
    assert request["seeds"]["default"] == found["keep_seeds"]
    assert request["tracks"]["maxItems"] == found["max_seeds"]


def test_an_upload_has_the_embedding_that_the_command_line_gives(api, served):
    clip = served.clip("hiss.flac")
    found = api.post("/embed", files=upload(clip)).json()
    assert found["model"] == "compact"
    np.testing.assert_allclose(
        found["embedding"], Embedder("compact").embed(clip).vector, atol=1e-6
    )


def test_a_query_has_the_hits_that_the_command_line_gives(api, served):
    clip = served.clip("tone.wav")
    found = api.post("/query", files=upload(clip), data={"k": 5}).json()
    expected = similar(served.folder / "index", clip, k=5).hits
    assert [hit["track"]["id"] for hit in found["hits"]] == [hit.track.id for hit in expected]
    np.testing.assert_allclose(
        [hit["similarity"] for hit in found["hits"]],
        [hit.similarity for hit in expected],
        atol=1e-5,
    )


def test_tracks_can_be_asked_for_and_shunned(api, served):
    hiss, tone = served.ids["hiss1.flac"], served.ids["tone1.wav"]
    found = api.post(
        "/query", data={"track": [hiss, tone], "unlike": [served.ids["low.mp3"]]}
    ).json()
    ids = [hit["track"]["id"] for hit in found["hits"]]
    assert len(ids) == 10
    assert not {hiss, tone, served.ids["low.mp3"]} & set(ids)


def test_tracks_are_listed_by_words_or_in_order(api, served):
    found = api.get("/tracks", params={"words": "tune"}).json()
    assert {track["name"] for track in found["tracks"]} == {f"tune{n}.ogg" for n in range(4)}
    pages = [api.get("/tracks", params={"offset": n, "limit": 8}).json() for n in (0, 8)]
    listed = [track["id"] for page in pages for track in page["tracks"]]
    assert listed == sorted(served.ids.values())
    assert pages[0]["total"] == 15
    assert api.get(f"/tracks/{served.ids['hiss0.flac']}").json()["title"] == EVIL


def test_no_path_is_told(api, served):
    told = api.get("/tracks").text + api.get("/map").text + api.get("/openapi.json").text
    assert str(served.folder) not in told


def test_sound_comes_whole_and_in_parts(api, served):
    content = (served.folder / "music" / "tune1.ogg").read_bytes()
    path = f"/tracks/{served.ids['tune1.ogg']}/audio"
    whole = api.get(path)
    assert (whole.headers["content-type"], whole.content) == ("audio/ogg", content)
    part = api.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, content[100:200])
    assert api.get(path, headers={"Range": "bytes=-50"}).content == content[-50:]
    assert api.get(path, headers={"Range": "bytes=99999999-"}).status_code == 416
    for nonsense in ("bytes=x-", "bytes=-", "metres=0-5", "bytes=50-10"):
        found = api.get(path, headers={"Range": nonsense})
        assert (found.status_code, found.content) == (200, content)


@pytest.mark.parametrize("path", ["/health", "/tracks", "/tracks/1/audio"])
def test_what_there_is_can_be_asked_without_it(api, path):
    found, whole = api.head(path), api.get(path)
    assert (found.status_code, found.content) == (200, b"")
    assert found.headers["content-length"] == whole.headers["content-length"]


def test_the_server_ends_in_the_midst_of_its_work(served, tmp_path):
    write(tmp_path / "long.aiff", np.zeros(30 * 60 * 16_000, dtype=np.float32))
    add(tmp_path / "index", [tmp_path / "long.aiff"], model="compact", n_jobs=1)

    def ask(url):
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, timeout=60)

    with serving(tmp_path, {}) as server:
        asking = threading.Thread(target=ask, args=[f"{server.url}/api/tracks/1/audio"])
        asking.start()
        process, copying = psutil.Process(server.pid), None
        while copying is None:
            children = (
                child for child in process.children() if "transcode" in str(child.cmdline())
            )
            copying = next(children, None)
        started = time.monotonic()
        process.terminate()
        process.wait(20)
        copying.wait(20)
    asking.join()
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("name", "kind"),
    [("low.mp3", "audio/mpeg"), ("sung.m4a", "audio/mp4"), ("hiss1.flac", "audio/flac")],
)
def test_what_browsers_play_is_sent_as_it_is(api, served, name, kind):
    found = api.get(f"/tracks/{served.ids[name]}/audio")
    assert found.headers["content-type"] == kind
    assert found.content == (served.folder / "music" / name).read_bytes()


def test_what_browsers_do_not_play_is_sent_as_mp3(api, served):
    found = api.get(f"/tracks/{served.ids['loud.aiff']}/audio")
    assert found.headers["content-type"] == "audio/mpeg"
    samples, rate = soundfile.read(io.BytesIO(found.content))
    assert (rate, samples.shape[1]) == (44_100, 2)
    assert len(samples) / rate == pytest.approx(4.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples[22_050:66_150, 0]))
    assert spectrum.argmax() == pytest.approx(900, abs=1)


def test_a_picture_comes_from_the_tags(api, served, tmp_path):
    import av

    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    path = served.folder / "music" / "low.mp3"
    assert api.get(f"/tracks/{served.ids['low.mp3']}/cover").status_code == 404
    before = path.read_bytes()
    with av.open(str(path)) as source, av.open(str(tmp_path / "c.mp3"), "w") as target:
        sound = target.add_stream_from_template(source.streams.audio[0])
        cover = target.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in cover.encode(av.VideoFrame.from_ndarray(picture)):
            target.mux(packet)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = sound
                target.mux(packet)
    path.write_bytes((tmp_path / "c.mp3").read_bytes())
    try:
        found = api.get(f"/tracks/{served.ids['low.mp3']}/cover")
    finally:
        path.write_bytes(before)
    assert found.headers["content-type"] == "image/png"
    assert found.content[:8] == b"\x89PNG\r\n\x1a\n"


def test_playlists_have_the_switches_of_the_command_line(api, served):
    seed = served.ids["hiss1.flac"]
    wanted = {"tracks": [seed], "n": 6, "drift": True, "max_per_artist": 1, "seeds": True}
    found = api.post("/playlist", json=wanted).json()
    assert found["tracks"][0]["id"] == seed
    assert len(found["tracks"]) == 6
    way = {"tracks": [seed], "to": served.ids["low.mp3"], "via": [served.ids["tune1.ogg"]], "n": 5}
    ids = [track["id"] for track in api.post("/playlist", json=way).json()["tracks"]]
    assert (ids[0], ids[-1]) == (seed, served.ids["low.mp3"])
    assert served.ids["tune1.ogg"] in ids


def test_playlists_can_be_filtered(api, served):
    wanted = {"tracks": [served.ids["hiss1.flac"]], "seeds": False, "only": {"artist": [EVIL]}}
    found = api.post("/playlist", json=wanted).json()
    assert [track["id"] for track in found["tracks"]] == [served.ids["hiss0.flac"]]
    wanted = {"tracks": [served.ids["hiss1.flac"]], "unless": {"artist": [EVIL]}, "n": 15}
    found = api.post("/playlist", json=wanted).json()
    assert served.ids["hiss0.flac"] not in [track["id"] for track in found["tracks"]]
    music = str(served.folder / "music")
    for key, n_tracks in (("only", 15), ("unless", 0)):
        for which in ({"under": [music]}, {"seconds": "3.5..4.5"}):
            found = api.post("/playlist", json=wanted | {"seeds": False, "unless": {}, key: which})
            assert len(found.json()["tracks"]) == max(0, n_tracks - 1)
    refused = api.post("/playlist", json=wanted | {"only": {"year": "soon"}})
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "soon is not a range of numbers.",
    )


def test_playlists_leave_out_what_other_playlists_hold(api, served):
    wanted = {"tracks": [served.ids["hiss1.flac"]], "n": 15, "seeds": False}
    others = [served.ids["hiss2.flac"], served.ids["low.mp3"]]
    for kind in ("m3u8", "xspf", "jspf"):
        text = api.post("/playlist/file", json={"tracks": others, "format": kind}).text
        excluded = {"exclude_playlists": [{"name": f"a.{kind}", "text": text}]}
        found = api.post("/playlist", json=wanted | excluded).json()
        ids = {track["id"] for track in found["tracks"]}
        assert len(ids) == 12
        assert not ids & set(others)
    broken = {"exclude_playlists": [{"name": "a.xspf", "text": "<"}]}
    assert (
        api.post("/playlist", json=wanted | broken).json()["error"].startswith("Can't read a.xspf")
    )


def test_playlists_vary_by_a_number(api, served):
    wanted = {"tracks": [served.ids["hiss1.flac"]], "n": 10, "whiten": False}
    lists = [
        [track["id"] for track in found["tracks"]]
        for number in (1, 1, 2)
        for found in [api.post("/playlist", json=wanted | {"random_seed": number}).json()]
    ]
    assert lists[0] == lists[1] != lists[2]


@pytest.mark.parametrize("kind", ["m3u8", "xspf", "jspf"])
def test_a_playlist_is_written_in_the_order_given(api, served, tmp_path, kind):
    order = [served.ids["tune2.ogg"], served.ids["low.mp3"], served.ids["hiss0.flac"]]
    wanted = {"tracks": order, "name": EVIL, "format": kind}
    found = api.post("/playlist/file", json=wanted)
    (tmp_path / f"a.{kind}").write_bytes(found.content)
    names = ["tune2.ogg", "low.mp3", "hiss0.flac"]
    paths = [entry.path for entry in read_playlist(str(tmp_path / f"a.{kind}"))]
    assert paths == [str(served.folder / "music" / name) for name in names]


def test_the_map_has_every_track(api, served):
    found = api.get("/map").json()
    assert sorted(found["ids"]) == sorted(served.ids.values())
    assert len(found["x"]) == len(found["neighbours"]) == 15
    with Index(served.folder / "index") as index:
        track = index.resolve(f"#{served.ids['low.mp3']}")
        index.storage.update(replace(track, title="Low"))
        assert "Low" in api.get("/map").json()["name"]
        index.storage.update(track)


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "sentence"),
    [
        pytest.param("GET", "/tracks/999", {}, 404, "Track #999 doesn't exist", id="unknown track"),
        pytest.param(
            "GET", "/tracks/999/audio", {}, 404, "Track #999 doesn't exist", id="unknown sound"
        ),
        pytest.param("GET", "/tracks/..%2f..%2fetc%2fpasswd/audio", {}, 404, "", id="no path"),
        pytest.param("GET", "/tracks/../audio", {}, 404, "", id="dots"),
        pytest.param("GET", "/tracks/-1", {}, 422, "greater than", id="a number below 1"),
        pytest.param("GET", "/tracks/99999999999999999999", {}, 422, "less than", id="too large"),
        pytest.param("GET", "/tracks?limit=0", {}, 422, "limit", id="no tracks"),
        pytest.param("POST", "/query", {}, 400, "No clip", id="nothing asked"),
        pytest.param("POST", "/embed", {"data": {"file": "x"}}, 422, "file", id="no file"),
        pytest.param("POST", "/playlist", {"json": {"tracks": []}}, 422, "tracks", id="no seeds"),
        pytest.param("POST", "/playlist", {"json": {"tracks": [1], "x": 1}}, 422, "x", id="typo"),
        pytest.param("POST", "/playlist", {"content": b"{"}, 422, "", id="no JSON"),
        pytest.param("GET", "/tracks?words=%00x", {}, 200, "", id="zeros in words"),
        pytest.param("POST", "/playlist", {"json": {"tracks": [99]}}, 404, "#99", id="no seed"),
        pytest.param(
            *("POST", "/query", {"data": {"track": 1, "whiten": True}}, 409),
            "too few to whiten",
            id="too few",
        ),
        pytest.param("GET", "/nothing", {}, 404, "Not Found", id="nothing there"),
        pytest.param("DELETE", "/tracks", {}, 405, "Method", id="nothing is deleted"),
    ],
)
def test_what_cannot_be_answered_ends_in_a_sentence_and_a_hint(
    api, served, method, path, options, status, sentence
):
    found = api.request(method, path, **options)
    assert found.status_code == status
    problem = {"error": "", "hint": "none"} | found.json()
    assert str(served.folder) not in found.text
    assert sentence in problem["error"]
    assert problem["hint"]


def test_what_is_no_sound_is_said_without_telling_where_it_lay(api, served):
    found = api.post("/embed", files=upload(served.clip("text.mp3")))
    assert found.status_code == 422
    assert found.json()["error"] == "the file: it contains no audio that can be decoded"


def test_a_track_that_cannot_be_decoded_any_more_is_said(api, served):
    path = served.folder / "music" / "loud.aiff"
    content = path.read_bytes()
    path.write_text("no sound")
    try:
        for _ in range(2):
            found = api.get(f"/tracks/{served.ids['loud.aiff']}/audio")
            assert (found.status_code, "can't be played" in found.text) == (422, True)
    finally:
        path.write_bytes(content)
    assert api.get(f"/tracks/{served.ids['loud.aiff']}/audio").status_code == 200


def test_a_track_whose_file_is_gone_is_said(api, served):
    path = served.folder / "music" / "tone3.wav"
    path.rename(path.with_suffix(".away"))
    try:
        found = api.get(f"/tracks/{served.ids['tone3.wav']}/audio")
    finally:
        path.with_suffix(".away").rename(path)
    assert found.status_code == 404
    assert "is missing" in found.json()["error"]


def test_who_calls_by_another_name_is_refused(api):
    assert api.get("/health", headers={"Host": "evil.example"}).status_code == 421
    assert api.get("/health", headers={"Host": "[::1"}).status_code == 421
    assert api.get("/health", headers={"Host": "localhost:1"}).status_code == 200


def test_other_sites_pages_are_refused(api, served):
    headers = {"Origin": "https://evil.example"}
    assert api.post("/query", data={"track": [1]}, headers=headers).status_code == 403
    assert api.get("/health", headers={"Origin": "http://[x"}).status_code == 403
    assert api.get("/map", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert api.get("/health", headers={"Origin": served.url}).status_code == 200
    assert "access-control-allow-origin" not in api.get("/health", headers=headers).headers


def test_an_upload_broken_off_does_no_harm(api, served):
    parts = urlsplit(served.url)
    for _ in range(3):
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            head = f"POST /api/embed HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 5000\r\n"
            kind = "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            connection.sendall((head + kind).encode())
    assert api.post("/embed", files=upload(served.clip("hiss.flac"))).status_code == 200


def test_the_description_is_kept_to(served):
    """By requests made up from it: no crash, and no answer that it does not describe."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/api/openapi.json"]
    command += ["--checks", "not_a_server_error,status_code_conformance", "--max-examples", "15"]
    command += ["--seed", "1", "--workers", "2", "--phases", "examples,coverage,fuzzing"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3_000:]


def test_a_longer_clip_is_heard_whole(api, tmp_path):
    path = write(tmp_path / "long.wav", noise(60.0))
    found = api.post("/embed", files=upload(path)).json()["embedding"]
    np.testing.assert_allclose(found, Embedder("compact").embed(path).vector, atol=1e-5)

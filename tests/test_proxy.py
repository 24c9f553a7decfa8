"""`audiosearch proxy` before a real Subsonic server, seen by a real client of such servers."""

import asyncio
import contextlib
import gzip
import itertools
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import httpx
import libopensonic
import pytest
from images import encoded
from overhttp import answering, send
from sounds import encode, melody, noise
from supysonic_server import PASSWORD, USER, SubsonicServer, certificates, supysonic, trust_only
from tracks import SPEC
from waiting import wait_for

from audiosearch import Index, add
from audiosearch.errors import MissingExtra
from audiosearch.players import open_player
from audiosearch.players.subsonic.proxy import Proxy
from audiosearch.search.options import SearchOptions
from audiosearch.search.similar import similar

# Reading the trusted certificates takes longer than a request.
get, stream = (partial(request, verify=False, timeout=60) for request in (httpx.get, httpx.stream))

LOGIN = {"u": USER, "p": PASSWORD, "v": "1.12.0", "c": "test"}
NAMESPACE = "{http://subsonic.org/restapi}"


@dataclass
class World:
    """A server, a proxy before it, and the index that the proxy uses."""

    server: SubsonicServer
    proxy: str
    index: Path
    ids: dict[str, str]  # of songs, by title, without the copy
    paths: dict[str, str]  # ids by path
    said: list[str]  # lines that the proxy printed after its address

    def ask(self, method: str, *, base: str | None = None, **parameters: object) -> dict:
        """Return the answer of a method in JSON."""
        query = {**LOGIN, "f": "json", **parameters}
        response = get(f"{base or self.proxy}/rest/{method}", params=query)
        return response.json()["subsonic-response"]


@contextlib.contextmanager
def proxying(server: str, index: Path, *options: str):
    """Run `audiosearch proxy` for the length of a block; yields its URL and later messages."""
    command = [sys.executable, "-m", "audiosearch", "proxy", server, "--port", "0", *options]
    with subprocess.Popen(
        [*command, "--index", index], stderr=subprocess.PIPE, text=True
    ) as process:
        said: list[str] = []
        first = process.stderr.readline()
        reader = threading.Thread(target=said.extend, args=[process.stderr], daemon=True)
        reader.start()
        try:
            yield re.search(r"http://\S+[0-9]", first).group(), said
        finally:
            process.terminate()
            reader.join()


def make_songs(music: Path) -> None:
    """Write songs of four artists, a cover, and a second copy of one song."""
    for number in range(12):
        album = music / f"Artist {number % 4}" / "Album"
        album.mkdir(parents=True, exist_ok=True)
        encode(
            album / f"{number:02} - Song {number}.flac",
            melody(3.0, seed=number) if number % 3 else noise(3.0, seed=number),
            *[16_000],
            container="flac",
            codec="flac",
            title=f"Song {number}",
            artist=f"Artist {number % 4}",
            album=f"Album of {number % 4}",
        )
    (music / "Artist 0" / "Album" / "cover.jpg").write_bytes(encoded("JPEG", (300, 300)))
    copies = music / "Copies"
    copies.mkdir()
    shutil.copy(music / "Artist 1" / "Album" / "01 - Song 1.flac", copies / "again.flac")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxied")
    music, elsewhere = folder / "music", folder / "elsewhere"
    make_songs(music)
    elsewhere.mkdir()
    encode(
        elsewhere / "mine.flac",
        melody(3.0, seed=1)[:40_000],
        16_000,
        container="flac",
        codec="flac",
        title="Not on the server",
    )
    add(folder / "index", [music, elsewhere], model="compact", n_jobs=1)
    encode(
        music / "new.flac",
        melody(3.0, seed=50),
        16_000,
        container="flac",
        codec="flac",
        title="Not in the index",
    )
    with (
        supysonic(music, folder / "data") as server,
        proxying(server.url, folder / "index") as (proxy, said),
    ):
        world = World(server, proxy, folder / "index", {}, {}, said)
        found = world.ask("search3", base=server.url, query="", songCount=100)
        for song in found["searchResult3"]["song"]:
            world.paths[str(music / song["path"])] = song["id"]
            if not song["path"].startswith("Copies"):
                world.ids[song["title"]] = song["id"]
        yield world


@contextlib.contextmanager
def client(url: str, password: str = PASSWORD):
    """A client of another project."""
    base, _, port = url.rpartition(":")
    connection = libopensonic.Connection(base, USER, password, port=int(port), legacy_auth=True)
    try:
        yield connection
    finally:
        connection.cleanup()
        connection._loop.close()


def body(connection, response) -> bytes:
    """Read the answer of a method that sends a file."""
    return asyncio.run_coroutine_threadsafe(response.read(), connection._loop).result()


# What is passed on

READING = {
    "ping": lambda c, w: c.ping(),
    "license": lambda c, w: c.get_license(),
    "artists": lambda c, w: c.get_artists(),
    "an artist": lambda c, w: c.get_artist(c.get_artists().index[0].artist[0].id),
    "albums": lambda c, w: c.get_album_list2("alphabeticalByName", size=50),
    "folders": lambda c, w: c.get_indexes(),
    "search": lambda c, w: c.search3("Song 1"),
    "a song": lambda c, w: c.get_song(w.ids["Song 5"]),
    "stream": lambda c, w: body(c, c.stream(w.ids["Song 3"])),
    "download": lambda c, w: body(c, c.download(w.ids["Song 4"])),
    "cover": lambda c, w: body(c, c.get_cover_art(c.get_song(w.ids["Song 0"]).cover_art, 100)),
}
WRITING = {
    "star": lambda c, w: (c.star([w.ids["Song 2"]]), c.get_starred2(), c.unstar([w.ids["Song 2"]])),
}


@pytest.mark.parametrize("name", [*READING, *WRITING])
def test_a_client_sees_through_the_proxy_what_it_sees_on_the_server(world, name):
    use = (READING | WRITING)[name]
    with client(world.server.url) as direct, client(world.proxy) as proxied:
        expected, seen = use(direct, world), use(proxied, world)
    without_times = [
        re.sub(r"created='[^']*'|starred='[^']*'", "", repr(x)) for x in (expected, seen)
    ]
    assert without_times[0] == without_times[1]


def test_playlists_are_made_and_seen_through_the_proxy(world):
    def playlists(base: str) -> list:
        listed = world.ask("getPlaylists", base=base)["playlists"].get("playlist", [])
        return [world.ask("getPlaylist", base=base, id=item["id"])["playlist"] for item in listed]

    with client(world.proxy) as proxied:
        proxied.create_playlist(name="mine", song_ids=[world.ids["Song 7"], world.ids["Song 2"]])
        seen = playlists(world.proxy)
        assert [song["title"] for song in seen[0]["entry"]] == ["Song 7", "Song 2"]
        assert seen == playlists(world.server.url)
        proxied.delete_playlist(seen[0]["id"])
    assert playlists(world.server.url) == []


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("GET", {}, id="whole"),
        pytest.param("GET", {"Range": "bytes=100-299"}, id="range"),
        pytest.param("GET", {"Range": "bytes=99999999-"}, id="range beyond the end"),
        pytest.param("HEAD", {}, id="HEAD"),
    ],
)
def test_a_stream_is_the_same_byte_for_byte(world, method, headers):
    query = {**LOGIN, "id": world.ids["Song 3"]}
    direct, proxied = (
        httpx.request(method, f"{url}/rest/download.view", params=query, headers=headers)
        for url in (world.server.url, world.proxy)
    )
    assert proxied.status_code == direct.status_code
    assert proxied.content == direct.content
    kept = ("content-type", "content-length", "content-range", "accept-ranges", "server")
    assert [proxied.headers.get(k) for k in kept] == [direct.headers.get(k) for k in kept]
    assert len(proxied.headers.get_list("date")) == 1


@pytest.mark.parametrize("suffix", ["", ".view"])
@pytest.mark.parametrize("form", [False, True], ids=["GET", "form"])
@pytest.mark.parametrize("method", ["ping", "getSimilarSongs2"])
def test_parameters_come_in_the_address_or_in_a_form(world, method, suffix, form):
    parameters = {**LOGIN, "f": "json", "id": world.ids["Song 1"], "count": "3"}
    url = f"{world.proxy}/rest/{method}{suffix}"
    response = httpx.post(url, data=parameters) if form else get(url, params=parameters)
    assert response.json()["subsonic-response"]["status"] == "ok"


@pytest.mark.parametrize(
    "path", ["/", "/rest", "/api/x", "/rest/../admin", "/rest/%2e%2e/admin", "/rest/..%2fadmin"]
)
def test_only_methods_are_served(world, path):
    host, _, port = world.proxy.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"only serves /rest/" in answer


def test_a_hundred_streams_at_once_are_complete(world):
    query = {**LOGIN, "id": world.ids["Song 3"]}
    expected = get(f"{world.server.url}/rest/download", params=query).content
    together = threading.Barrier(100)

    def read(_: int) -> bytes:  # supysonic counts what is streamed, one at a time
        with stream("GET", f"{world.proxy}/rest/download", params=query, timeout=60) as answer:
            together.wait(60)  # all answers have begun, and none has been read
            return answer.read()

    with ThreadPoolExecutor(100) as threads:
        assert set(threads.map(read, range(100))) == {expected}


# What the proxy answers itself


def songs_of(world, result) -> list[str]:
    """Ids on the server of the hits of a search, in their order."""
    return [world.paths[hit.track.path] for hit in result.hits if hit.track.path in world.paths]


def query(world, *titles: str, k: int = 100):
    with Index(world.index) as index:
        names = [f"#{track.id}" for track in index if track.title in titles]
        return similar(
            index,
            names[:1] if len(titles) == 1 else names,
            k=k,
            options=SearchOptions(is_distinct=True),
        )


def test_sonic_similar_tracks_are_those_of_query(world):
    with client(world.proxy) as proxied:
        matches = proxied.get_sonic_similar_tracks(world.ids["Song 4"], count=6)
    result = query(world, "Song 4")
    assert [match.entry.id for match in matches] == songs_of(world, result)[:6]
    by_title = {hit.track.title: hit.similarity for hit in result.hits}
    assert [match.similarity for match in matches] == pytest.approx(
        [max(0.0, by_title[match.entry.title]) for match in matches], abs=1e-5
    )


@pytest.mark.parametrize("method", ["getSimilarSongs", "getSimilarSongs2"])
def test_similar_songs_are_those_of_query_with_artists_apart(world, method):
    answer = world.ask(method, id=world.ids["Song 4"], count=6)
    songs = answer[method.removeprefix("get")[0].lower() + method.removeprefix("getS")]["song"]
    assert {song["id"] for song in songs} == set(songs_of(world, query(world, "Song 4"))[:6])
    artists = [song["artist"] for song in songs]
    assert all(first != second for first, second in itertools.pairwise(artists))
    assert songs[0] == world.ask("getSong", base=world.server.url, id=songs[0]["id"])["song"]


@pytest.mark.parametrize("count", ["100", "1" + "0" * 9, "9" * 5_000])
def test_copies_are_left_out(world, count):
    answer = world.ask("getSonicSimilarTracks", id=world.ids["Song 5"], count=count)
    titles = [match["entry"]["title"] for match in answer["sonicMatch"]]
    assert titles.count("Song 1") == 1
    assert "Song 5" not in titles


def test_a_short_sound_is_only_similar_to_a_short_one(world, tmp_path):
    shutil.copytree(world.index, tmp_path / "index")
    with Index(tmp_path / "index") as index:
        long = [(track, {"seconds": 180.0}) for track in index if track.title != "Song 5"]
        index.storage.set_fields(long)

    def similar_to(title):
        answer = world.ask("getSimilarSongs2", base=proxy, id=world.ids[title], count=100)
        return {song["title"] for song in answer["similarSongs2"]["song"]}

    with proxying(world.server.url, tmp_path / "index") as (proxy, _):
        assert "Song 5" not in similar_to("Song 4")
        assert "Song 4" in similar_to("Song 5")


@pytest.mark.parametrize("kind", ["album", "artist", "folder"])
def test_albums_artists_and_folders_have_similar_songs(world, kind):
    song = world.ask("getSong", id=world.ids["Song 2"])["song"]
    id_ = {"album": song["albumId"], "artist": song["artistId"], "folder": song["parent"]}[kind]
    songs = world.ask("getSimilarSongs", id=id_, count=4)["similarSongs"]["song"]
    seeds = "Song 2", "Song 6", "Song 10"
    assert {s["id"] for s in songs} == set(songs_of(world, query(world, *seeds))[:4])


def test_a_path_leads_from_one_song_to_another(world):
    first, last = world.ids["Song 1"], world.ids["Song 2"]
    with client(world.proxy) as proxied:
        path = proxied.find_sonic_path(first, last, count=5)
    assert (path[0].entry.id, path[-1].entry.id) == (first, last)
    assert path[0].similarity == pytest.approx(1.0)
    assert 2 <= len(path) <= 5
    assert len({match.entry.id for match in path}) == len(path)


def test_the_extension_is_announced_even_for_a_server_without_extensions(world):
    assert world.ask("getOpenSubsonicExtensions", base=world.server.url)["status"] == "failed"
    with client(world.proxy) as proxied:
        extensions = proxied.get_open_subsonic_extensions()
    assert [(e.name, e.versions) for e in extensions] == [("sonicSimilarity", [1])]


def test_answers_come_in_xml_and_jsonp_too(world):
    parameters = {**LOGIN, "id": world.ids["Song 4"], "count": "2"}
    url = f"{world.proxy}/rest/getSonicSimilarTracks"
    expected = world.ask("getSonicSimilarTracks", **parameters)["sonicMatch"]
    script = get(url, params={**parameters, "f": "jsonp", "callback": "back"}).text
    assert (
        json.loads(script.removeprefix("back(").removesuffix(");"))["subsonic-response"][
            "sonicMatch"
        ]
        == expected
    )
    root = ET.fromstring(get(url, params=parameters).content)
    assert (root.tag, root.get("status")) == (f"{NAMESPACE}subsonic-response", "ok")
    entries = [match.find(f"{NAMESPACE}entry") for match in root]
    direct = get(
        f"{world.server.url}/rest/getSong", params={**LOGIN, "id": expected[0]["entry"]["id"]}
    )
    assert entries[0].attrib == ET.fromstring(direct.content)[0].attrib
    assert [float(m.get("similarity")) for m in root] == [m["similarity"] for m in expected]


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        pytest.param("getSimilarSongs", {}, 10, id="no id"),
        pytest.param("findSonicPath", {"startSongId": "x"}, 0, id="an id that is none"),
        pytest.param("getSonicSimilarTracks", {"id": "unknown"}, 0, id="unknown song"),
        pytest.param("getSonicSimilarTracks", {"id": "Not in the index"}, 70, id="unknown track"),
        pytest.param("getSimilarSongs", {"id": "Song 1", "count": "-1"}, 0, id="no number"),
    ],
)
def test_a_request_that_can_not_be_answered_fails_with_a_code(world, method, parameters, code):
    answer = world.ask(method, **{k: world.ids.get(v, v) for k, v in parameters.items()})
    assert (answer["status"], answer["error"]["code"]) == ("failed", code)
    assert str(world.index) not in json.dumps(answer)


def test_a_song_that_is_not_in_the_index_has_no_similar_songs(world):
    answer = world.ask("getSimilarSongs2", id=world.ids["Not in the index"])
    assert (answer["status"], answer["similarSongs2"]) == ("ok", {"song": []})


@pytest.mark.parametrize("format_", ["json", "xml"])
@pytest.mark.parametrize(
    "method",
    ["getSimilarSongs", "getSonicSimilarTracks", "findSonicPath", "getOpenSubsonicExtensions"],
)
def test_a_wrong_password_is_refused_by_the_server(world, method, format_):
    query = {**LOGIN, "p": "wrong", "f": format_, "id": world.ids["Song 1"]}
    ours = get(f"{world.proxy}/rest/{method}", params=query).text
    assert ours == get(f"{world.server.url}/rest/ping", params=query).text
    assert "40" in ours
    assert "Song" not in ours


def test_a_server_that_is_gone_gives_the_errors_that_clients_expect(world, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with proxying(f"http://127.0.0.1:{port}", world.index) as (url, _):
        with client(url) as proxied:
            for use in (proxied.ping, proxied.get_similar_songs, proxied.get_similar_songs2):
                with pytest.raises(libopensonic.errors.SonicError, match="can't be reached"):
                    use(*["1"] * (use != proxied.ping))
        answer = ET.fromstring(get(f"{url}/rest/stream.view", params=LOGIN).content)
        assert (answer.get("status"), answer[0].get("code")) == ("failed", "0")


def test_a_server_with_a_certificate_authority_of_ones_own_is_reached(world, tmp_path, monkeypatch):
    authority, certificate = certificates(tmp_path)
    music = world.server.log.parents[1] / "music"
    with supysonic(music, tmp_path / "data", certificate=certificate) as server:
        with proxying(server.url, world.index) as (proxy, said):
            assert "can't be reached" in world.ask("ping", base=proxy)["error"]["message"]
            wait_for(lambda: "CERTIFICATE_VERIFY_FAILED" in "".join(said))
        trust_only(authority, monkeypatch)
        with proxying(server.url, world.index) as (proxy, _):
            assert world.ask("ping", base=proxy)["status"] == "ok"
            (song,) = world.ask("search3", base=proxy, query="Song 5")["searchResult3"]["song"]
            found = world.ask("getSimilarSongs2", base=proxy, id=song["id"])
            assert found["similarSongs2"]["song"]


def test_credentials_are_never_printed(world):
    assert not [line for line in world.said if PASSWORD in line or "s3cret" in line]
    assert "s3cret" not in "".join(
        line
        for line in world.server.log.read_text().splitlines()
        if "getSong" in line and "POST" in line
    )


# A made-up server


class Made:
    """A server of OpenSubsonic that streams in several ways. It notices clients that leave."""

    PARTS = tuple(bytes([number]) * 50_000 for number in range(20))

    def __init__(self) -> None:
        self.left = threading.Event()  # when the reader of an endless stream has left
        self.seen: list[dict] = []  # headers of requests
        self.methods: list[str] = []

    def __call__(self, handler) -> None:
        method = urlsplit(handler.path).path.rpartition("/")[2].removesuffix(".view")
        self.methods.append(method)
        self.seen.append({name.lower(): value for name, value in handler.headers.items()})
        getattr(self, f"send_{method}", self.send_ping)(handler)

    def send_ping(self, handler, **fields) -> None:
        answer = {"status": "ok", "version": "1.16.1", "type": "made", "openSubsonic": True}
        content = json.dumps({"subsonic-response": answer | fields}).encode()
        send(handler, content, Content_Type="application/json")

    def send_getOpenSubsonicExtensions(self, handler) -> None:  # noqa: N802
        self.send_ping(handler, openSubsonicExtensions=[{"name": "formPost", "versions": [1]}])

    def send_getSong(self, handler) -> None:  # noqa: N802
        time.sleep(1.0)
        self.send_ping(handler, status="failed", error={"code": 70})

    def send_stream(self, handler) -> None:
        kind = parse_qs(urlsplit(handler.path).query)["id"][0]
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        if kind == "gzip":
            handler.send_header("Content-Encoding", "gzip")
            handler.send_header("Connection", "X-Hop, close")
            handler.send_header("X-Hop", "1")
        length = {"gzip": len(GZIPPED), "broken": 10**6, "slow": 50_000 * 20}.get(kind)
        handler.send_header(*(("Content-Length", str(length)) if length else ("X-Endless", "1")))
        handler.end_headers()
        if kind == "gzip":
            handler.wfile.write(GZIPPED)
        elif kind == "broken":
            handler.wfile.write(b"only this")
        elif kind == "slow":
            for part in self.PARTS:
                handler.wfile.write(part)
                time.sleep(0.02)
        elif kind == "endless":
            self._send_until_left(handler, b"x" * 1_000, pause=0.01)
        elif kind == "silent":
            handler.wfile.write(b"first")
            handler.connection.recv(1)  # returns at the end of the connection
            self.left.set()

    def _send_until_left(self, handler, part: bytes, pause: float) -> None:
        try:
            while True:
                handler.wfile.write(part)
                time.sleep(pause)
        except OSError:
            self.left.set()


GZIPPED = gzip.compress(b"sound " * 1_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made-up server and the URL of a proxy before it."""
    index, server = tmp_path_factory.mktemp("made") / "index", Made()
    Index(index, spec=SPEC).close()
    with answering(server) as (url, _), proxying(url, index) as (proxy, _said):
        yield server, proxy


def test_a_slow_stream_is_complete(made):
    answer = get(f"{made[1]}/rest/stream?id=slow")
    assert answer.content == b"".join(Made.PARTS)


def test_compressed_bytes_are_not_touched_and_headers_of_the_connection_stay_there(made):
    with stream("GET", f"{made[1]}/rest/stream?id=gzip") as answer:
        assert b"".join(answer.iter_raw()) == GZIPPED
    assert answer.headers["content-encoding"] == "gzip"
    assert "x-hop" not in answer.headers


def test_nothing_more_is_asked_for_a_client_that_has_left(made):
    server, proxy = made
    server.methods.clear()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{proxy}/rest/getSimilarSongs?id=any", timeout=0.6)
    time.sleep(1.5)
    assert server.methods == ["ping", "getSong"]


@pytest.mark.parametrize("kind", ["endless", "silent"])
def test_the_connection_to_the_server_ends_when_the_client_leaves(made, kind):
    server, proxy = made
    server.left.clear()
    with stream("GET", f"{proxy}/rest/stream?id={kind}") as answer:
        next(answer.iter_raw())
    assert server.left.wait(20)


def test_an_answer_that_the_server_breaks_off_is_incomplete_for_the_client(made):
    with pytest.raises(httpx.RemoteProtocolError):
        get(f"{made[1]}/rest/stream?id=broken")


def test_the_extension_joins_those_of_the_server(made):
    url = f"{made[1]}/rest/getOpenSubsonicExtensions"
    answer = get(url, params={"f": "json"}).json()["subsonic-response"]
    assert [item["name"] for item in answer["openSubsonicExtensions"]] == [
        "formPost",
        "sonicSimilarity",
    ]
    assert answer["type"] == "made"
    root = ET.fromstring(get(url).content)
    assert [item.get("name") for item in root] == ["formPost", "sonicSimilarity"]
    assert [item[0].text for item in root] == ["1", "1"]


def test_headers_of_the_user_reach_the_server_and_no_others_are_added(made):
    server, proxy = made
    server.seen.clear()
    get(f"{proxy}/rest/getSimilarSongs", headers={"Authorization": "Basic x", "Cookie": "a=b"})
    assert {(seen.get("authorization"), seen.get("cookie")) for seen in server.seen} == {
        ("Basic x", "a=b")
    }
    server.seen.clear()
    with socket.create_connection(made_address(proxy)) as connection:
        connection.sendall(b"GET /rest/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.recv(65_536)
    assert set(server.seen[0]) == {"host"}


def made_address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port


def test_netrc_lets_nobody_in(made, tmp_path, monkeypatch):
    server, _ = made
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Index(tmp_path / "index", spec=SPEC).close()
    with answering(server) as (url, _), proxying(url, tmp_path / "index") as (proxy, _said):
        server.seen.clear()
        get(f"{proxy}/rest/ping", trust_env=False)
        get(f"{proxy}/rest/getSimilarSongs", trust_env=False)
    assert not [seen for seen in server.seen if "authorization" in seen]


def test_without_httpx_the_proxy_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "audiosearch.players.subsonic.upstream", raising=False)
    with pytest.raises(MissingExtra, match="`audiosearch proxy` needs the package httpx"):
        Proxy("http://nas:4533", tmp_path, artist_gap=1)


def test_a_playlist_can_be_sent_without_httpx(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    assert open_player("subsonic://ann@nas:4533")

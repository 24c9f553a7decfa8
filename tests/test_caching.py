"""Caching and compression of responses over HTTP."""

import httpx
import pytest
from blake3 import blake3


@pytest.fixture
def client(served):
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


TEXTS = [
    "/",
    "/page/styles/base.css",
    "/page/page.js",
    "/api/tracks",
    "/api/openapi.json",
    "/api/map",
]


@pytest.mark.parametrize("path", TEXTS)
def test_text_is_compressed_for_clients_that_accept_it(client, path):
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    small = client.get(path, headers={"Accept-Encoding": "br, gzip"})
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < len(plain.content)
    assert small.content == plain.content
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0"])
def test_text_is_not_compressed_for_other_clients(client, accepted):
    answer = client.get("/api/tracks", headers={"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=10-20000"}], ids=["whole", "range"])
def test_audio_is_not_compressed(client, served, headers):
    path = f"/api/tracks/{served.ids['tone1.wav']}/audio"
    answer = client.get(path, headers={"Accept-Encoding": "gzip", **headers})
    assert "content-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("path", ["/api/health", "/api/tracks/0"], ids=["short", "error"])
def test_short_answers_and_errors_are_not_compressed(client, path):
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_head_has_the_length_of_the_compressed_answer(client):
    headers = {"Accept-Encoding": "gzip"}
    head, whole = (
        client.request(method, "/api/tracks", headers=headers) for method in ("HEAD", "GET")
    )
    assert head.headers["content-length"] == whole.headers["content-length"]


@pytest.mark.parametrize(
    "path", ["/", "/page/page.js", "/page/styles/base.css", "/logo.svg", "/docs"]
)
def test_an_unchanged_page_is_not_sent_again(client, path):
    first = client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"If-None-Match": 'W/"other"'}).content == first.content


def test_a_file_is_kept_for_good_if_its_address_names_its_content(client):
    digest = blake3(client.get("/page/page.js").content).hexdigest(length=8)
    kept = client.get("/page/page.js", params={"v": digest})
    assert "immutable" in kept.headers["cache-control"]
    other = client.get("/page/page.js", params={"v": "0123456789abcdef"})
    assert other.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/logo.svg", "/favicon.ico"])
def test_the_logo_is_a_small_svg_that_loads_nothing(client, path):
    logo = client.get(path)
    assert logo.headers["content-type"].startswith("image/svg+xml")
    assert len(logo.content) < 2_000
    assert b"script" not in logo.content
    assert b"href" not in logo.content

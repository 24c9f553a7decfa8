"""Servers that redirect, to learn credentials or to reach what only this machine can reach."""

import base64
import hashlib
import socket

import pytest
from overhttp import PASSWORD, USER, answering, send
from sounds import tone, write

from audiosearch import AudioError
from audiosearch.audio.fetch import fetched
from audiosearch.audio.url_listing import list_url
from audiosearch.errors import DownloadError
from audiosearch.models.download import download

LOGIN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
BODY = b"no sound"


def redirecting_to(target):
    def answer(handler):
        send(handler, b"", 302, Location=target.replace("PATH", handler.path))

    return answer


def read(url):
    with fetched(url) as copy, open(copy.path, "rb") as file:
        return file.read()


def fetch_model(url, folder):
    digest = hashlib.sha512(BODY).hexdigest()
    path = folder / "models" / "file"
    download(url, path, sha512=digest, label="the file", hint="Try.")
    return path.read_bytes()


def reading(kind, url, folder):
    """Do with a URL what the command line does in one of three ways; all follow redirects."""
    if kind == "fetch":
        return read(f"{url}/a.wav")
    if kind == "list":
        return list_url(f"{url}/a.wav").files
    return fetch_model(f"{url}/a.bin", folder)


KINDS = ["fetch", "list", "model"]


@pytest.fixture
def public_host(monkeypatch):
    """Take 127.0.0.2 for an address in the internet."""
    from audiosearch import http_client

    real = http_client.network_of
    monkeypatch.setattr(
        http_client, "network_of", lambda address: 0 if address == "127.0.0.2" else real(address)
    )
    return "127.0.0.2"


@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_to_another_host_is_followed(kind, tmp_path):
    with (
        answering(send) as (target, asked),
        answering(redirecting_to(f"{target}PATH"), "127.0.0.2") as (url, _),
    ):
        assert reading(kind, url, tmp_path)
    assert len(asked) >= 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_name", [True, False], ids=["name", "address"])
def test_a_public_host_cannot_redirect_to_this_machine(kind, is_name, tmp_path, public_host):
    reason = r"redirects to this machine's own address \(127\.0\.0\.1\) from a public one"
    with answering(send) as (address, asked):
        target = address.replace("127.0.0.1", "localhost") if is_name else address
        with (
            answering(redirecting_to(f"{target}PATH"), public_host) as (url, _),
            pytest.raises((AudioError, DownloadError), match=reason) as caught,
        ):
            reading(kind, url, tmp_path)
    assert caught.value.hint
    assert asked == []


def test_the_address_of_the_connection_counts_not_the_one_that_was_looked_up(
    public_host, monkeypatch
):
    look_up, addresses = socket.getaddrinfo, ["127.0.0.2", "127.0.0.1"]

    def rebinding(host, *arguments, **options):
        return look_up(addresses.pop(0) if host == "rebinding.test" else host, *arguments)

    with answering(send, "0.0.0.0") as (listening, asked):
        port = listening.rpartition(":")[2]

        def answer(handler):
            send(handler, b"", 302, Location=f"http://rebinding.test:{port}/secret.wav")

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        with answering(answer, public_host) as (url, _):
            named = url.replace(public_host, "rebinding.test")
            with pytest.raises(AudioError, match="this machine's own address"):
                read(f"{named}/a.wav")
    assert (addresses, asked) == ([], [])


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param("file:///etc/passwd", "isn't http", id="file"),
        pytest.param("ftp://127.0.0.1/a", "isn't http", id="ftp"),
        pytest.param("http://[::1", "isn't http", id="no URL"),
        pytest.param("http://169.254.169.254/latest/", "a link-local address", id="cloud metadata"),
        pytest.param("http://10.0.0.1/router", "a private address", id="private"),
        pytest.param("http://[::ffff:10.0.0.1]/router", "a private address", id="mapped"),
        pytest.param("PATH", "redirects more than 5 times", id="endless"),
    ],
)
def test_other_redirects_are_refused(target, reason, public_host):
    with (
        answering(redirecting_to(target), public_host) as (url, asked),
        pytest.raises(AudioError, match=reason),
    ):
        read(f"{url}/a.wav")
    assert len(asked) <= 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_body_of_a_redirect_is_not_read(kind, tmp_path):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", f"{target}{handler.path}")
        handler.end_headers()
        while handler.command == "GET":  # until the client hangs up
            handler.wfile.write(bytes(1 << 20))

    with answering(send) as (target, _), answering(answer) as (url, _):
        assert reading(kind, url, tmp_path)


def test_https_never_becomes_http():
    from audiosearch.http_client import HttpClient, RefusedAnswer

    client = HttpClient("https://127.0.0.1/a.wav", response_seconds=1, stall_seconds=1)
    with pytest.raises(RefusedAnswer, match="from https to http"):
        client._target("https://127.0.0.1/a.wav", "http://127.0.0.1/a.wav")


@pytest.mark.parametrize(
    "target_host", ["127.0.0.1", "127.0.0.2"], ids=["other port", "other host"]
)
@pytest.mark.parametrize("kind", ["fetch", "list"])
def test_credentials_are_sent_to_no_other_host_or_port(kind, target_host, tmp_path, monkeypatch):
    logins = "".join(
        f"machine {host} login {USER} password {PASSWORD}\n" for host in ("127.0.0.1", "127.0.0.2")
    )
    (tmp_path / "netrc").write_text(logins)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with (
        answering(send, target_host) as (target, asked),
        answering(redirecting_to(f"{target}PATH")) as (url, first),
    ):
        reading(kind, url, tmp_path)
    assert {login for _, login in first} == {LOGIN}
    assert {login for _, login in asked} == {None}


def test_the_user_name_and_password_of_a_mirror_stay_there_and_out_of_messages(tmp_path):
    with (
        answering(lambda handler: send(handler, b"wrong")) as (target, asked),
        answering(redirecting_to(f"{target}PATH"), "127.0.0.2") as (url, first),
    ):
        mirror = url.replace("//", f"//{USER}:{PASSWORD}@")
        with pytest.raises(DownloadError, match="wrong SHA-512") as caught:
            fetch_model(f"{mirror}/a.bin", tmp_path)
    assert PASSWORD not in str(caught.value)
    assert [login for _, login in first] == [LOGIN]
    assert [login for _, login in asked] == [None]


def test_a_folder_that_redirects_lists_the_files_of_its_target(tmp_path):
    page = b'<a href="a.wav">a</a> <a href="/music/b.wav">b</a> <a href="/c.wav">c</a>'

    def answer(handler):
        send(handler, page if handler.path.endswith("/") else BODY, Content_Type="text/html")

    with (
        answering(answer) as (target, _),
        answering(redirecting_to(f"{target}PATH"), "127.0.0.2") as (url, _),
    ):
        listing = list_url(f"{url}/music/")
    assert list(listing.files) == [f"{url}/music/a.wav", f"{url}/music/b.wav"]
    assert listing.errors == {}


def test_a_fetched_sound_is_the_one_behind_the_redirect(tmp_path):
    content = write(tmp_path / "a.wav", tone(440)).read_bytes()
    with (
        answering(lambda handler: send(handler, content)) as (target, _),
        answering(redirecting_to(f"{target}PATH"), "127.0.0.2") as (url, _),
    ):
        assert read(f"{url}/a.wav") == content

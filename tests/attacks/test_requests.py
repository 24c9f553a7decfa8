"""Odd requests, as bytes on a socket: each gets an error of one sentence with a hint, or works."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from rawhttp import ask, chunked, message, post
from served import serving

NINES = b"9" * 4_400
AUDIO = b"/api/tracks/1/audio"
LIST = b"/api/playlist"
QUERY = b"/api/query"
FORM = b"multipart/form-data; boundary=x"


def case(name, request, *statuses):
    return pytest.param(request, statuses, id=name)


def part(name, content=b"1", *, more=b""):
    """A part of a form whose boundary is x."""
    head = b'--x\r\nContent-Disposition: form-data; name="%s"%s' % (name, more)
    return head + b"\r\n\r\n" + content + b"\r\n"


def form(*parts, kind=FORM, path=QUERY):
    return post(path, b"".join(parts) + b"--x--\r\n", kind)


def playlist(fields):
    """A request of a playlist like track 1, with more fields as JSON."""
    return post(LIST, b'{"tracks":[1],' + fields + b"}")


def nested(opening, closing, depth):
    return opening * depth + closing * depth


#: Requests that are answered with one of these statuses.
REQUESTS = [
    case("Range to 4,400 nines", message(b"GET " + AUDIO, b"Range: bytes=0-" + NINES), 416),
    case("Range from 4,400 nines", message(b"GET " + AUDIO, b"Range: bytes=%s-" % NINES), 416),
    case("Range of the last 4,400 nines", message(b"GET " + AUDIO, b"Range: bytes=-" + NINES), 416),
    case("Range after the end", message(b"GET " + AUDIO, b"Range: bytes=999999999-"), 416),
    case("Range of the last 0 bytes", message(b"GET " + AUDIO, b"Range: bytes=-0"), 416),
    case(
        "Range with If-Range",
        message(b"GET " + AUDIO, b"Range: bytes=0-" + NINES, b'If-Range: "x"'),
        200,
    ),
    case("HEAD with a Range", message(b"HEAD " + AUDIO, b"Range: bytes=0-" + NINES), 416),
    case(
        "two Range headers", message(b"GET " + AUDIO, b"Range: x", b"Range: bytes=0-" + NINES), 200
    ),
    case("many ranges", message(b"GET " + AUDIO, b"Range: bytes=0-1" + b",3-4" * 2_000), 200),
    case("Range of superscripts", message(b"GET " + AUDIO, b"Range: bytes=\xb2-\xb3"), 200),
    case("long path", message(b"GET /" + b"a" * 60_000), 431),
    case("very long path", message(b"GET /" + b"a" * 300_000), 431),
    case("long query string", message(b"GET /api/tracks?words=" + b"a" * 40_000), 431),
    case("long words", message(b"GET /api/tracks?words=" + b"a" * 20_000), 422),
    case("20,000 headers", message(b"GET /api/health", *[b"a: b"] * 20_000), 431),
    case("long header", message(b"GET /api/health", b"a: " + b"b" * 60_000), 431),
    case("very long header", message(b"GET /api/health", b"a: " + b"b" * 300_000), 431),
    case("slow cookie", message(b"GET /api/health", b'Cookie: a="%s"' % (b"\\" * 15_000)), 200),
    case("HTTP/1.1 without Host", message(b"GET /api/health", host=b""), 400),
    case("HTTP/1.0 without Host", message(b"GET /api/health HTTP/1.0", host=b""), 421),
    case("HTTP/1.0", message(b"GET /api/health HTTP/1.0"), 200),
    case("two hosts", message(b"GET /api/health", b"Host: 127.0.0.1"), 400),
    case("host of bytes", message(b"GET /api/health", host=b"Host: \xff\xfe"), 421),
    case("host of brackets", message(b"GET /api/health", host=b"Host: [::1"), 421),
    case("HTTP/0.9", b"GET /\r\n\r\n", 400),
    case("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421),
    case("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
    case("bytes", bytes(range(256)), 400),
    case("path of bytes", message(b"GET /\xff\xfe"), 400),
    case("path of escaped bytes", message(b"GET /page/%ff%fe%zz%00"), 404),
    case("path out of the page", message(b"GET /page/%2e%2e/%2e%2e/etc/passwd"), 404),
    case("null byte in a header", message(b"GET /api/health", b"a: \0"), 400),
    case("space in a header's name", message(b"GET /api/health", b"a b: c"), 400),
    case(
        "key of bytes", message(b"GET /api/health", b"X-API-Key: \xff", b"Cookie: \xff=\xff"), 200
    ),
    case("origin of bytes", message(b"GET /api/health", b"Origin: \xff"), 403),
    case("unknown method", message(b"FROB /api/health"), 405),
    case("CONNECT", message(b"CONNECT example.com:443"), 404),
    case("TRACE", message(b"TRACE /api/health"), 405),
    case("OPTIONS *", message(b"OPTIONS *"), 404),
    case("address of another host", message(b"GET http://example.com/api/health"), 404),
    case(
        "upgrade to a web socket",
        message(b"GET /api/health", b"Upgrade: websocket", b"Connection: Upgrade"),
        200,
    ),
    case("id of 4,400 nines", message(b"GET /api/tracks/" + NINES), 422),
    case("limit of 4,400 nines", message(b"GET /api/tracks?limit=" + NINES), 422),
    case("infinite offset", message(b"GET /api/tracks?offset=inf"), 422),
    case("words of null bytes", message(b"GET /api/tracks?words=%00%00"), 200),
    case("words of a lone surrogate", message(b"GET /api/tracks?words=%ed%a0%80"), 200),
    case(
        "body of a GET request", message(b"GET /api/health", b"Content-Length: 1", body=b"1"), 413
    ),
    case(
        "endless body of a GET request",
        message(b"GET " + AUDIO, b"Transfer-Encoding: chunked", body=b"1\r\nx\r\n"),
        413,
    ),
    *(
        case(f"length {name}", message(b"POST " + LIST, b"Content-Length: " + length), status)
        for name, length, status in [
            *(("below 0", b"-1", 400), ("with a sign", b"+1", 400), ("in hex", b"0x1", 400)),
            *(("with a fraction", b"1.5", 400), ("of two numbers", b"1, 2", 400)),
            *(("of exabytes", b"9" * 19, 413), ("of 4,400 nines", NINES, 400)),
            ("of superscripts", b"\xb2", 400),
        ]
    ),
    case("two lengths", message(b"POST /", b"Content-Length: 1", b"Content-Length: 2"), 400),
    case("unknown coding", message(b"POST " + LIST, b"Transfer-Encoding: gzip"), 400, 501),
    case("invalid chunk", chunked(LIST, b"zz\r\n{}\r\n0\r\n\r\n"), 400),
    case("huge chunk", chunked(LIST, b"f" * 30 + b"\r\n{}\r\n0\r\n\r\n"), 400),
    case("invalid chunk after an answer", chunked(b"/nothing", b"1\r\nx\r\nzz\r\n"), 400, 404),
    case("many trailers", chunked(LIST, b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 50_000 + b"\r\n"), 431),
    case("chunks beyond the limit", chunked(LIST, b"10000\r\n%s\r\n" % bytes(2**16) * 20), 413),
    case("chunks of a byte", chunked(LIST, b"1\r\n \r\n" * 180 + b"0\r\n\r\n"), 422),
    case("unknown expectation", post(LIST, b"{}", b"application/json", b"Expect: x"), 422),
    case("expectation", post(LIST, b"{}", b"application/json", b"Expect: 100-continue"), 422),
    case("deep arrays", post(LIST, nested(b"[", b"]", 100_000)), 400),
    case("arrays nearly too deep", playlist(b'"via":' + nested(b"[", b"]", 900)), 422),
    case("deep objects", post(LIST, nested(b'{"a":', b"}", 100_000)), 422, 400),
    case("70,000 unknown fields", playlist(b",".join(b'"%d":0' % n for n in range(70_000))), 422),
    case("field with a long name", playlist(b'"%s":1' % (b"k" * 900_000)), 422),
    case("number of a million digits", post(LIST, b'{"tracks":[%s]}' % (b"9" * 10**6)), 400),
    case("number of 4,000 digits", post(LIST, b'{"tracks":[%s]}' % (b"9" * 4_000)), 422),
    *(
        case(f"{field} of {number.decode()}", playlist(b'"%s":%s' % (field.encode(), number)), 422)
        for field in ("minutes", "diversity", "n", "random_seed", "to")
        for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999")
    ),
    *(
        case(f"lone surrogate: {fields}", playlist(fields.encode()), 422)
        for fields in (
            r'"\ud800":1',
            r'"strategy":"\ud800"',
            r'"only":{"year":"\udfff"}',
            r'"only":{"under":["\ud800"]}',
            r'"exclude_playlists":[{"name":"\ud800.m3u","text":"x"}]',
            r'"exclude_playlists":[{"name":"a.m3u","text":"\ud800"}]',
            r'"exclude_playlists":[{"name":"a.m3u","base64":"\ud800"}]',
        )
    ),
    case(
        "name with a lone surrogate", post(LIST + b"/file", b'{"tracks":[1],"name":"\\udc80"}'), 422
    ),
    case("null bytes", playlist(b'"only":{"under":["\\u0000"]}'), 200),
    case("duplicate fields", post(LIST, b'{"tracks":[1],"tracks":"x"}'), 422),
    case("wrong types", post(LIST, b'{"tracks":{"a":1},"n":[],"only":7}'), 422),
    case("invalid UTF-8", playlist(b'"strategy":"\xff"'), 400),
    *(
        case(f"body {body.decode()!r}", post(LIST, body), 422)
        for body in (b"", b'"x"', b"null", b"1", b"[]", b"{", b"\0")
    ),
    case("no content type", message(b"POST " + LIST, b"Content-Length: 2", body=b"{}"), 422),
    case("content type of bytes", post(LIST, b"{}", b"\xff/;;=="), 422),
    case("JSON as a form", post(LIST, b'{"tracks":[1]}', FORM), 422),
    case("200,000 seeds", post(LIST, b'{"tracks":[%s1]}' % (b"1," * 200_000)), 422),
    case("form without a boundary", form(part(b"track"), kind=b"multipart/form-data"), 400),
    case(
        "form with a long boundary",
        form(kind=b"multipart/form-data; boundary=" + b"b" * 5_000),
        400,
    ),
    case("form of other bytes", post(QUERY, b"x", FORM), 400),
    case("form of unknown encoding", form(part(b"track"), kind=FORM + b"; charset=undefined"), 400),
    case("form with quotes", form(kind=FORM + b'; a="' + b";" * 15_000), 400),
    case("form with 11 files", form(*[part(b"file", more=b'; filename="a"')] * 11), 400),
    case("form with 2,000 fields", form(*[part(b"track")] * 2_000), 400),
    case("form with a long field", form(part(b"track", b"1" * 500_000)), 400),
    case("form with long headers", form(b"--x\r\na: %s\r\n\r\n1\r\n" % (b"b" * 10**6)), 400),
    case("form with many headers", form(b"--x\r\n%s\r\n1\r\n" % (b"a: b\r\n" * 10**5)), 400),
    case("form with a field of 4,000 digits", form(part(b"track"), part(b"k", b"9" * 4_000)), 422),
    case("form with an empty file", form(part(b"file", b"", more=b'; filename="a"')), 422),
    case(
        "form with a path", form(part(b"file", b"x", more=b'; filename="\0../../etc/passwd"')), 422
    ),
    case(
        "fields of 4,400 nines",
        post(QUERY, b"k=" + NINES, b"application/x-www-form-urlencoded"),
        *(400, 422),
    ),
    case(
        "10,000 fields",
        post(QUERY, b"track=1&" * 10_000, b"application/x-www-form-urlencoded"),
        400,
    ),
]


@pytest.mark.parametrize(("request_", "statuses"), REQUESTS)
def test_an_odd_request_works_or_gets_a_sentence_and_a_hint(served, request_, statuses):
    n_said = len(served.said)
    started = time.monotonic()
    answer = ask(served.url, request_)
    assert time.monotonic() - started < 10
    assert answer.status in statuses
    assert len(served.said) == n_said
    if answer.status >= 400 and not request_.startswith(b"HEAD "):
        sentence, hint = answer.problem()
        assert sentence
        assert hint
        assert len(sentence) <= 501
    assert httpx.get(f"{served.url}/api/defaults").status_code == 200


class TestBodies:
    """Request bodies, and the memory that they take."""

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            pytest.param(LIST, FORM, id="form to a JSON route"),
            pytest.param(LIST + b"/file", FORM, id="form to another JSON route"),
            pytest.param(b"/api/session", FORM, id="form to a route without a body"),
            pytest.param(b"/nothing", FORM, id="form to nowhere"),
            pytest.param(QUERY, b"application/x-www-form-urlencoded", id="fields to a form route"),
        ],
    )
    def test_only_uploads_may_be_large(self, served, path, kind):
        start = message(b"POST " + path, b"Content-Type: " + kind, b"Content-Length: 2000000")
        answer = ask(served.url, start)
        assert answer.status == 413
        assert answer.problem()[0] == "The request is larger than 1 MB."

    @pytest.mark.parametrize(
        ("path", "statuses", "n_requests"),
        [
            pytest.param(LIST, {413}, 4, id="JSON route"),
            pytest.param(QUERY, {400, 503}, 12, id="uploads", marks=pytest.mark.long),
        ],
    )
    def test_large_bodies_take_little_memory(self, served, path, statuses, n_requests):
        """In forms that end with an invalid chunk, so that nothing is decoded."""
        process = psutil.Process(served.pid)
        memory = process.memory_info().rss
        head = part(b"file", b"", more=b'; filename="a"')
        body = b"%x\r\n%s\r\n" % (len(head), head) + b"100000\r\n%s\r\n" % bytes(2**20) * 55
        request = chunked(path, body + b"x\r\n", kind=FORM)
        with ThreadPoolExecutor(n_requests) as clients:
            answers = [clients.submit(ask, served.url, request, 60) for _ in range(n_requests)]
            peak = memory
            while not all(answer.done() for answer in answers):
                peak = max(peak, process.memory_info().rss)
                time.sleep(0.01)
        assert {answer.result().status for answer in answers} <= {0, *statuses}
        assert peak - memory < 60e6


@pytest.mark.long
def test_ten_thousand_mutated_requests_leave_memory_and_descriptors_flat(served):
    choices = random.Random(17)
    originals = [
        request for request in (case.values[0] for case in REQUESTS) if len(request) < 5_000
    ]
    with serving(served.folder, served.ids) as server:
        process = psutil.Process(server.pid)
        for number in range(10_000):
            if number == 1_000:
                memory, n_files = process.memory_info().rss, process.num_fds()
            request = bytearray(choices.choice(originals))
            for _ in range(choices.randrange(4)):
                request[choices.randrange(len(request))] = choices.randrange(256)
            if choices.random() < 0.2:
                request += choices.choice(originals)
            status = ask(server.url, bytes(request), timeout=0.2).status
            assert status < 500 or status == 501, bytes(request)
        time.sleep(11)
        assert process.num_fds() <= n_files + 2
        assert process.memory_info().rss - memory < 20e6
        assert server.said == []

"""Cover images that are too large, damaged or no images: nothing of them reaches a browser."""

import io
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from images import PNG, encoded
from PIL import Image
from served import serving
from sounds import melody, write
from tagging import with_cover

from audiosearch import Index, add

MAX_SIDE = 1_000  # pixels
SECONDS = 10.0


def chunk(name, content):
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def huge_png(side=50_000):
    """A valid black image of one bit per pixel."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    data = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def huge_gif():
    frame = b"," + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0) + b"\2\2\x4c\1\0"
    return b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0x80, 0, 0) + bytes(6) + frame + b";"


def huge_jpeg():
    """An image that declares more pixels than it has."""
    image = encoded("JPEG", (64, 64))
    at = image.index(b"\xff\xc0") + 5
    return image[:at] + struct.pack(">HH", 65_000, 65_000) + image[at + 4 :]


def heavy_png():
    return PNG[:-12] + chunk(b"teXt", bytes(11_000_000)) + PNG[-12:]


@pytest.fixture(scope="module")
def covers(tmp_path_factory):
    """A function that puts an image into the tags of the served file, and requests the cover."""
    home = tmp_path_factory.mktemp("covers")
    path = write(home / "a.mp3", melody(1.0))
    sound = path.read_bytes()
    add(home / "index", [path], model="compact", n_jobs=1)
    with Index(home / "index") as index:
        (track,) = index
    with serving(home, {}) as server:

        def request(image):
            path.write_bytes(with_cover(sound, image))
            return httpx.get(f"{server.url}/api/tracks/{track.id}/cover", timeout=SECONDS)

        request.server = server
        yield request


def memory_bytes(server):
    process = psutil.Process(server.pid)
    return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)])


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        pytest.param(huge_png(), "50,000 x 50,000 pixels", id="50,000 x 50,000 pixels"),
        pytest.param(huge_jpeg(), "65,000 x 65,000 pixels", id="huge declared size"),
        pytest.param(huge_gif(), "can't be decoded", id="huge frame of a small GIF"),
        pytest.param(heavy_png(), "larger than 10 MB", id="more than 10 MB"),
        pytest.param(heavy_png() * 3, "larger than 10 MB", id="more than 30 MB"),
        pytest.param(encoded("JPEG", (3_000, 3_000))[:2_000], "can't be decoded", id="cut short"),
        pytest.param(b"\xff\xd8\xff" + b"<script>" * 9, "can't be decoded", id="no JPEG"),
    ],
)
def test_an_unusable_image_is_an_error_that_takes_neither_time_nor_memory(covers, image, sentence):
    before, started = memory_bytes(covers.server), time.monotonic()
    response = covers(image)
    assert (response.status_code, sentence in response.json()["error"]) == (422, True)
    assert str(covers.server.folder) not in response.text
    assert time.monotonic() - started < SECONDS
    assert memory_bytes(covers.server) - before < 150e6


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", id="SVG"),
        pytest.param(b"<!doctype html><script>alert(1)</script>", id="HTML"),
        pytest.param(b"", id="empty"),
    ],
)
def test_what_is_no_image_is_not_sent(covers, image):
    response = covers(image)
    assert (response.status_code, "no cover" in response.text) == (404, True)


@pytest.mark.parametrize(
    ("image", "kind", "size"),
    [
        pytest.param(encoded("JPEG", (2_500, 1_500)), "image/jpeg", (1_000, 600), id="large JPEG"),
        pytest.param(encoded("PNG", (1_500, 3_000)), "image/jpeg", (500, 1_000), id="large PNG"),
        pytest.param(
            encoded("PNG", (2_000, 2_000), "RGBA"), "image/png", (1_000, 1_000), id="transparent"
        ),
        pytest.param(encoded("GIF", (1_200, 600)), "image/jpeg", (1_000, 500), id="GIF"),
        pytest.param(encoded("WEBP", (1_200, 600)), "image/jpeg", (1_000, 500), id="WebP"),
        pytest.param(encoded("JPEG", (1_200, 600), "CMYK"), "image/jpeg", (1_000, 500), id="CMYK"),
    ],
)
def test_a_large_image_is_made_smaller(covers, image, kind, size):
    response = covers(image)
    assert (response.status_code, response.headers["content-type"]) == (200, kind)
    with Image.open(io.BytesIO(response.content)) as picture:
        picture.load()
        assert (f"image/{picture.format.lower()}", picture.size) == (kind, size)
    assert covers(image).content == response.content  # also if it is kept


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {})],
    ids=["JPEG", "progressive JPEG", "PNG"],
)
def test_an_image_within_the_limits_is_sent_as_it_is(covers, kind, options):
    image = encoded(kind, (MAX_SIDE, 640), **options)
    response = covers(image)
    assert response.content == image
    assert response.headers["content-type"] == f"image/{kind.lower()}"


def test_an_image_of_few_pixels_and_many_bytes_is_made_smaller(covers):
    padded = PNG[:-12] + chunk(b"teXt", bytes(2_000_000)) + PNG[-12:]
    assert len(covers(padded).content) < 1_000


def test_no_more_images_wait_to_be_made_smaller_than_a_limit(tmp_path):
    path = write(tmp_path / "a.mp3", melody(1.0))
    add(tmp_path / "index", [path], model="compact", n_jobs=1)
    path.write_bytes(with_cover(path.read_bytes(), encoded("PNG", (4_000, 4_000))))
    with serving(tmp_path, {}, limits={"waiting_covers": 1}) as server:
        url = f"{server.url}/api/tracks/1/cover"
        with ThreadPoolExecutor(4) as pool:
            responses = list(pool.map(lambda _: httpx.get(url, timeout=60), range(4)))
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {200, 503}
    assert "Retry-After" in responses[statuses.index(503)].headers


def test_a_client_that_leaves_does_not_mix_up_images(covers):
    """The next answer is for the next image."""
    for number in range(3):
        slow = encoded("PNG", (4_000, 4_000 + number), compress_level=1)
        (covers.server.folder / "a.mp3").write_bytes(with_cover(b"", slow))
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{covers.server.url}/api/tracks/1/cover", timeout=0.05)
    response = covers(encoded("PNG", (2_000, 1_000)))
    with Image.open(io.BytesIO(response.content)) as picture:
        assert picture.size == (1_000, 500)

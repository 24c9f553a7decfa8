"""Make images smaller. This runs as its own process, because an image may fill memory.

On its standard input it receives images, each after its length in bytes as 4 bytes. On its standard
output it answers each with a smaller one in the same way; with none, of length 0, if it can't be
decoded.
"""

from __future__ import annotations

import sys
from io import BytesIO
from typing import TYPE_CHECKING

from audiosearch.audio.cover import MAX_PIXELS
from audiosearch.confinement import confine

if TYPE_CHECKING:
    from PIL import Image

#: Longest side of an image that is sent to a browser, in pixels.
MAX_SIDE = 1_000
#: Bytes before an image that hold its length.
LENGTH_BYTES = 4

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
_JPEG_QUALITY = 85


def main() -> None:
    """Answer until the standard input is closed."""
    confine()
    images, results = sys.stdin.buffer, sys.stdout.buffer
    while length := images.read(LENGTH_BYTES):
        result = shrunk(images.read(int.from_bytes(length, "big")))
        results.write(len(result).to_bytes(LENGTH_BYTES, "big") + result)
        results.flush()


def shrunk(image: bytes) -> bytes:
    """Return an image as a JPEG, or a PNG if it is partly transparent; empty if it is damaged.

    Its longer side has at most `MAX_SIDE` pixels. Of an animation, only the first image is used.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # `MAX_PIXELS` is lower
    try:
        with Image.open(BytesIO(image), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return b""
            return _encoded(picture)
    except Exception:  # noqa: BLE001  (Pillow raises any exception on damaged images)
        return b""


def _encoded(picture: Image.Image) -> bytes:
    from PIL import ImageOps

    is_transparent = picture.has_transparency_data
    if picture.mode in {"1", "P", "PA"}:  # colors of a palette can't be mixed
        picture = picture.convert("RGBA" if is_transparent else "RGB")
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    upright = ImageOps.exif_transpose(picture)
    output = BytesIO()
    if is_transparent:
        upright.convert("RGBA").save(output, "PNG")
    else:
        upright.convert("RGB").save(output, "JPEG", quality=_JPEG_QUALITY)
    return output.getvalue()

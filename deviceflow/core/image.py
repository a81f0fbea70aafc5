"""What kind of picture some bytes are, and how large: read from their first bytes, not decoded.

PNG (its section 11.2.2), JPEG (ITU-T T.81, B.2.2) and WebP (RFC 9649). SVG is a document and no
picture: it can have scripts and load things, and has no size that could be checked.
"""

import re
from typing import NamedTuple

MAX_IMAGE_BYTES = 262_144
MIN_PIXELS = 32
MAX_PIXELS = 1_024

RIGHT = (
    f"a PNG, JPEG or WebP of {MIN_PIXELS} to {MAX_PIXELS} pixels in each direction"
    f" and at most {MAX_IMAGE_BYTES // 1024} KiB"
)
"""What would be right, for people."""

# Start of frame: all but those for tables (DHT, JPG, DAC). Height, then width.
_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers of JPEG without a length."""


class ImageError(ValueError):
    """The bytes cannot be used as a picture. The text says what is wrong."""


class Image(NamedTuple):
    """A picture. `extension`: of its file's name, without a dot."""

    extension: str
    content_type: str
    width: int
    height: int
    body: bytes


def read_image(body: bytes) -> Image:
    """Read a picture. Raises ImageError: of no known kind, too large or too small."""
    if len(body) > MAX_IMAGE_BYTES:
        raise ImageError(f"has {len(body)} bytes")
    try:
        image = _read(body)
    except IndexError:
        image = None
    if image is None:
        raise ImageError("is no such picture")
    if not all(MIN_PIXELS <= side <= MAX_PIXELS for side in (image.width, image.height)):
        raise ImageError(f"has {image.width} x {image.height} pixels")
    return image


def _read(body: bytes) -> Image | None:
    if body.startswith(b"\x89PNG\r\n\x1a\n") and body[12:16] == b"IHDR":
        size = _big(body, 16, 4), _big(body, 20, 4)
        return Image("png", "image/png", *size, body)
    if body.startswith(b"\xff\xd8"):
        found = _jpeg_size(body)
        return Image("jpg", "image/jpeg", *found, body) if found else None
    if re.match(rb"RIFF....WEBP", body, re.DOTALL):
        found = _webp_size(body)
        return Image("webp", "image/webp", *found, body) if found else None
    return None


def _jpeg_size(body: bytes) -> tuple[int, int] | None:
    at = 2
    while body[at] == 0xFF:  # noqa: PLR2004, every marker begins so
        marker = body[at + 1]
        if marker in _FRAME:
            return _big(body, at + 7, 2), _big(body, at + 5, 2)
        is_fill = marker == 0xFF  # noqa: PLR2004, B.1.1.2: any number of them
        at += 1 if is_fill else 2 if marker in _ALONE else 2 + _big(body, at + 2, 2)
    return None


def _webp_size(body: bytes) -> tuple[int, int] | None:
    match body[12:16]:
        case b"VP8X":
            return _little(body, 24, 3) + 1, _little(body, 27, 3) + 1
        case b"VP8L":
            bits = _little(body, 21, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _little(body, 26, 2) & 0x3FFF, _little(body, 28, 2) & 0x3FFF
    return None


def _big(body: bytes, at: int, size: int) -> int:
    return int.from_bytes(_exactly(body, at, size))


def _little(body: bytes, at: int, size: int) -> int:
    return int.from_bytes(_exactly(body, at, size), "little")


def _exactly(body: bytes, at: int, size: int) -> bytes:
    part = body[at : at + size]
    if len(part) < size:
        raise IndexError
    return part

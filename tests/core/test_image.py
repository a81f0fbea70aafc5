"""The kind and the size of pictures, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.image import MAX_IMAGE_BYTES, ImageError, read_image
from tests.stage.pictures import picture

PNG = picture()
EXIF = b"Exif\x00\x00" + b"\x00" * 100


@pytest.mark.parametrize(
    ("body", "extension", "content_type"),
    [
        (PNG, "png", "image/png"),
        (picture("JPEG"), "jpg", "image/jpeg"),
        (picture("JPEG", progressive=True), "jpg", "image/jpeg"),
        (picture("JPEG", exif=EXIF, comment="\xff\xc0"), "jpg", "image/jpeg"),
        (picture("WEBP"), "webp", "image/webp"),
        (picture("WEBP", lossless=True), "webp", "image/webp"),
        (picture("WEBP", exif=EXIF), "webp", "image/webp"),
    ],
    ids=["png", "jpeg", "progressive", "jpeg with exif", "webp", "lossless", "extended"],
)
def test_a_picture(body: bytes, extension: str, content_type: str) -> None:
    image = read_image(body)
    assert (image.extension, image.content_type) == (extension, content_type)
    assert (image.width, image.height) == (64, 48)
    assert image.body == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"GIF89a" + b"\x00" * 50,
        b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'/>",
        b"<html>",
        PNG[:20],
        PNG[:12] + b"IDAT" + PNG[16:],
        picture("JPEG")[:30],
        b"\xff\xd8" + b"\xff" * 50,
        b"RIFF\x00\x00\x00\x00WEBPVP9 " + b"\x00" * 50,
        picture("WEBP")[:20],
    ],
)
def test_what_is_no_picture(body: bytes) -> None:
    """SVG neither: it is a document, which may have scripts."""
    with pytest.raises(ImageError, match="is no such picture"):
        read_image(body)


@pytest.mark.parametrize("size", [(31, 64), (64, 31), (1025, 64), (64, 1025)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_size_that_does_not_fit(kind: str, size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"has {size[0]} x {size[1]} pixels"):
        read_image(picture(kind, size))


def test_too_many_bytes() -> None:
    assert read_image(PNG.ljust(MAX_IMAGE_BYTES, b"\x00")).width == 64
    with pytest.raises(ImageError, match=f"has {MAX_IMAGE_BYTES + 1} bytes"):
        read_image(PNG.ljust(MAX_IMAGE_BYTES + 1, b"\x00"))


STARTS = [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBPVP8X", b""]


@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(start: bytes, rest: bytes) -> None:
    try:
        image = read_image(start + rest)
    except ImageError:
        return
    assert image.body == start + rest

"""Small pictures, made where they are needed."""

from io import BytesIO
from pathlib import Path

from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    """A picture of one colour, as Pillow writes it."""
    body = BytesIO()
    Image.new("RGB", size, "#0b5fff").save(body, kind, **options)
    return body.getvalue()


def write_picture(file: Path, kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> str:
    """Write one; return its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(picture(kind, size))
    return str(file)

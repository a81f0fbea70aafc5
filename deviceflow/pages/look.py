"""The operator's own look: logos and colours, from the settings.

Logos are delivered by this server, by the hash of what is in them: a person who approves something
is told to no other server, and no logo can change behind the operator's back.
"""

from pathlib import Path
from typing import NamedTuple

from deviceflow.config import Settings
from deviceflow.core.colour import DARK_GROUND, mixed, readable_on
from deviceflow.core.image import RIGHT, Image, ImageError, read_image

_HOVER = 0.15


class Look(NamedTuple):
    """The own look. `logo`: at the top of each page; `clients`: logos by client id.

    `style`: rules that follow those of the pages, empty if there are none.
    """

    logo: Image | None
    clients: dict[str, Image]
    style: str


class LookError(Exception):
    """A file cannot be used. `faults`: a line for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_look(settings: Settings) -> Look:
    """Read the files that the settings name. Raises LookError if one is no good."""
    named = {"pages.logo": settings.pages.logo}
    named |= {f"clients[{i}].logo": client.logo for i, client in enumerate(settings.clients)}
    images: dict[str, Image] = {}
    faults: list[str] = []
    for setting, path in named.items():
        if path is None:
            continue
        try:
            images[setting] = _image(Path(path))
        except ImageError as error:
            faults.append(f"{setting}: {path}: {error}; expected {RIGHT}")
    if faults:
        raise LookError(faults)
    clients = {
        client.client_id: images[f"clients[{i}].logo"]
        for i, client in enumerate(settings.clients)
        if client.logo is not None
    }
    return Look(images.get("pages.logo"), clients, _style(settings.pages.accent))


def _image(path: Path) -> Image:
    try:
        return read_image(path.read_bytes())
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or 'input/output error'}") from error


def _style(accent: str | None) -> str:
    """Return the rules of the own colour: as it is on light pages, a lighter shade on dark ones."""
    if accent is None:
        return ""
    light = _variables(accent, mixed(accent, "#000000", _HOVER), "#ffffff")
    shade = readable_on(accent, DARK_GROUND)
    dark = _variables(shade, mixed(shade, "#ffffff", _HOVER), "#0e1015")
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def _variables(accent: str, hover: str, on_accent: str) -> str:
    return f"--accent: {accent}; --accent-hover: {hover}; --on-accent: {on_accent};"

"""What kind of thing a device is, for the picture beside it. It is only as true as its claim."""

from enum import StrEnum

from deviceflow.core.device_description import DeviceDescription


class Kind(StrEnum):
    """The kinds that have a picture."""

    TV = "tv"
    CONSOLE = "console"
    PHONE = "phone"
    WATCH = "watch"
    COMPUTER = "computer"
    OTHER = "other"


_KINDS = (
    (Kind.CONSOLE, ("PlayStation", "Xbox", "Nintendo", "Wii", "Quest")),
    (Kind.WATCH, ("Watch",)),
    (Kind.TV, ("TV", "Roku", "Bravia", "Chromecast", "Tizen")),
    (Kind.PHONE, ("Phone", "iPad", "Android", "KaiOS")),
    (Kind.COMPUTER, ("Windows", "macOS", "Linux", "BSD", "ChromeOS")),
)
"""In their order: an Android TV is a television, and a Windows Phone is a phone."""


def kind_of(stored: str) -> Kind:
    """Return the kind of a stored description."""
    product, system = DeviceDescription.of(stored)
    text = system or product
    return next((kind for kind, words in _KINDS if any(word in text for word in words)), Kind.OTHER)

"""An entry of the system's keyring: GNOME's, KDE's, or the keychain of macOS.

It needs the package keyring (the extra `keyring`), which is imported when an entry is used. A
keyring may ask the person to unlock it, and wait for that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from deviceflow.device.answers import printable
from deviceflow.device.errors import TokenFileError

SERVICE: Final = "deviceflow"


def read(name: str) -> bytes | None:
    """Return the content of an entry, or None. May raise TokenFileError, as all of these may."""
    with _usable() as keyring:
        content = keyring.get_password(SERVICE, name)
    return None if content is None else str(content).encode()


def write(name: str, content: bytes) -> None:
    """Replace the content of an entry."""
    with _usable() as keyring:
        keyring.set_password(SERVICE, name, content.decode())


def remove(name: str) -> None:
    """Remove an entry, if it is there."""
    with _usable() as keyring:
        if keyring.get_password(SERVICE, name) is not None:
            keyring.delete_password(SERVICE, name)


@contextmanager
def _usable() -> Iterator[Any]:
    try:
        keyring = import_module("keyring")
        errors = import_module("keyring.errors")
    except ModuleNotFoundError as error:
        raise TokenFileError(
            "The keyring needs the package keyring. Run: pip install 'deviceflow[keyring]'"
        ) from error
    try:
        yield keyring
    except errors.KeyringError as error:
        reason = " ".join(printable(str(error)).split()) or type(error).__name__
        raise TokenFileError(f"The keyring of this machine cannot be used: {reason}") from error

"""Where an address is, from a file in MaxMind's DB format: nothing is asked online.

The only importer of the reader. The file is read with system calls, not mapped into memory: a file
that is overwritten in place would otherwise kill every worker that has it mapped.
"""

from pathlib import Path
from typing import Any, NamedTuple

import maxminddb

from deviceflow.core.address import is_shared

_KINDS = ("City", "Country", "Enterprise")
"""What the type of a database has in it if its records are those of GeoIP2 for places."""


class Place(NamedTuple):
    """A place: a city, empty if only the country is known, and that country by name and code.

    `country_code`: ISO 3166-1 alpha-2.
    """

    city: str
    country: str
    country_code: str


class PlacesError(Exception):
    """The file cannot be used. The text says why, and what would be right."""


class Places:
    """The places of addresses. Without a file, every place is unknown."""

    def __init__(self, reader: maxminddb.Reader | None = None) -> None:
        self._reader = reader

    @property
    def are_known(self) -> bool:
        """Whether there is a file."""
        return self._reader is not None

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def find(self, address: str, language: str = "en") -> Place | None:
        """Return where an address is, by names in `language` or English; None if not known.

        It reads the file, so call it in a thread. A private address is nowhere.
        """
        if self._reader is None or is_shared(address):
            return None
        try:
            record = self._reader.get(address)
        except Exception:  # noqa: BLE001, the reader raises whatever the bytes make of it
            # An address of the other version of IP, or a file that has been overwritten.
            return None
        return _place(record, language)


def open_places(path: str | None) -> Places:
    """Open a file. May raise PlacesError."""
    if path is None:
        return Places()
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        reason = error.strerror or "input/output error"
        raise PlacesError(f"{path}: cannot be read: {reason}; expected an MMDB file") from error
    try:
        reader = maxminddb.open_database(path, maxminddb.MODE_FILE)
    except Exception as error:
        # The reader raises whatever the bytes of another file make of it.
        raise PlacesError(f"{path}: not an MMDB file; expected one with places") from error
    kind = str(reader.metadata().database_type)
    if not any(word in kind for word in _KINDS):
        reader.close()
        raise PlacesError(
            f'{path}: got a database of the type "{kind}";'
            " expected one of cities or countries in the form of GeoIP2"
        )
    return Places(reader)


def _place(record: object, language: str) -> Place | None:
    """Read a record: `{"city": {"names": {"en": ...}}, "country": {"iso_code": ...}}`."""
    fields = _fields(record)
    country = _fields(fields.get("country")) or _fields(fields.get("registered_country"))
    code = country.get("iso_code")
    if not isinstance(code, str):
        return None
    city = _name(_fields(fields.get("city")), language)
    return Place(city, _name(country, language) or code, code)


def _name(entry: dict[str, Any], language: str) -> str:
    """Return the name in `language`, in a variety of it ("pt-BR" for "pt"), or in English."""
    names = _fields(entry.get("names"))
    primary = language.partition("-")[0]
    varieties = (name for tag, name in names.items() if tag.partition("-")[0] == primary)
    name = names.get(language) or next(varieties, None) or names.get("en")
    return name if isinstance(name, str) else ""


def _fields(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

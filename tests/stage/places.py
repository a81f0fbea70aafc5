"""A small file with places: a city for some networks that exist only in documentation."""

from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def country(code: str, name: str) -> dict[str, Any]:
    return {"country": {"iso_code": code, "names": {"en": name, "de": f"{name} (de)"}}}


def city(name: str, code: str, name_of_country: str) -> dict[str, Any]:
    return {"city": {"names": {"en": name}}} | country(code, name_of_country)


PLACES: dict[str, dict[str, Any]] = {
    "203.0.113.0/25": city("Berlin", "DE", "Germany"),
    "203.0.113.128/25": country("DE", "Germany"),
    "198.51.100.0/24": city("Paris", "FR", "France"),
    "192.0.2.0/25": {"registered_country": country("SG", "Singapore")["country"]},
    "192.0.2.128/25": {"continent": {"code": "EU"}},
    "2001:db8::/32": city("Wien", "AT", "Austria"),
}
"""Records as GeoIP2 has them, by network."""


def write_places(
    file: Path, kind: str = "Test-City", places: dict[str, dict[str, Any]] = PLACES
) -> str:
    """Write a database of the type `kind`; return its path."""
    writer = MMDBWriter(ip_version=6, database_type=kind, ipv4_compatible=True)
    for network, record in places.items():
        writer.insert_network(IPSet([network]), record)  # type: ignore[no-untyped-call]
    writer.to_db_file(str(file))
    return str(file)

"""The scripts about the devices of people."""

from collections.abc import Sequence
from typing import NamedTuple

from deviceflow.store.connection import Connection
from deviceflow.store.scripts.lua import source


class DeviceKeys(NamedTuple):
    """The devices of a person: the records by name, and the names by approval and by end."""

    records: str
    by_age: str
    by_end: str


class DeviceListing(NamedTuple):
    """A device, and until when it is listed. Times in ms."""

    name: str
    record: bytes
    approved_at_ms: int
    until_ms: int


async def list_device(
    connection: Connection, keys: DeviceKeys, listing: DeviceListing, *, swept: int
) -> None:
    """List a device, or list it until a later time. Up to `swept` that have ended are removed.

    The record of a device that is listed already stays as it is. A repetition changes nothing.
    Returns only when enough replicas have the change (`Durability`).
    """
    await connection.evaluate_durably(source("list_device"), keys, *listing, swept)


class DeviceState(NamedTuple):
    """What a device has. All are empty where there is nothing.

    `state`, `expires` (s), `account` and `approved` (ms): of its grant. `family`: the record, and
    `used` (s). `living`: the subject whose access token lives without a family, for `living_ms`.
    """

    state: bytes
    expires: bytes
    account: bytes
    approved: bytes
    family: bytes
    used: bytes
    living: bytes
    living_ms: int


async def read_device(connection: Connection, keys: Sequence[str]) -> DeviceState:
    """Return what a device has. `keys`: its grant, its family, its access token without a family.

    It changes nothing, so a repetition does no harm.
    """
    return DeviceState(*await connection.evaluate(source("read_device"), keys))

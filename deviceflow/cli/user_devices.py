"""`deviceflow users devices`, `revoke` and `sign-out`: what a person is connected with."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import click
import msgspec

from deviceflow.audit.events import SecurityEvent
from deviceflow.cli.options import fail
from deviceflow.cli.user_access import UserAccess
from deviceflow.cli.user_records import existing_user, username_argument, with_users
from deviceflow.config import Settings
from deviceflow.store.accounts import Account
from deviceflow.store.connection import Connection
from deviceflow.store.devices import ConnectedDevice
from deviceflow.store.users import Users

AccessCommand = Callable[[UserAccess, Account], Awaitable[None]]


@click.command(name="devices")
@username_argument
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_obj
def list_devices(settings: Settings, username: str, as_json: bool) -> None:
    """List the devices that a user has connected, newest first.

    The id of a device is the claim grant_id of its access tokens.
    """

    async def print_devices(access: UserAccess, account: Account) -> None:
        devices, number, is_last = [], 0, False
        while not is_last:
            number += 1
            page = await access.devices.of(account.sub, number)
            devices += page.devices
            is_last = page.is_last
        if as_json:
            click.echo(msgspec.json.encode([_record(device) for device in devices]).decode())
            return
        for device in devices:
            entry = device.entry
            name = entry.name or entry.device or "-"
            state = "waiting" if device.is_waiting else f"used {_moment(device.used_at)}"
            click.echo(f"{device.grant_id}  {entry.client_id:<16} {name:<28} {state}")
        if not devices:
            click.echo(f"{account.username} has no devices", err=True)

    _with_access(settings, username, print_devices, changes=False)


@click.command()
@username_argument
@click.option("--device", "grant_id", help="The id of one device, as `users devices` prints it.")
@click.option("--all", "every", is_flag=True, help="All devices.")
@click.pass_obj
def revoke(settings: Settings, username: str, grant_id: str | None, every: bool) -> None:
    """Disconnect one device of a user, or all (--all).

    Refresh tokens end at once, access tokens wherever this server is asked. An API that verifies
    JWTs by itself accepts them until they expire.
    """
    if (grant_id is None) is not every:
        fail("name one device (--device ID), or all of them (--all)")

    async def disconnect(access: UserAccess, account: Account) -> None:
        if grant_id is None:
            ended = await access.access.disconnect_all(account)
            click.echo(f"disconnected {ended} of {account.username}")
            await access.record(SecurityEvent.DEVICE_DISCONNECTED, sub=account.sub, number=ended)
        elif await access.devices.disconnect(account.sub, grant_id):
            click.echo(f"disconnected {grant_id}")
            await access.record(
                SecurityEvent.DEVICE_DISCONNECTED, sub=account.sub, grant_id=grant_id
            )
        else:
            fail(f"{account.username} has no device {grant_id}; `users devices` lists them")

    _with_access(settings, username, disconnect, changes=True)


@click.command(name="sign-out")
@username_argument
@click.pass_obj
def sign_out_user(settings: Settings, username: str) -> None:
    """Sign a user out in all browsers. Devices stay connected."""

    async def sign_out(access: UserAccess, account: Account) -> None:
        click.echo(f"{account.username}: {await access.sign_out(account)}")
        await access.record(SecurityEvent.SESSION_ENDED, sub=account.sub)

    _with_access(settings, username, sign_out, changes=True)


def _with_access(
    settings: Settings, username: str, command: AccessCommand, *, changes: bool
) -> None:
    async def with_their_access(connection: Connection, store: Users) -> None:
        account = await existing_user(store, username)
        await command(await UserAccess.open(settings, connection, store), account)

    with_users(settings, with_their_access, changes=changes)


def _record(device: ConnectedDevice) -> dict[str, object]:
    entry = msgspec.to_builtins(device.entry)
    del entry["grant"]
    return {
        "grant_id": device.grant_id,
        **entry,
        "used_at": device.used_at,
        "ends_at": device.ends_at,
        "is_waiting": device.is_waiting,
    }


def _moment(then: int) -> str:
    return f"{datetime.fromtimestamp(then, UTC):%Y-%m-%d %H:%MZ}"

"""`deviceflow logout ISSUER`: end the logins that `deviceflow login` keeps."""

import asyncio
import sys
from collections.abc import Sequence

import click

from deviceflow.cli.login import secret_of
from deviceflow.cli.login_ends import DEFAULT_ISSUER, ERROR, LOGIN_REQUIRED
from deviceflow.device import DeviceClient, DeviceFlowError, DeviceLogin
from deviceflow.device.token_file import TokenFile, default_folder, kept_in


@click.command(epilog="Exit status: 0 signed out, 1 error, 2 usage, 5 no login was kept.")
@click.argument("issuer", default=DEFAULT_ISSUER)
@click.option("--client-id", default="tv-app", show_default=True, help="The device's client id.")
@click.option(
    "--scope",
    multiple=True,
    help="Only the login with these scopes; without it, all of the client.",
)
@click.option(
    "--client-secret-env", metavar="VAR", help="Environment variable with the client's secret."
)
@click.option("--local", is_flag=True, help="Remove the file only; do not ask the server.")
def logout(
    issuer: str,
    client_id: str,
    scope: tuple[str, ...],
    client_secret_env: str | None,
    *,
    local: bool,
) -> None:
    """Sign out at ISSUER: revoke the kept tokens, and remove their file.

    The tokens are those that `deviceflow login --keep` or `--token` has kept. ISSUER is its
    address [default: http://127.0.0.1:8628]. If the server cannot be reached, the file stays, so
    that the command can be run again.
    """
    secret = secret_of(client_secret_env)
    try:
        scopes = _kept_scopes(issuer, client_id, " ".join(scope) if scope else None)
        if local:
            _remove(issuer, client_id, scopes)
        elif scopes:
            asyncio.run(_logout(DeviceClient(issuer, client_id, secret), scopes))
    except DeviceFlowError as error:
        _tell(f"{error}")
        sys.exit(ERROR)
    if not scopes:
        _tell(f"no login of {client_id} at {issuer} is kept here.")
        sys.exit(LOGIN_REQUIRED)


def _kept_scopes(issuer: str, client_id: str, scope: str | None) -> list[str]:
    """Return the scopes of the kept logins, or the one that was named if it is kept."""
    if scope is None:
        return [kept.scope for _, kept in kept_in(default_folder(), issuer, client_id)]
    return [] if TokenFile.of(issuer, client_id, scope).read() is None else [scope]


def _remove(issuer: str, client_id: str, scopes: Sequence[str]) -> None:
    for scope in scopes:
        TokenFile.of(issuer, client_id, scope).remove()
        _tell("removed the tokens from this machine; the server was not asked.")


async def _logout(client: DeviceClient, scopes: Sequence[str]) -> None:
    async with client:
        for scope in scopes:
            if await DeviceLogin(client, scope).logout():
                _tell("signed out: the tokens are revoked and removed.")
            else:
                _tell(
                    "the tokens are removed. This server cannot revoke them; they end by "
                    "themselves."
                )


def _tell(message: str) -> None:
    click.echo(f"deviceflow logout: {' '.join(message.split())}", err=True)

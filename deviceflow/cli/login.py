"""`deviceflow login ISSUER`: act as a device, with any RFC 8628 server."""

import asyncio
import os
import platform
import sys
from collections.abc import Coroutine

import aiohttp
import click
import msgspec

from deviceflow import __version__
from deviceflow.cli.login_ends import DEFAULT_ISSUER, endings
from deviceflow.device import (
    DeviceAuthorization,
    DeviceClient,
    DeviceLogin,
    LoginRequired,
    MalformedAnswerError,
    Tokens,
)
from deviceflow.device.answers import printable
from deviceflow.device.screen import Screen
from deviceflow.device.summary import lifetime, summary
from deviceflow.tasks import end

_USER_AGENT = f"deviceflow/{__version__} ({platform.system()})"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command line."""

    issuer: str
    client_id: str
    secret: str | None
    scope: str
    qr: bool
    as_json: bool
    opens: bool
    waits: bool
    keeps: bool = False
    only_token: bool = False
    keyring: bool = False


@click.command(
    epilog="Exit status: 0 tokens, 1 error, 2 usage, 3 denied, 4 expired, 130 Ctrl-C. With "
    "--token, 5: a person must sign in, and there is no terminal to show a code."
)
@click.argument("issuer", default=DEFAULT_ISSUER)
@click.option("--client-id", default="tv-app", show_default=True, help="The device's client id.")
@click.option("--scope", multiple=True, help="Scopes, separated by spaces; may be repeated.")
@click.option(
    "--client-secret-env", metavar="VAR", help="Environment variable with the client's secret."
)
@click.option("--no-qr", is_flag=True, help="Do not draw the QR code.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--open", "opens", is_flag=True, help="Open the page in this machine's browser.")
@click.option("--no-wait", is_flag=True, help="Print the codes and exit, without polling.")
@click.option("--keep", is_flag=True, help="Keep the tokens in a file that only you can read.")
@click.option(
    "--keyring",
    is_flag=True,
    help="Keep the tokens in the system's keyring (needs the package keyring).",
)
@click.option(
    "--token",
    "only_token",
    is_flag=True,
    help="Print a valid access token and nothing else. The kept login is used, and refreshed if "
    "need be. Without one, sign in (on a terminal only) and keep the tokens.",
)
def login(
    issuer: str,
    client_id: str,
    scope: tuple[str, ...],
    client_secret_env: str | None,
    *,
    no_qr: bool,
    as_json: bool,
    opens: bool,
    no_wait: bool,
    keep: bool,
    keyring: bool,
    only_token: bool,
) -> None:
    """Sign in to ISSUER as a device does, and print the tokens.

    ISSUER is the address of any server with RFC 8628 and metadata (RFC 8414 or OpenID Connect)
    [default: http://127.0.0.1:8628]. The code and the progress go to standard error, the tokens
    to standard output.

    Tokens are kept only with --keep, --keyring or --token: in $XDG_STATE_HOME/deviceflow/logins, or
    ~/.local/state/deviceflow/logins. Each issuer, client and scope has a file of its own.
    """
    if only_token and (as_json or no_wait):
        raise click.UsageError("--token prints a token alone: leave out --json and --no-wait.")
    if (keep or keyring) and no_wait:
        raise click.UsageError("--no-wait gets no tokens that could be kept.")
    options = Options(
        issuer=issuer,
        client_id=client_id,
        secret=secret_of(client_secret_env),
        scope=" ".join(scope),
        qr=not no_qr,
        as_json=as_json,
        opens=opens,
        waits=not no_wait,
        keeps=keep or keyring or only_token,
        only_token=only_token,
        keyring=keyring,
    )
    if not client_id:
        raise click.UsageError("--client-id is empty.")
    with endings(issuer, client_id):
        asyncio.run(_until_interrupted(_login(options)))


def secret_of(variable: str | None) -> str | None:
    """Return the secret in an environment variable, None if none is named. May end the command."""
    if variable is None:
        return None
    secret = os.environ.get(variable)
    if not secret:
        raise click.UsageError(f"The variable {variable} is not set.")
    return secret


async def _until_interrupted(login: Coroutine[None, None, None]) -> None:
    """Run `login`, and end it at Ctrl-C. One cancellation is not enough: see `tasks.py`."""
    task = asyncio.create_task(login)
    try:
        await asyncio.wait([task])
    finally:
        await end(task)


async def _login(options: Options) -> None:
    async with (
        aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": _USER_AGENT}
        ) as session,
        DeviceClient(options.issuer, options.client_id, options.secret, session=session) as client,
    ):
        if options.only_token:
            _print_access_token(await _access_token(client, options))
            return
        authorization = await _authorize(client, options)
        if not options.waits:
            _print_codes(authorization, options)
            return
        tokens = await _wait(client, authorization, qr=options.qr)
        try:
            if options.keeps:
                await _keep(client, tokens, options)
        finally:
            _print_tokens(tokens, options)  # a disk that is full takes no approval away


async def _access_token(client: DeviceClient, options: Options) -> str:
    """Return the access token of the kept login, or of a new one if a person can see the code."""
    login = DeviceLogin(client, options.scope)
    try:
        return await login.access_token()
    except LoginRequired as error:
        if not sys.stderr.isatty():
            raise
        click.echo(f"deviceflow login: {error}", err=True)
    tokens = await _wait(client, await _authorize(client, options), qr=options.qr)
    await _keep(client, tokens, options)
    return tokens.access_token


async def _authorize(client: DeviceClient, options: Options) -> DeviceAuthorization:
    """Request codes, once it is clear that the tokens can be kept."""
    if options.keeps:
        DeviceLogin(client, options.scope).file.prepare(in_keyring=options.keyring)
    authorization = await client.authorize(options.scope, on_pause=_tell_pause)
    if options.opens:
        _open(authorization)
    return authorization


async def _keep(client: DeviceClient, tokens: Tokens, options: Options) -> None:
    login = DeviceLogin(client, options.scope, in_keyring=options.keyring)
    await login.keep(tokens)
    place = f"the keyring, as {login.file.path.stem}" if options.keyring else login.file.path
    click.echo(f"deviceflow login: the tokens are kept in {place}", err=True)
    if tokens.refresh_token is None:
        click.echo(
            "deviceflow login: the server gave no refresh token, so this login ends with the "
            f"access token (lifetime: {lifetime(tokens.expires_in)}). For a longer one, add "
            "offline_access to --scope, if the server has that scope.",
            err=True,
        )


def _tell_pause(pause: float) -> None:
    text = f"deviceflow login: the server is busy; trying again in {pause:.0f} s (Ctrl-C stops)"
    click.echo(text, err=True)


async def _wait(client: DeviceClient, authorization: DeviceAuthorization, *, qr: bool) -> Tokens:
    screen = Screen(sys.stderr)
    screen.show(authorization, qr=qr)
    ticking = asyncio.create_task(_tick(screen))
    try:
        return await client.poll_until_decided(authorization, on_event=screen.on_event)
    finally:
        ticking.cancel()
        screen.close()


async def _tick(screen: Screen) -> None:
    while True:
        await asyncio.sleep(1)
        screen.tick()


def _open(authorization: DeviceAuthorization) -> None:
    address = authorization.verification_uri_complete or authorization.verification_uri
    # The server chooses the address. Open only web pages, never programs or files.
    if not address.startswith(("https://", "http://")) or printable(address) != address:
        click.echo("deviceflow login: the server's address is not a web page's.", err=True)
    elif click.launch(address) != 0:
        click.echo("deviceflow login: no browser could be opened; use the address.", err=True)


def _print_codes(authorization: DeviceAuthorization, options: Options) -> None:
    if options.as_json:
        members = msgspec.structs.asdict(authorization)
        click.echo(msgspec.json.encode({k: v for k, v in members.items() if v is not None}))
        return
    members = {
        "verification_uri": authorization.verification_uri,
        "verification_uri_complete": authorization.verification_uri_complete or "",
        "user_code": authorization.user_code,
        "device_code": authorization.device_code,
        "expires_in": f"{authorization.expires_in} s",
        "interval": f"{authorization.interval} s",
    }
    for name, value in members.items():
        if value:
            click.echo(f"{name:25}  {printable(value)}")


def _print_access_token(token: str) -> None:
    # RFC 6749 A.12: visible ASCII. A line end would be a second line for the script that reads it.
    if not token.isascii() or printable(token) != token:
        raise MalformedAnswerError("The access token has characters that no token has.")
    click.echo(token)


def _print_tokens(tokens: Tokens, options: Options) -> None:
    if options.as_json:
        click.echo(msgspec.json.encode(tokens.answer))
    else:
        click.echo("  Approved: this device is connected.\n", err=True)
        click.echo(summary(tokens))
        if not options.keeps:
            click.echo("\n  The tokens are not kept. --keep keeps them.", err=True)

"""`deviceflow login ISSUER`: act as a device, with any RFC 8628 server."""

import asyncio
import os
import platform
import sys
from collections.abc import Coroutine
from typing import NoReturn

import aiohttp
import click
import msgspec

from deviceflow import __version__
from deviceflow.device import (
    AccessDenied,
    DeviceAuthorization,
    DeviceClient,
    DeviceFlowError,
    ExpiredToken,
    ServerError,
    Tokens,
)
from deviceflow.device.answers import printable
from deviceflow.device.errors import UnreachableError
from deviceflow.device.screen import Screen
from deviceflow.device.summary import summary

DEFAULT_ISSUER = "http://127.0.0.1:8628"
ERROR, DENIED, EXPIRED, INTERRUPTED = 1, 3, 4, 130
_USER_AGENT = f"deviceflow/{__version__} ({platform.system()})"
_REFUSALS = {
    "invalid_client": "check --client-id and the client's secret",
    "unauthorized_client": "the server's operator must allow the device flow for this client",
    "invalid_scope": "use another --scope",
    "invalid_grant": "start again; the code was used or belongs to another client",
}


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


@click.command(epilog="Exit status: 0 tokens, 1 error, 2 usage, 3 denied, 4 expired, 130 Ctrl-C.")
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
) -> None:
    """Sign in to ISSUER as a device does, and print the tokens.

    ISSUER is the address of any server with RFC 8628 and metadata (RFC 8414 or OpenID Connect)
    [default: http://127.0.0.1:8628]. The code and the progress go to standard error, the tokens
    to standard output.
    """
    options = Options(
        issuer=issuer,
        client_id=client_id,
        secret=_secret(client_secret_env),
        scope=" ".join(scope),
        qr=not no_qr,
        as_json=as_json,
        opens=opens,
        waits=not no_wait,
    )
    if not client_id:
        raise click.UsageError("--client-id is empty.")
    try:
        asyncio.run(_until_interrupted(_login(options)))
    except KeyboardInterrupt:
        _end(INTERRUPTED, "stopped. The code expires by itself; nothing was saved.")
    except AccessDenied as error:
        _end(DENIED, f"the sign-in was denied{_detail(error)}. Nothing was connected.")
    except ExpiredToken:
        _end(EXPIRED, "the code expired before it was approved. Run the command again.")
    except ServerError as error:
        _end(ERROR, _refused(error, client_id))
    except UnreachableError as error:
        hint = " Start it with: deviceflow serve" if issuer == DEFAULT_ISSUER else ""
        _end(ERROR, f"{error}{hint}")
    except DeviceFlowError as error:
        _end(ERROR, str(error))


def _secret(variable: str | None) -> str | None:
    if variable is None:
        return None
    secret = os.environ.get(variable)
    if not secret:
        raise click.UsageError(f"--client-secret-env: the variable {variable} is not set.")
    return secret


async def _until_interrupted(login: Coroutine[None, None, None]) -> None:
    """Run `login`, and end it at Ctrl-C.

    Before Python 3.12 `asyncio.wait_for`, which opens connections, may swallow a cancellation
    (gh-86296), so one is not enough.
    """
    task = asyncio.create_task(login)
    try:
        await asyncio.wait([task])
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.1)
    await task


async def _login(options: Options) -> None:
    async with (
        aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": _USER_AGENT}
        ) as session,
        DeviceClient(options.issuer, options.client_id, options.secret, session=session) as client,
    ):
        authorization = await client.authorize(options.scope, on_pause=_tell_pause)
        if options.opens:
            _open(authorization)
        if not options.waits:
            _print_codes(authorization, options)
            return
        tokens = await _wait(client, authorization, qr=options.qr)
    _print_tokens(tokens, as_json=options.as_json)


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


def _print_tokens(tokens: Tokens, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(tokens.answer))
    else:
        click.echo("  Approved: this device is connected.\n", err=True)
        click.echo(summary(tokens))


def _refused(error: ServerError, client_id: str) -> str:
    advice = _REFUSALS.get(error.code, "see the server's log, or ask its operator")
    reason = str(error).rstrip(".")
    return f'the server refused the client "{client_id}": {reason}; {advice}.'


def _detail(error: ServerError) -> str:
    return f" ({error.description.rstrip('.')})" if error.description else ""


def _end(status: int, message: str) -> NoReturn:
    click.echo(f"deviceflow login: {' '.join(message.split())}", err=True)
    sys.exit(status)

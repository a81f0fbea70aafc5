"""The client and the login without asyncio, for programs that do one thing after the other.

Both run the asynchronous ones in an event loop of their own, so that there is one set of rules.
They belong to the thread that made them, and cannot be used inside a running event loop: there,
use `DeviceClient` and `DeviceLogin`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from deviceflow.device.answers import DeviceAuthorization, Tokens
from deviceflow.device.client import DeviceClient
from deviceflow.device.client_auth import AuthMethod
from deviceflow.device.events import Event
from deviceflow.device.login import MARGIN_S, DeviceLogin
from deviceflow.device.metadata import Metadata
from deviceflow.device.token_file import TokenFile

_Result = TypeVar("_Result")


class SyncDeviceClient:
    """`DeviceClient` without asyncio. The arguments, results and errors are the same.

    `with` or `close` closes its connections. May raise RuntimeError: an event loop runs in this
    thread already.
    """

    def __init__(
        self,
        server: str | Metadata,
        client_id: str,
        client_secret: str | None = None,
        *,
        auth_method: AuthMethod | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self.asynchronous = DeviceClient(
            server, client_id, client_secret, auth_method=auth_method, timeout_s=timeout_s
        )
        self._runner = asyncio.Runner()
        self._is_open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the event loop."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self.run(self.asynchronous.close())
        finally:
            self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine of `asynchronous` in the event loop, and return its result."""
        try:
            return self._runner.run(coroutine)
        finally:
            coroutine.close()

    def metadata(self) -> Metadata:
        """Return the server's metadata."""
        return self.run(self.asynchronous.metadata())

    def authorize(
        self,
        scope: str = "",
        *,
        extra: Mapping[str, str] | None = None,
        patience_s: float = 60.0,
        on_pause: Callable[[float], None] | None = None,
    ) -> DeviceAuthorization:
        """Request a device code and a user code (RFC 8628 3.1, 3.2)."""
        return self.run(
            self.asynchronous.authorize(
                scope, extra=extra, patience_s=patience_s, on_pause=on_pause
            )
        )

    def poll_until_decided(
        self,
        authorization: DeviceAuthorization,
        *,
        on_event: Callable[[Event], None] | None = None,
        hold: bool = True,
    ) -> Tokens:
        """Poll until the person has decided, and return the tokens (RFC 8628 3.4, 3.5)."""
        return self.run(
            self.asynchronous.poll_until_decided(authorization, on_event=on_event, hold=hold)
        )

    def events(
        self, authorization: DeviceAuthorization, *, hold: bool = True
    ) -> Generator[Event, None, None]:
        """Poll like `poll_until_decided`, and yield the events. The last event is Decided."""
        events = self.asynchronous.events(authorization, hold=hold)

        async def following() -> Event | None:
            return await anext(events, None)

        try:
            while (event := self.run(following())) is not None:
                yield event
        finally:
            if self._is_open:  # an iterator that was left may be collected after the client
                self.run(events.aclose())

    def refresh(self, refresh_token: str) -> Tokens:
        """Get new tokens for a refresh token (RFC 6749 6)."""
        return self.run(self.asynchronous.refresh(refresh_token))

    def revoke(self, token: str, *, token_type_hint: str = "refresh_token") -> None:  # noqa: S107, a kind of token
        """Revoke a token, and with a refresh token the whole login (RFC 7009 2.1)."""
        self.run(self.asynchronous.revoke(token, token_type_hint=token_type_hint))


class SyncDeviceLogin:
    """`DeviceLogin` without asyncio. The arguments, results and errors are the same."""

    def __init__(
        self,
        client: SyncDeviceClient,
        scope: str = "",
        *,
        folder: Path | None = None,
        margin_s: float = MARGIN_S,
        in_keyring: bool = False,
    ) -> None:
        self._client = client
        self._login = DeviceLogin(
            client.asynchronous, scope, folder=folder, margin_s=margin_s, in_keyring=in_keyring
        )

    @property
    def file(self) -> TokenFile:
        """The file with the tokens."""
        return self._login.file

    def sign_in(
        self,
        on_codes: Callable[[DeviceAuthorization], None],
        *,
        on_event: Callable[[Event], None] | None = None,
    ) -> Tokens:
        """Run the flow, keep the tokens, and return them. `on_codes` shows the codes."""
        return self._client.run(self._login.sign_in(on_codes, on_event=on_event))

    def keep(self, tokens: Tokens) -> None:
        """Keep the tokens of a new login in place of the old ones."""
        self._client.run(self._login.keep(tokens))

    def access_token(self, *, refused: str | None = None) -> str:
        """Return an access token that is valid for a while. Refresh it if need be."""
        return self._client.run(self._login.access_token(refused=refused))

    def logout(self) -> bool:
        """Revoke the kept tokens, then remove the file. False if the server cannot revoke."""
        return self._client.run(self._login.logout())

"""The client of a device: requests codes, polls, and returns the tokens (RFC 8628 3)."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from itertools import count
from types import TracebackType
from typing import Self

import aiohttp

from deviceflow.device.answers import (
    INTERNAL_ERROR,
    DeviceAuthorization,
    Reply,
    Tokens,
    check_revocation,
    read_authorization,
    read_refresh,
)
from deviceflow.device.client_auth import AuthMethod, Credentials
from deviceflow.device.errors import DeviceFlowError, UnavailableError
from deviceflow.device.events import Decided, Event
from deviceflow.device.metadata import (
    Metadata,
    check_endpoints,
    check_revocation_endpoint,
    discover,
    well_known,
)
from deviceflow.device.polling import Time, poll
from deviceflow.device.schedule import Schedule, before_asking_again
from deviceflow.device.transport import fetch

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


class DeviceClient:
    """An OAuth client of a server. It can run any number of grants, also at the same time.

    `server` is Metadata, or the address of an issuer, whose metadata is fetched once. `session` is
    not closed. Without it, the client makes a session, which `async with` or `close` closes.
    `timeout_s` is for each answer, in seconds; a held poll has the time of the hold in addition.
    `clock`, `sleep` and `jitter` are for tests. May raise InsecureAddressError (an http address
    that is not loopback), ValueError (a secret and an `auth_method` that do not match).
    """

    def __init__(
        self,
        server: str | Metadata,
        client_id: str,
        client_secret: str | None = None,
        *,
        auth_method: AuthMethod | None = None,
        session: aiohttp.ClientSession | None = None,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if isinstance(server, Metadata):
            check_endpoints(server)
        else:
            well_known(server)
        self._server = server
        self._credentials = Credentials(
            client_id=client_id, client_secret=client_secret, auth_method=auth_method
        )
        self._session = session
        self._owns_session = session is None
        self._timeout_s = timeout_s
        self.time = Time(clock=clock, sleep=sleep)
        self.jitter = jitter

    @property
    def issuer(self) -> str:
        """The address of the issuer."""
        return self._server.issuer if isinstance(self._server, Metadata) else self._server

    @property
    def client_id(self) -> str:
        """The id of the client."""
        return self._credentials.client_id

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session, unless the caller made it."""
        if self._owns_session and self._session is not None:
            await self._session.close()
            self._session = None

    async def metadata(self) -> Metadata:
        """Return the server's metadata. Fetch it on first use.

        May raise DiscoveryError, InsecureAddressError, UnreachableError, UnavailableError (5xx or
        429).
        """
        if not isinstance(self._server, Metadata):
            self._server = await discover(
                self._open_session(), self._server, timeout_s=self._timeout_s
            )
        return self._server

    async def authorize(
        self,
        scope: str = "",
        *,
        extra: Mapping[str, str] | None = None,
        patience_s: float = 60.0,
        on_pause: Callable[[float], None] | None = None,
    ) -> DeviceAuthorization:
        """Request a device code and a user code (RFC 8628 3.1, 3.2).

        `scope` is separated by spaces; if it is empty, the server has a default. `extra`:
        parameters of some servers, such as `audience`. While the server cannot serve (429, 503),
        the request is sent again when the server says so, for up to `patience_s`; `on_pause` is
        called with each pause in s. May raise ServerError (the server refuses the client or the
        scope), UnavailableError (5xx or 429, at the end of the patience), MalformedAnswerError,
        UnreachableError, and the errors of `metadata`.
        """
        form = {**(extra or {}), **({"scope": scope} if scope else {})}
        deadline = self.time.clock() + patience_s
        for failures in count(1):
            try:
                endpoint = check_endpoints(await self.metadata())
                return read_authorization(await self._post(endpoint, form))
            except UnavailableError as error:
                pause = before_asking_again(failures, error.retry_after, self.jitter)
                # A mistake of the server does not pass by itself.
                is_fault = error.status == INTERNAL_ERROR
                if is_fault or self.time.clock() + pause > deadline:
                    raise
            if on_pause is not None:
                on_pause(pause)
            await self.time.sleep(pause)
        raise DeviceFlowError("The server was never asked.")  # pragma: no cover

    async def poll_until_decided(
        self,
        authorization: DeviceAuthorization,
        *,
        on_event: Callable[[Event], None] | None = None,
        hold: bool = True,
    ) -> Tokens:
        """Poll until the person has decided, and return the tokens (RFC 8628 3.4, 3.5).

        The lifetime counts from this call. `on_event` is called with every event. `hold=False`
        uses plain polling, even if the server can hold polls. While the server cannot be reached,
        the polls go on, less and less often, until the lifetime is over. May raise AccessDenied,
        ExpiredToken, ServerError (any other error code), MalformedAnswerError.
        """
        async with aclosing(self.events(authorization, hold=hold)) as events:
            async for event in events:
                if on_event is not None:
                    on_event(event)
                if isinstance(event, Decided):
                    return _tokens(event)
        raise DeviceFlowError("Polling ended without a decision.")  # pragma: no cover

    async def events(
        self, authorization: DeviceAuthorization, *, hold: bool = True
    ) -> AsyncGenerator[Event, None]:
        """Poll like `poll_until_decided`, and yield the events. The last event is Decided."""
        metadata = await self.metadata()
        max_wait = metadata.device_poll_max_wait if hold else 0
        schedule = Schedule(authorization.interval, max(0, max_wait), self.jitter)
        form = {"grant_type": GRANT_TYPE, "device_code": authorization.device_code}

        # A server that holds polls may do so unasked, for longer than this client waits.
        can_ask = metadata.device_poll_max_wait > 0

        async def send(wait: int) -> Reply:
            return await self._post(metadata.token_endpoint, form, wait=wait if can_ask else None)

        lifetime = authorization.expires_in
        async with aclosing(poll(send, schedule, expires_in=lifetime, time=self.time)) as events:
            async for event in events:
                yield event

    async def refresh(self, refresh_token: str) -> Tokens:
        """Get new tokens for a refresh token (RFC 6749 6). The request is sent once.

        If the answer has a `refresh_token`, it replaces the one that was sent. Store it before the
        new access token is used. May raise ServerError (`invalid_grant`: the login has ended),
        UnavailableError (5xx or 429), UnreachableError, MalformedAnswerError, and the errors of
        `metadata`. After the middle two, the same request may be sent again.
        """
        endpoint = (await self.metadata()).token_endpoint
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return read_refresh(await self._post(endpoint, form))

    async def revoke(self, token: str, *, token_type_hint: str = "refresh_token") -> None:  # noqa: S107, a kind of token
        """Revoke a token, and with a refresh token the whole login (RFC 7009 2.1).

        A token that the server does not know counts as revoked. May raise DiscoveryError (the
        server cannot revoke), ServerError, UnavailableError, UnreachableError, and the errors of
        `metadata`.
        """
        endpoint = check_revocation_endpoint(await self.metadata())
        form = {"token": token, "token_type_hint": token_type_hint}
        check_revocation(await self._post(endpoint, form))

    async def _post(
        self, endpoint: str, form: Mapping[str, str], *, wait: int | None = None
    ) -> Reply:
        metadata = await self.metadata()
        headers, fields = self._credentials.apply(metadata.token_endpoint_auth_methods_supported)
        if wait is not None:
            headers["Prefer"] = f"wait={wait}"
        return await fetch(
            self._open_session(),
            endpoint,
            form={**form, **fields},
            headers=headers,
            timeout_s=self._timeout_s + (wait or 0),
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _tokens(event: Decided) -> Tokens:
    if event.refusal is not None:
        raise event.refusal
    if event.tokens is None:  # pragma: no cover - Decided has one of the two
        raise DeviceFlowError("The decision carries neither tokens nor a refusal.")
    return event.tokens

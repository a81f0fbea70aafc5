"""Notices to a program of the operator's: a signed POST with JSON."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
import msgspec

from deviceflow.core.clock import Clock
from deviceflow.core.webhook_signature import signature_headers
from deviceflow.notices.notice import Notice, NoticeNotSent

WEBHOOK_TIMEOUT_S = 5.0

_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_SUCCESS = range(200, 300)
_CLIENT_ERRORS = range(400, 500)


class WebhookChannel:
    """Posts notices to `url`, signed with `secret`. Open it before it sends."""

    name = "webhook"

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep connections until the block ends."""
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            yield

    async def send(self, notice: Notice, link: str) -> None:
        """Post a notice. May raise NoticeNotSent: no answer, or another status than 2xx."""
        if self._session is None:
            raise NoticeNotSent("the channel is not open")
        members = msgspec.to_builtins(notice) | {"event": "device.connected", "not_me_uri": link}
        body = msgspec.json.encode(members)
        headers = {
            "Content-Type": "application/json",
            **signature_headers(self._secret, int(self._clock()), body),
        }
        try:
            # A redirect could lead the notice to another receiver.
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoticeNotSent(type(error).__name__) from error
        if status not in _SUCCESS:
            is_final = status in _CLIENT_ERRORS and status not in _TRY_AGAIN
            raise NoticeNotSent(f"status {status}", is_final=is_final)

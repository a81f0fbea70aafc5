"""Notices to a program of the operator's: a signed POST with JSON."""

from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

import msgspec

from deviceflow.core.clock import Clock
from deviceflow.notices.notice import Notice, NoticeNotSent
from deviceflow.webhook import Webhook, WebhookSilent, signature

WEBHOOK_TIMEOUT_S = 5.0

_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_SUCCESS = range(200, 300)
_CLIENT_ERRORS = range(400, 500)


class WebhookChannel:
    """Posts notices to `url`, signed with `secret`. Open it before it sends."""

    name = "webhook"

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        self._webhook = Webhook(
            url=url, proof=signature(secret, clock), timeout_s=WEBHOOK_TIMEOUT_S
        )

    def open(self) -> AbstractAsyncContextManager[None]:
        """Keep connections until the block ends."""
        return self._webhook.open()

    async def send(self, notice: Notice, link: str) -> None:
        """Post a notice. May raise NoticeNotSent: no answer, or another status than 2xx."""
        members = msgspec.to_builtins(notice) | {"event": "device.connected", "not_me_uri": link}
        try:
            status = await self._webhook.post(msgspec.json.encode(members), "application/json")
        except WebhookSilent as error:
            raise NoticeNotSent(str(error)) from error
        if status not in _SUCCESS:
            is_final = status in _CLIENT_ERRORS and status not in _TRY_AGAIN
            raise NoticeNotSent(f"status {status}", is_final=is_final)

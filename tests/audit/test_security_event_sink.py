"""Security event tokens that are pushed to a receiver (RFC 8935)."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from deviceflow.audit.chain import Chain
from deviceflow.audit.events import AuditLine, SecurityEvent
from deviceflow.audit.outlet import LinesNotWritten
from deviceflow.audit.security_event_sink import SecurityEventSink
from deviceflow.core.errors import temporarily_unavailable
from deviceflow.signing.keys import new_key
from deviceflow.signing.signer import Signer
from deviceflow.webhook import Webhook, bearer
from tests.stage.receiver import Receiver
from tests.stage.waiting import PATIENCE_S

ISSUER, AUDIENCE = "https://login.example.com", "https://gateway.example.com"
SIGNER = Signer([new_key("ES256", int(time.time()))], "ES256", time.time)
TIME = "2026-11-27T08:30:12.417Z"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(status=202).running() as receiver:
        yield receiver


def sink_to(url: str) -> SecurityEventSink:
    webhook = Webhook(url=url, proof=bearer(None), timeout_s=PATIENCE_S)
    return SecurityEventSink(webhook, ISSUER, AUDIENCE, SIGNER.sign)


def line(event: SecurityEvent = SecurityEvent.SESSION_ENDED) -> bytes:
    return Chain("c").add(AuditLine(time=TIME, event=event, sub="ada"))


async def test_each_token_is_signed_and_posted_by_itself(receiver: Receiver) -> None:
    sink = sink_to(receiver.url)
    async with sink.open():
        await sink.write([line(), line(SecurityEvent.ACCOUNT_REMOVED)])
    tokens = [SIGNER.verify(body.decode()) for body in receiver.bodies]
    assert [token.header["typ"] for token in tokens] == ["secevent+jwt"] * 2
    assert [token.claims["aud"] for token in tokens] == [AUDIENCE] * 2
    assert {headers["Content-Type"] for headers in receiver.headers} == {"application/secevent+jwt"}


async def test_nothing_is_pushed_where_there_is_nobody_to_tell_of(receiver: Receiver) -> None:
    sink = sink_to(receiver.url)
    async with sink.open():
        await sink.write([Chain("c").add(AuditLine(time=TIME, event=SecurityEvent.SESSION_ENDED))])
    assert receiver.bodies == []


@pytest.mark.parametrize(
    ("status", "is_final"), [(200, False), (302, False), (400, True), (401, False), (503, False)]
)
async def test_only_202_says_that_a_token_was_taken(
    receiver: Receiver, status: int, *, is_final: bool
) -> None:
    receiver.status = status
    sink = sink_to(receiver.url)
    async with sink.open():
        with pytest.raises(LinesNotWritten, match=f"status {status}") as refusal:
            await sink.write([line()])
    assert refusal.value.is_final is is_final


async def test_without_an_answer_or_without_keys_it_comes_later(receiver: Receiver) -> None:
    def no_keys(_claims: Mapping[str, Any], _token_type: str) -> str:
        raise temporarily_unavailable()

    webhook = Webhook(url=receiver.url, proof=bearer(None), timeout_s=PATIENCE_S)
    without_keys = SecurityEventSink(webhook, ISSUER, AUDIENCE, no_keys)
    for sink in (sink_to("http://127.0.0.1:1/"), without_keys):
        async with sink.open():
            with pytest.raises(LinesNotWritten) as refusal:
                await sink.write([line()])
        assert not refusal.value.is_final

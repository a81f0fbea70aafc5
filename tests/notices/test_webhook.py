"""The webhook: what is posted, how it is signed, and which answers end it."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import pytest

from deviceflow.notices.notice import Notice, NoticeNotSent
from deviceflow.notices.webhook import WebhookChannel
from tests.stage.receiver import Receiver

SECRET = "s" * 32
NOW = 1_800_000_000


@pytest.fixture
async def channel(receiver: Receiver) -> AsyncIterator[WebhookChannel]:
    channel = WebhookChannel(receiver.url, SECRET, lambda: NOW)
    async with channel.open():
        yield channel


async def test_the_body_says_what_has_happened(
    channel: WebhookChannel, receiver: Receiver, notice: Notice
) -> None:
    await channel.send(notice, "https://login.example.com/x")
    (body,) = receiver.bodies
    assert json.loads(body) == {
        "event": "device.connected",
        "sub": "sub-ada",
        "username": "ada",
        "email": "ada@example.com",
        "grant_id": "g" * 32,
        "client_id": "tv-app",
        "client_name": "Living-room TV",
        "scope": "openid profile",
        "device": "NebulaTV 4.2",
        "address": "203.0.113.7",
        "connected_at": 1_793_887_400,
        "language": "de",
        "not_me_uri": "https://login.example.com/x",
    }


async def test_the_signature_is_over_the_time_and_the_body(
    channel: WebhookChannel, receiver: Receiver, notice: Notice
) -> None:
    await channel.send(notice, "")
    headers = receiver.headers[0]
    assert headers["Content-Type"] == "application/json"
    assert headers["Deviceflow-Timestamp"] == str(NOW)
    signed = f"{NOW}.".encode() + receiver.bodies[0]
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Deviceflow-Signature"] == f"v1={expected}"
    assert SECRET not in str(headers)


@pytest.mark.parametrize(
    ("status", "is_final"),
    [
        *((302, False), (307, False), (400, True), (404, True), (410, True)),
        *((408, False), (425, False), (429, False), (500, False), (503, False)),
    ],
)
async def test_an_answer_that_is_none(
    channel: WebhookChannel, receiver: Receiver, notice: Notice, status: int, *, is_final: bool
) -> None:
    """A redirect is not followed: it could lead to another receiver."""
    receiver.status = status
    with pytest.raises(NoticeNotSent, match=f"status {status}") as refusal:
        await channel.send(notice, "")
    assert refusal.value.is_final is is_final
    assert len(receiver.bodies) == 1


async def test_no_answer(notice: Notice) -> None:
    channel = WebhookChannel("http://127.0.0.1:1/hook?key=secret", SECRET, lambda: NOW)
    with pytest.raises(NoticeNotSent, match="not open"):
        await channel.send(notice, "")
    async with channel.open():
        with pytest.raises(NoticeNotSent) as refusal:
            await channel.send(notice, "")
    assert not refusal.value.is_final
    assert "secret" not in str(refusal.value)

"""What is posted to a program of the operator's, and what comes back."""

import socket

import pytest

from deviceflow.core.webhook_signature import signature_headers
from deviceflow.webhook import Webhook, WebhookSilent, bearer, signature
from tests.stage.receiver import Receiver
from tests.stage.waiting import PATIENCE_S

SECRET = "s" * 32
NOW = 1_800_000_000


def webhook_at(url: str, timeout_s: float = PATIENCE_S) -> Webhook:
    return Webhook(url=url, proof=signature(SECRET, lambda: NOW), timeout_s=timeout_s)


async def test_the_body_is_posted_as_it_is_and_signed(receiver: Receiver) -> None:
    webhook = webhook_at(receiver.url)
    async with webhook.open():
        assert await webhook.post(b'{"a":1}', "text/plain") == 204
    assert receiver.bodies == [b'{"a":1}']
    (headers,) = receiver.headers
    assert headers["Content-Type"] == "text/plain"
    assert signature_headers(SECRET, NOW, b'{"a":1}').items() <= headers.items()


async def test_a_receiver_may_know_this_server_by_a_token(receiver: Receiver) -> None:
    for token in ("t" * 32, None):
        webhook = Webhook(url=receiver.url, proof=bearer(token), timeout_s=PATIENCE_S)
        async with webhook.open():
            await webhook.post(b"{}", "application/json")
    with_token, without = receiver.headers
    assert with_token["Authorization"] == f"Bearer {'t' * 32}"
    assert "Authorization" not in without


@pytest.mark.parametrize("status", [302, 307, 404, 503])
async def test_each_status_is_returned_and_no_redirect_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.status = status
    webhook = webhook_at(receiver.url)
    async with webhook.open():
        assert await webhook.post(b"{}", "application/json") == status
    assert len(receiver.bodies) == 1


async def test_no_answer_has_no_address_in_its_text() -> None:
    webhook = webhook_at("http://127.0.0.1:1/hook?key=secret")
    with pytest.raises(WebhookSilent, match="not open"):
        await webhook.post(b"{}", "application/json")
    async with webhook.open():
        with pytest.raises(WebhookSilent) as silence:
            await webhook.post(b"{}", "application/json")
    assert "secret" not in str(silence.value)


async def test_an_answer_that_takes_too_long_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody_accepts:
        port = nobody_accepts.getsockname()[1]
        webhook = webhook_at(f"http://127.0.0.1:{port}/", timeout_s=0.01)
        async with webhook.open():
            with pytest.raises(WebhookSilent, match="TimeoutError"):
                await webhook.post(b"{}", "application/json")

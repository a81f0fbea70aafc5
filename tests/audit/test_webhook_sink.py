"""Lines that are posted to an operator's program."""

import pytest

from deviceflow.audit.outlet import LinesNotWritten
from deviceflow.audit.webhook_sink import WebhookSink
from deviceflow.core.webhook_signature import signature_headers
from tests.stage.receiver import Receiver

SECRET = "s" * 32
NOW = 1_800_000_000


async def test_the_body_is_the_bytes_of_the_lines_and_signed(receiver: Receiver) -> None:
    sink = WebhookSink(receiver.url, SECRET, lambda: NOW)
    async with sink.open():
        await sink.write([b'{"a":1}\n', b'{"b":2}\n'])
    (headers,), (body,) = receiver.headers, receiver.bodies
    assert body == b'{"a":1}\n{"b":2}\n'
    assert headers["Content-Type"] == "application/x-ndjson"
    assert signature_headers(SECRET, NOW, body).items() <= headers.items()


@pytest.mark.parametrize(
    ("status", "is_final"),
    [
        *((302, False), (400, True), (401, False), (404, False), (413, True), (422, True)),
        *((429, False), (500, False), (503, False)),
    ],
)
async def test_an_answer_that_takes_nothing(
    receiver: Receiver, status: int, *, is_final: bool
) -> None:
    """A redirect is not followed; a receiver that is set up wrong gets the lines once it is not."""
    receiver.status = status
    sink = WebhookSink(receiver.url, SECRET, lambda: NOW)
    async with sink.open():
        with pytest.raises(LinesNotWritten, match=f"status {status}") as refusal:
            await sink.write([b"{}\n"])
    assert refusal.value.is_final is is_final
    assert len(receiver.bodies) == 1


async def test_no_answer() -> None:
    sink = WebhookSink("http://127.0.0.1:1/hook?key=secret", SECRET, lambda: NOW)
    with pytest.raises(LinesNotWritten, match="not open"):
        await sink.write([b"{}\n"])
    async with sink.open():
        with pytest.raises(LinesNotWritten) as refusal:
            await sink.write([b"{}\n"])
    assert not refusal.value.is_final
    assert "secret" not in str(refusal.value)

"""The queue of a channel: nothing waits for it, what fails is sent again, what is lost counted."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from deviceflow.notices import outbox as outboxes
from deviceflow.notices.notice import Notice, NoticeNotSent
from deviceflow.notices.outbox import AT_ONCE, PAUSES_S, WAITING_NOTICES, Outbox, Outboxes
from deviceflow.ops.metrics import table
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.store.errors import StoreUnavailable
from tests.stage.metrics import numbers
from tests.stage.waiting import until

LINK = "https://login.example.com/account/not-me?token=secret"


@dataclass
class FakeChannel:
    """Fails as often as `failures` has an error."""

    failures: list[Exception] = field(default_factory=list)
    sent: list[tuple[Notice, str]] = field(default_factory=list)
    tries: int = 0
    name: str = "webhook"

    async def send(self, notice: Notice, link: str) -> None:
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((notice, link))


async def link(_: Notice) -> str:
    return LINK


@dataclass
class Made:
    """An outbox, and what its test looks at."""

    channel: FakeChannel
    recorder: Recorder
    pauses: list[float]
    outbox: Outbox

    def count(self, outcome: str) -> int:
        series = f'{table.NOTICES.name}{{channel="webhook",outcome="{outcome}"}}'
        return int(numbers(self.recorder)[series])


def make(*failures: Exception, make_link: Callable[[Notice], Awaitable[str]] = link) -> Made:
    channel, recorder, pauses = FakeChannel([*failures]), Recorder.alone(), list[float]()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    drops = ThinnedLog(("others",), lambda: 1.0)
    outbox = Outbox(
        channel=channel, make_link=make_link, recorder=recorder, drops=drops, sleep=sleep
    )
    return Made(channel, recorder, pauses, outbox)


async def test_a_notice_is_sent_with_its_link(notice: Notice) -> None:
    made = make()
    with capture_logs() as logs:
        async with made.outbox.open():
            made.outbox.put(notice)
            await until(lambda: made.count("sent") == 1)
    assert made.channel.sent == [(notice, LINK)]
    assert [line["event"] for line in logs] == ["notice.sent"]
    assert LINK not in str(logs)
    assert "ada@example.com" not in str(logs)


async def test_what_fails_is_sent_again_after_longer_and_longer_pauses(notice: Notice) -> None:
    made = make(*(NoticeNotSent("status 503") for _ in PAUSES_S))
    async with made.outbox.open():
        made.outbox.put(notice)
        await until(lambda: made.count("sent") == 1)
    assert made.pauses == list(PAUSES_S)


async def test_a_notice_is_given_up(notice: Notice) -> None:
    made = make(*(NoticeNotSent("status 503") for _ in range(9)))
    with capture_logs() as logs:
        async with made.outbox.open():
            made.outbox.put(notice)
            await until(lambda: made.count("failed") == 1)
    assert made.channel.tries == len(PAUSES_S) + 1
    (line,) = logs
    assert (line["event"], line["reason"]) == ("notice.failed", "status 503")


@pytest.mark.parametrize(
    "error", [NoticeNotSent("status 404", is_final=True), ZeroDivisionError("a mistake")]
)
async def test_what_another_try_would_not_help(notice: Notice, error: Exception) -> None:
    """And the next notice is sent all the same."""
    made = make(error)
    async with made.outbox.open():
        made.outbox.put(notice)
        made.outbox.put(notice)
        await until(lambda: made.count("failed") + made.count("sent") == 2)
    assert (made.count("failed"), made.channel.tries) == (1, 2)


async def test_a_store_that_is_away_is_waited_for(notice: Notice) -> None:
    links = [StoreUnavailable("away"), None]

    async def make_link(_: Notice) -> str:
        if (error := links.pop(0)) is not None:
            raise error
        return LINK

    made = make(NoticeNotSent("x"), make_link=make_link)
    async with made.outbox.open():
        made.outbox.put(notice)
        await until(lambda: made.count("sent") == 1)
    assert made.pauses == list(PAUSES_S[:2])
    assert links == [], "one link for all tries"


async def test_too_many_are_dropped_and_counted(notice: Notice) -> None:
    """At once: whoever puts a notice here never waits."""
    made = make()
    with capture_logs() as logs:
        for _ in range(WAITING_NOTICES + 20):
            made.outbox.put(notice)
    assert made.count("dropped") == 20
    assert [line["times"] for line in logs] == [1, 10]


async def test_what_is_left_at_the_end_is_dropped_and_counted(
    notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "SEND_ON_S", 0.0)
    made = make()
    forever = asyncio.Event()

    async def hang(_: Notice, __: str) -> None:
        made.channel.tries += 1
        await forever.wait()

    made.channel.send = hang  # type: ignore[method-assign, assignment]
    async with made.outbox.open():
        for _ in range(AT_ONCE + 3):
            made.outbox.put(notice)
        await until(lambda: made.channel.tries == AT_ONCE)
    assert made.count("dropped") == AT_ONCE + 3


def test_without_a_channel_nothing_is_kept(notice: Notice) -> None:
    nothing = Outboxes()
    assert not nothing.are_on
    nothing.put(notice)
    made = make()
    nothing.outboxes.append(made.outbox)
    assert nothing.are_on

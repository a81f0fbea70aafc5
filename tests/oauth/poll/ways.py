"""The three ways in which a poll is held, and what all tests of held polls do."""

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import quote_plus

from deviceflow.core.grant import Event
from tests.stage.oauth import Stage
from tests.stage.served import Issued, Reply, Served, poll
from tests.stage.waiting import turns_until

PENDING = "authorization_pending"
PREFER = b"Prefer: wait=%d"
SECRET = "%:+ é&="
BASIC = b64encode(f"console:{quote_plus(SECRET)}".encode())


class Way(NamedTuple):
    """Who holds the poll."""

    lane: bool
    client_id: str = "tv-app"

    def poll(self, code: bytes, *headers: bytes) -> bytes:
        if self.client_id == "console":
            headers = (*headers, b"Authorization: Basic " + BASIC)
        return poll(code, *headers, client_id=self.client_id.encode())


WAYS = {
    "lane": Way(lane=True),
    "lane off": Way(lane=False),
    "confidential": Way(lane=True, client_id="console"),
}


async def held(served: Served, count: int = 1) -> None:
    await turns_until(lambda: len(served.apps.polls.held) == count)


async def decide(stage: Stage, issued: Issued, event: Event) -> None:
    people = stage.people
    await people.grants.claim(issued.grant, "sub-ada")
    subject = None if event is Event.CANCEL else await people.subject("ada")
    await people.grants.decide(issued.grant, event, subject)


def assert_waited(answer: Reply, seconds: int | None) -> None:
    """RFC 7240 3: the preference that was applied is named, and no other."""
    expected = None if seconds is None else f"wait={seconds}"
    assert answer.header("Preference-Applied") == expected

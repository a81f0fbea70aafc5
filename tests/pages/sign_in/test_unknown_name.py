"""An unknown user name and a wrong password: the same bytes for the same work.

With the accounts of a real store and real hashes. No wall time is measured: what would tell the two
apart is a hash that is not computed, or another one.
"""

import re
from contextlib import AsyncExitStack
from typing import NamedTuple
from unittest import mock

from deviceflow.config import Settings, User
from tests.stage.clock import Clock
from tests.stage.oauth import CLIENTS, ISSUER, Stage
from tests.stage.pages import Browser
from tests.stage.users import HASH
from tests.stage.valkey import Valkey

OF_ONE_ANSWER = {"Date", "X-Request-ID"}


class Seen(NamedTuple):
    """All that a browser sees of a sign-in that failed, but for its name and its tokens."""

    statuses: tuple[int, int]
    location: str
    headers: dict[str, str]
    page: str


async def fail_to_sign_in(browser: Browser, name: str) -> Seen:
    browser.client.session.cookie_jar.clear()
    await browser.open("/login?user_code=WDJB-MJHT")
    sent = await browser.submit("/login", username=name, password="wrong")
    shown = await browser.follow()
    return Seen(
        statuses=(sent.status, shown.status),
        location=sent.headers["Location"],
        headers={field: shown.headers[field] for field in shown.headers.keys() - OF_ONE_ANSWER},
        page=re.sub(r'(csrf_token" value=)"[^"]*"', r"\1", browser.page).replace(name, "NAME"),
    )


async def test_an_unknown_name_and_a_wrong_password_get_the_same_bytes_for_the_same_work(
    valkey: Valkey, clock: Clock
) -> None:
    users = (User(username="ada", password_hash=HASH),)
    settings = Settings(issuer=ISSUER, clients=CLIENTS, users=users)
    async with AsyncExitStack() as stack:
        stage = await Stage(valkey.url, settings, clock, stack).open()
        worker = await stage.start_worker()
        browser = Browser(worker.client)
        passwords = worker.parts.users._passwords
        with mock.patch.object(passwords, "_matches", wraps=passwords._matches) as matches:
            of_ada, of_nobody = [await fail_to_sign_in(browser, name) for name in ("ada", "eda")]
        assert of_ada == of_nobody
        assert of_ada.statuses == (303, 403)
        assert "NAME" in of_ada.page
        work = [cost(call.args[0]) for call in matches.call_args_list]
        assert work == [cost(HASH)] * 2, "a hash for each, with the parameters that accounts have"


def cost(password_hash: str) -> str:
    """The parameters of a hash, without its salt."""
    return password_hash.rsplit("$", 2)[0]

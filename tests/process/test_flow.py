"""The flow from end to end: a device, a person's browser, and two workers between them."""

import pytest

from tests.stage.process import NewBrowser, NewDevice
from tests.stage.program import Program
from tests.stage.waiting import Stopwatch, until_outside
from tests.stage.wire import fetch, request_of

AT_ONCE_S = 2


def test_every_way_a_grant_can_go(program: Program, device: NewDevice, browser: NewBrowser) -> None:
    """8628-3.3-a, 8628-3.3.1-a, 8628-3.5-a, 8628-3.5-c, 8628-3.5-d, and refresh."""
    brief = device("brief").authorize()
    tv, denied, console = device().authorize(), device().authorize(), device("console").authorize()
    assert [each.outcome() for each in (tv, denied, console)] == ["authorization_pending"] * 3

    person = browser()
    assert person.decide(tv.user_code, "approve").status == 200
    assert person.decide(denied.user_code, "deny").status == 200
    assert person.decide(console.user_code, "approve").status == 200

    assert tv.wait() == "tokens"
    assert tv.tokens["scope"] == "openid profile offline_access"
    assert denied.wait() == "access_denied"
    assert console.wait() == "tokens"
    assert tv.outcome() == "tokens", "the same ones, because none is used yet"
    assert tv.refresh().status == 200
    assert tv.outcome() == "invalid_grant"
    assert tv.refresh(scope="openid").status == 200
    assert brief.wait() == "expired_token"
    assert program.log


def test_a_code_can_be_typed_as_people_type(device: NewDevice, browser: NewBrowser) -> None:
    """8628-3.3-a, 8628-6.1-a: without the complete URI; case and dashes do not matter."""
    tv = device().authorize()
    person = browser()
    person.sign_in()
    person.open("/device")
    typed = tv.user_code.lower().replace("-", " ")
    page = person.submit("/device", user_code=typed)
    assert tv.user_code in page.page
    assert tv.outcome() == "authorization_pending", "a look at the request decides nothing"
    person.submit("/device", user_code=typed, decision="approve")
    assert tv.wait() == "tokens"


def test_the_pace_is_kept_for_all_workers(device: NewDevice) -> None:
    """8628-3.5-b: ten connections land on both workers, and each poll counts."""
    tv = device("slow").authorize()
    answers = [tv.poll() for _ in range(10)]
    assert answers[0].body["error"] == "authorization_pending"
    intervals = [answer.body["interval"] for answer in answers[1:]]
    assert intervals == [35, 40, 45, 50, 55, 60, 60, 60, 60], "up to the cap"
    assert answers[-1].headers["Retry-After"] == "60"


def test_an_approval_overtakes_the_pace(device: NewDevice, browser: NewBrowser) -> None:
    """Section 3: slow_down never blocks the pick-up, at whichever worker."""
    tv = device().authorize()
    for _ in range(4):
        tv.poll()
    browser().decide(tv.user_code, "approve")
    with Stopwatch() as watch:
        while (outcome := tv.outcome()) in {"authorization_pending", "slow_down"}:
            assert watch.seconds < AT_ONCE_S
    assert outcome == "tokens"


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_second_account_cannot_decide(
    program: Program, device: NewDevice, browser: NewBrowser, decision: str
) -> None:
    """Section 3: the account that entered the code first is the only one."""
    tv = device().authorize()
    ada, other = browser(), browser()
    ada.sign_in()
    ada.open("/device")
    ada.submit("/device", user_code=tv.user_code)
    other.sign_in("bob")
    other.open("/device")
    assert other.submit("/device", user_code=tv.user_code).status == 409
    other.open("/device")
    assert other.submit("/device", user_code=tv.user_code, decision=decision).status == 409
    assert tv.outcome() == "authorization_pending"
    assert program.workers


def test_operators_see_health_on_their_port_only(program: Program) -> None:
    assert fetch(request_of(program.admin_url + "/healthz")).status == 200
    until_outside(lambda: fetch(request_of(program.admin_url + "/readyz")).status == 200)
    assert fetch(request_of(program.url + "/healthz")).status == 404

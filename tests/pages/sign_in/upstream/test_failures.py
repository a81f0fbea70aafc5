"""Every page about a sign-in that did not work says what happened and what to do."""

import pytest

from deviceflow.core.upstream_person import NotAdmitted
from deviceflow.pages.errors import PageError
from deviceflow.pages.sign_in.upstream import failures
from deviceflow.pages.sign_in.upstream.detours import StateFault
from deviceflow.policy.rules import SIGN_IN_ADDRESS
from deviceflow.policy.tries import TooManyTries
from deviceflow.upstream.errors import Cause, UpstreamError

CODE = "BCDF-GHJK"

PAGES = [
    *(failures.provider_failed(UpstreamError(cause, "detail"), "Acme", CODE) for cause in Cause),
    failures.provider_failed(UpstreamError(Cause.REFUSED, "", "access_denied"), "Acme", CODE),
    *(failures.state_wrong(fault, CODE) for fault in StateFault),
    failures.used_before(CODE),
    *(failures.not_admitted(reason, "Acme", CODE) for reason in NotAdmitted),
    failures.no_account("Acme", CODE),
    failures.no_free_name(CODE),
    failures.account_disabled("Acme", CODE),
    failures.too_many_tries(TooManyTries(SIGN_IN_ADDRESS, 60), CODE),
]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_leads_back_with_the_code(page: PageError) -> None:
    assert page.button.path == f"/login?user_code={CODE}"
    assert page.status in {403, 429, 502, 503}
    assert page.happened.endswith(".")
    assert page.next_step.endswith(".")
    assert "detail" not in page.happened + page.next_step, "details are for the log"


def test_only_what_may_pass_says_when_to_try_again() -> None:
    retried = {(page.status, page.headers.get("Retry-After")) for page in PAGES}
    assert retried == {(503, "5"), (403, None), (502, None), (429, "60")}

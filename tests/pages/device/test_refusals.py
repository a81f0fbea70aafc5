"""Why a code leads nowhere: sealed by the POST that found it out."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from deviceflow.audit.journal import Audit
from deviceflow.config import Settings
from deviceflow.core.clients import Clients
from deviceflow.core.user_code import UserCodeFormat
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.pages.codes import Codes
from deviceflow.pages.device.refusals import TO_TYPE_AGAIN, Reason, Refusal, Refusals
from deviceflow.pages.render import setup
from deviceflow.pages.seal import Seal
from deviceflow.pages.visitor import Visitor

REFUSALS = Refusals(
    seal=Seal(keys=lambda: (b"k" * 32,)),
    codes=Codes(UserCodeFormat(), Clients(())),
    recorder=Recorder.alone(),
    audit=Audit(recorder=Recorder.alone()),
)


def _visitor(address: str, cookie: str = "cookie") -> Visitor:
    app = web.Application()
    setup(app, Settings())
    request = make_mocked_request("GET", address, app=app)
    return Visitor(
        request=request, sent_cookie=cookie, cookie=cookie, csrf_token="", address="", person=None
    )


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("text", ["WDJB-MJHT", "", "a&b=c#d", "\u20acuro"])
def test_the_page_after_a_post_knows_what_it_found_out(reason: Reason, text: str) -> None:
    location = REFUSALS.lead(_visitor("/device"), reason, text).headers["Location"]
    page = "/device" if reason in TO_TYPE_AGAIN else "/device/done"
    assert location.startswith(f"{page}?")
    refusal = REFUSALS.read(_visitor(location))
    assert refusal is not None
    assert refusal.reason is reason
    assert REFUSALS.read(_visitor(location, "another")) is None


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("wdjb mjht", Refusal(Reason.UNUSABLE, "WDJB-MJHT")),
        ("wdjb", Refusal(Reason.TOO_SHORT, "WDJB")),
        ("hunter2", Refusal(Reason.TOO_SHORT, "")),
        ("hunter22", Refusal(Reason.UNUSABLE, "")),
        ("W" * 15, Refusal(Reason.TOO_LONG, "")),
        ("", Refusal(Reason.UNUSABLE, "")),
    ],
)
def test_a_text_that_is_no_code(text: str, refusal: Refusal) -> None:
    """What is wrong with its length is said, and only a code or a piece of one is repeated."""
    location = REFUSALS.unreadable(_visitor("/device"), text).headers["Location"]
    assert REFUSALS.read(_visitor(location)) == refusal
    assert "hunter" not in location


def test_an_ordinary_address_tells_nothing() -> None:
    assert REFUSALS.read(_visitor("/device?user_code=WDJB-MJHT")) is None

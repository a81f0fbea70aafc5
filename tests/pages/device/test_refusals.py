"""Why a code leads nowhere: sealed by the POST that found it out."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from deviceflow.config import Settings
from deviceflow.pages.device.refusals import Reason, Refusal, Refusals
from deviceflow.pages.render import setup
from deviceflow.pages.seal import Seal
from deviceflow.pages.visitor import Visitor

REFUSALS = Refusals(seal=Seal(key=lambda: b"k" * 32))


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
    page = "/device" if reason in {Reason.UNUSABLE, Reason.MUST_TYPE} else "/device/done"
    assert location.startswith(f"{page}?")
    refusal = REFUSALS.read(_visitor(location))
    assert refusal is not None
    assert refusal.reason is reason
    assert REFUSALS.read(_visitor(location, "another")) is None


def test_a_long_text_is_cut() -> None:
    location = REFUSALS.lead(_visitor("/device"), Reason.UNUSABLE, "A " * 200).headers["Location"]
    assert REFUSALS.read(_visitor(location)) == Refusal(Reason.UNUSABLE, ("A " * 32).strip() + " ")


def test_an_ordinary_address_tells_nothing() -> None:
    assert REFUSALS.read(_visitor("/device?user_code=WDJB-MJHT")) is None

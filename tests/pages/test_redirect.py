"""Redirects go to pages of this server, below its path, with a code at most."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from deviceflow.config import Settings
from deviceflow.pages.redirect import see_other
from deviceflow.pages.render import setup


@pytest.mark.parametrize(
    ("issuer", "base"),
    [("https://login.example", ""), ("https://login.example/tenant", "/tenant")],
)
def test_a_redirect_repeats_no_post_and_stays_here(issuer: str, base: str) -> None:
    """RFC 9700 4.12: 303, with the headers of any page."""
    app = web.Application()
    setup(app, Settings(issuer=issuer))
    request = make_mocked_request("POST", "/login", app=app)
    answer = see_other(request, "/device", "WDJB-MJHT")
    assert (answer.status, answer.headers["Location"]) == (
        303,
        f"{base}/device?user_code=WDJB-MJHT",
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" in answer.headers
    assert see_other(request, "/logout").headers["Location"] == f"{base}/logout"

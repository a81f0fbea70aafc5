"""The authorization endpoint, which refuses every request (RFC 6749 4.1.2.1)."""

import pytest

from tests.stage.oauth import Worker

PATH = "/oauth2/authorize"
REQUEST = {
    "response_type": "code",
    "client_id": "tv-app",
    "redirect_uri": "https://app.example/callback",
    "state": "s",
}


@pytest.mark.parametrize("response_type", ["code", "token", "none", "code id_token"])
async def test_a_machine_gets_an_oauth_error(worker: Worker, response_type: str) -> None:
    parameters = REQUEST | {"response_type": response_type}
    for answer in (
        await worker.send("GET", PATH, params=parameters),
        await worker.post(PATH, parameters),
    ):
        assert answer.outcome == (400, "unsupported_response_type")
        assert "Location" not in answer.headers


async def test_a_request_that_cannot_be_read(worker: Worker) -> None:
    for sent in ("", "?response_type=", "?response_type=a&response_type=b", "?response_type=%ff"):
        assert (await worker.send("GET", PATH + sent)).outcome == (400, "invalid_request")
    assert (await worker.post(PATH, b"{}")).outcome == (400, "invalid_request")


async def test_a_person_gets_a_page_and_is_sent_nowhere(worker: Worker) -> None:
    accept = {"Accept": "text/html,application/xhtml+xml;q=0.9"}
    async with worker.client.get(
        PATH, params=REQUEST, headers=accept, allow_redirects=False
    ) as response:
        text = await response.text()
        assert response.status == 400
        assert response.content_type == "text/html"
        assert "Content-Security-Policy" in response.headers
        assert "Location" not in response.headers
        assert "unsupported_response_type" in text
        assert "app.example" not in text
        assert 'href="/device"' in text


async def test_the_page_is_in_the_person_s_language_and_keeps_ui_locales(worker: Worker) -> None:
    """OpenID Connect Core 3.1.2.1 has `ui_locales` for this endpoint."""
    german = "So kann man sich hier nicht anmelden"
    for asked in ({"Accept-Language": "de"}, {}):
        locale = {} if asked else {"ui_locales": "de"}
        headers = {"Accept": "text/html"} | asked
        async with worker.client.get(PATH, params=REQUEST | locale, headers=headers) as response:
            assert german in await response.text()
            assert any("ui-locales" in name for name in response.cookies) == bool(locale)

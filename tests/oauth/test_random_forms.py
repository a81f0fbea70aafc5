"""Random requests to the newer endpoints get OAuth errors, never a 500."""

import asyncio
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deviceflow.config import Settings
from tests.stage.oauth import Worker
from tests.stage.proving import (
    AUTHORIZE,
    INITIAL,
    INTROSPECT,
    REGISTER,
    REVOKE,
    SECRET,
    TOKEN,
    USERINFO,
    with_certificates,
    with_surface,
)

NAMES = (
    "token", "token_type_hint", "client_id", "client_secret", "client_assertion",
    "client_assertion_type", "resource", "dpop_jkt", "code_challenge", "code_challenge_method",
    "code_verifier", "grant_type", "refresh_token", "device_code", "scope", "access_token",
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["rs", SECRET, "tv-app", "asserting", "apis", "S256", "refresh_token"]),
    st.from_regex(r"\A[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{43}\Z"),
    st.from_regex(r"\Aeyj[A-Za-z0-9_-]{0,30}\.[A-Za-z0-9_-]{0,30}\.[A-Za-z0-9_-]{0,9}\Z"),
    st.text(max_size=60),
)
FORMS = st.one_of(
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6).map(
        lambda form: urlencode(form, errors="replace").encode()
    ),
    st.binary(max_size=200),
)
HEADERS = st.dictionaries(
    st.sampled_from(["Authorization", "DPoP", "Accept", "X-SSL-Client-S-DN"]),
    st.one_of(
        st.sampled_from(["Bearer x", f"Bearer {INITIAL}", "DPoP x", "Basic cnM6eA=="]),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
        st.text(st.characters(min_codepoint=160, max_codepoint=255), max_size=40),
    ),
    max_size=2,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
REGISTRATION_NAMES = (
    "client_name", "scope", "grant_types", "token_endpoint_auth_method", "application_type",
    "jwks", "dpop_bound_access_tokens", "id_token_signed_response_alg", "client_id",
)  # fmt: skip


@pytest.fixture(name="settings")
def settings_fixture(settings: Settings) -> Settings:
    return with_certificates(with_surface(settings))


quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("path", [REVOKE, INTROSPECT, USERINFO, REGISTER, AUTHORIZE, TOKEN])
async def test_random_bodies(worker: Worker, path: str) -> None:
    """6749-5.2-c: JSON in the standard's characters, without any part of the request."""
    loop = asyncio.get_running_loop()

    async def check(body: bytes, headers: dict[str, str]) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
        async with worker.client.post(path, data=body, headers=headers) as response:
            assert response.status < 500, await response.text()
            if response.status >= 400 and await response.read():
                description = (await response.json()).get("error_description", "")
                assert all(" " <= char <= "~" and char not in '"\\' for char in description)

    @quick
    @given(FORMS, HEADERS)
    def run(body: bytes, headers: dict[str, str]) -> None:
        asyncio.run_coroutine_threadsafe(check(body, headers), loop).result(10)

    await asyncio.to_thread(run)


async def test_random_registrations(worker: Worker) -> None:
    loop = asyncio.get_running_loop()

    async def check(metadata: dict[str, object]) -> None:
        headers = {"Authorization": f"Bearer {INITIAL}"}
        async with worker.client.post(REGISTER, json=metadata, headers=headers) as response:
            assert response.status in {201, 400}, await response.text()

    @quick
    @given(st.dictionaries(st.sampled_from(REGISTRATION_NAMES), JSON, max_size=4))
    def run(metadata: dict[str, object]) -> None:
        asyncio.run_coroutine_threadsafe(check(metadata), loop).result(10)

    await asyncio.to_thread(run)

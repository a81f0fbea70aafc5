"""The addresses of the metadata, and the documents that are accepted."""

import pytest

from deviceflow.device import (
    DeviceClient,
    DiscoveryError,
    InsecureAddressError,
    MalformedAnswerError,
    UnavailableError,
    UnreachableError,
)
from deviceflow.device.metadata import well_known
from tests.stage.scripted import OIDC, RFC8414, FakeTime, Say, ScriptedServer

PATH = "/realms/home"


def test_rfc_8414_inserts_and_oidc_appends() -> None:
    """8414-3-a, OIDCD-4-a."""
    assert well_known("https://example.com/realms/home/") == (
        "https://example.com/.well-known/oauth-authorization-server/realms/home",
        "https://example.com/realms/home/.well-known/openid-configuration",
    )
    assert well_known("https://example.com") == (
        "https://example.com/.well-known/oauth-authorization-server",
        "https://example.com/.well-known/openid-configuration",
    )


@pytest.mark.parametrize(
    "first", [Say("no", status=404), Say("<html>our app"), Say("[]"), Say("", status=302)]
)
async def test_oidc_discovery_is_the_second_try(
    client: DeviceClient, server: ScriptedServer, first: Say
) -> None:
    server.well_known[RFC8414] = first
    assert (await client.metadata()).token_endpoint == f"{server.issuer}/token"
    assert [heard.path for heard in server.heard] == [RFC8414, OIDC]


@pytest.mark.parametrize("found", [RFC8414 + PATH, PATH + OIDC])
async def test_an_issuer_with_a_path(server: ScriptedServer, found: str) -> None:
    """8414-3-a, OIDCD-4-a."""
    server.path, server.well_known = PATH, {found: None}
    server.issuer += PATH
    async with DeviceClient(server.issuer, "tv") as client:
        assert (await client.metadata()).issuer == server.issuer


@pytest.mark.parametrize("suffix", ["/", "/other", None])
async def test_another_issuers_document_is_not_used(
    client: DeviceClient, server: ScriptedServer, suffix: str | None
) -> None:
    """8414-3.3-a."""
    server.metadata = {"issuer": None if suffix is None else server.issuer + suffix}
    with pytest.raises(DiscoveryError, match="names another issuer"):
        await client.metadata()


async def test_a_server_without_the_device_flow(
    client: DeviceClient, server: ScriptedServer
) -> None:
    """8628-4-a."""
    server.metadata = {"device_authorization_endpoint": None}
    with pytest.raises(DiscoveryError, match="does not offer the device flow"):
        await client.authorize()


async def test_not_an_oauth_server(client: DeviceClient, server: ScriptedServer) -> None:
    server.well_known = {RFC8414: Say("<html>hello")}
    with pytest.raises(DiscoveryError, match=r"not an OAuth server.*no JSON object.*HTTP 404"):
        await client.metadata()


async def test_endpoints_must_be_encrypted_too(
    client: DeviceClient, server: ScriptedServer
) -> None:
    """8628-3.1-a."""
    server.metadata = {"token_endpoint": "http://example.com/token"}
    with pytest.raises(InsecureAddressError, match=r"token endpoint http://example\.com/token"):
        await client.metadata()


async def test_a_document_with_wrong_types(client: DeviceClient, server: ScriptedServer) -> None:
    server.metadata = {"device_poll_max_wait": "long"}
    with pytest.raises(DiscoveryError, match=r"not usable.*device_poll_max_wait"):
        await client.metadata()


async def test_nobody_listens() -> None:
    async with DeviceClient("http://127.0.0.1:1", "tv") as client:
        with pytest.raises(UnreachableError, match=r"Cannot reach .*: connection refused"):
            await client.metadata()


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("busy", [RFC8414, OIDC])
async def test_a_server_in_trouble_is_still_an_oauth_server(
    client: DeviceClient, server: ScriptedServer, busy: str, status: int
) -> None:
    server.well_known = {busy: Say("<html>", status=status, headers={"Retry-After": "7"})}
    with pytest.raises(UnavailableError, match="in 7 s"):
        await client.metadata()


async def test_codes_wait_for_the_metadata(
    client: DeviceClient, server: ScriptedServer, time: FakeTime
) -> None:
    server.well_known = {RFC8414: Say("", status=503, headers={"Retry-After": "7"})}

    def serve_again(_: float) -> None:
        server.well_known = {RFC8414: None}

    began = time.now
    assert (await client.authorize(on_pause=serve_again)).expires_in == 600
    assert time.now - began == 7


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://user:s3cret@www.example.com:444/x?s3cret", "https://www.example.com:444 "),
        ("/portal?s3cret", "another path "),
        ("https://[", "no address "),
    ],
)
async def test_a_redirect_says_where_it_leads(
    client: DeviceClient, server: ScriptedServer, location: str, words: str
) -> None:
    """Not with its path and query, which may have secrets in them."""
    server.codes = Say("", status=302, headers={"Location": location})
    with pytest.raises(MalformedAnswerError, match="HTTP 302, a redirect to") as caught:
        await client.authorize()
    assert f"a redirect to {words}and no JSON object" in str(caught.value)
    assert "s3cret" not in str(caught.value)

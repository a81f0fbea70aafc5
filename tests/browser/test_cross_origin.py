"""A page of another origin, as televisions run them, lives the whole flow by `fetch`."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from playwright.async_api import Browser

from deviceflow.cli.demo import PASSWORD, USERNAME

FLOW = """
async ([issuer, clientId]) => {
  const form = (url, fields, headers = {}) =>
    fetch(url, { method: "POST", headers, body: new URLSearchParams(fields) });
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const keys = await (await fetch(metadata.jwks_uri)).json();
  const scope = "openid profile offline_access";
  const request = { client_id: clientId, scope };
  const started = await form(metadata.device_authorization_endpoint, request);
  const codes = await started.json();
  const poll = (prefer) => form(metadata.token_endpoint, {
    grant_type: "urn:ietf:params:oauth:grant-type:device_code",
    device_code: codes.device_code,
    client_id: clientId,
  }, prefer ? { Prefer: prefer } : {});
  const held = await poll("wait=1");
  const first = await held.json();
  const hurried = await poll();
  const seen = {
    keys: keys.keys.length,
    first: first.error,
    second: (await hurried.json()).error,
    applied: held.headers.get("Preference-Applied"),
    retryAfter: hurried.headers.get("Retry-After"),
  };
  window.finish = async () => {
    let tokens = await (await poll()).json();
    while (["slow_down", "authorization_pending"].includes(tokens.error)) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      tokens = await (await poll()).json();
    }
    seen.type = tokens.token_type;
    const authorization = { Authorization: `Bearer ${tokens.access_token}` };
    const person = await fetch(metadata.userinfo_endpoint, { headers: authorization });
    seen.sub = (await person.json()).sub;
    const unknown = { Authorization: "Bearer x" };
    const refused = await fetch(metadata.userinfo_endpoint, { headers: unknown });
    seen.challenge = refused.headers.get("WWW-Authenticate");
    const unsigned = await form(metadata.token_endpoint, { client_id: clientId }, { DPoP: "x" });
    seen.dpop = (await unsigned.json()).error;
    const refresh = { grant_type: "refresh_token", client_id: clientId };
    const fresh = await form(
      metadata.token_endpoint, { ...refresh, refresh_token: tokens.refresh_token });
    const last = (await fresh.json()).refresh_token;
    const revoked = await form(metadata.revocation_endpoint, { client_id: clientId, token: last });
    seen.revoked = revoked.status;
    const gone = await form(metadata.token_endpoint, { ...refresh, refresh_token: last });
    seen.after = (await gone.json()).error;
    return seen;
  };
  return codes.verification_uri_complete;
}
"""


class Television(BaseHTTPRequestHandler):
    """Serves an empty page."""

    page: ClassVar[bytes] = b"<!doctype html><title>Television</title>"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def television() -> Iterator[str]:
    """The address of a page of another origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Television) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


async def test_the_whole_flow_from_another_origin(
    demo: str, television: str, browser: Browser
) -> None:
    page = await (await browser.new_context()).new_page()
    await page.goto(television)
    link = await page.evaluate(FLOW, [demo, "demo-tv"])

    phone = await (await browser.new_context()).new_page()
    await phone.goto(link)
    await phone.get_by_label("Username").fill(USERNAME)
    await phone.get_by_label("Password").fill(PASSWORD)
    await phone.get_by_role("button", name="Sign in").click()
    await phone.get_by_role("button", name="Continue").click()
    await phone.get_by_role("button", name="Approve").click()

    seen = await page.evaluate("window.finish()")
    assert (seen["first"], seen["second"]) == ("authorization_pending", "slow_down")
    assert seen["applied"] == "wait=1"
    assert int(seen["retryAfter"]) > 0
    assert (seen["type"], seen["dpop"]) == ("Bearer", "invalid_request")
    assert seen["keys"] > 0
    assert seen["sub"]
    assert "invalid_token" in seen["challenge"]
    assert (seen["revoked"], seen["after"]) == (200, "invalid_grant")

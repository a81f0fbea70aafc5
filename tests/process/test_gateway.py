"""nginx with the lines of docs/apis.md in front of an API: what passes, and what the API reads."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time
from typing import NamedTuple

import pytest

from tests.stage.checkout import DOCS
from tests.stage.clock import Clock
from tests.stage.nginx import NGINX, nginx
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
from tests.stage.proving import KEY, Holder, s256
from tests.stage.wire import Answer, Browser, Device, fetch, request_of

API = "https://api.example.com/readings"
CONFIG = f"""
[log]
format = "json"

[server]
trusted_proxies = ["127.0.0.1/32"]

[[resources]]
resource = "{API}"
scopes = ["readings", "readings:write"]

[[clients]]
client_id = "tv"
name = "Living-room TV"
scopes = ["openid", "readings", "readings:write"]
resources = ["{API}"]

[[clients]]
client_id = "opaque"
name = "Console"
scopes = ["readings"]
resources = ["{API}"]
token_format = "opaque"
"""


class Echo(BaseHTTPRequestHandler):
    """An API that answers with the headers that it has received."""

    def do_GET(self) -> None:
        headers = json.dumps({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(headers.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Site(NamedTuple):
    """A server, and the address of an API behind nginx that asks it."""

    program: Program
    api: str

    def token(self, client_id: str = "tv", scope: str = "readings") -> str:
        device = Device(self.program, client_id).authorize(scope=scope)
        assert Browser(self.program).decide(device.user_code, "approve").status == 200
        assert device.poll().status == 200
        return str(device.tokens["access_token"])

    def get(self, authorization: str = "", **headers: str) -> Answer:
        request = request_of(f"{self.api}/readings/1?scope=openid&resource=x")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if authorization:
            request.add_header("Authorization", authorization)
        return fetch(request)


@pytest.fixture
def site(folder: Path, user_tables: str) -> Iterator[Site]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    part = (DOCS / "apis.md").read_text(encoding="utf-8").split("\n## Let a proxy check\n")[1]
    (text,) = re.findall(r"```nginx\n(.*?)```", part, re.DOTALL)
    port = free_port()
    program = Program(folder, (), Notes())
    program.config.write_text(CONFIG + user_tables, encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as api:
        Thread(target=api.serve_forever).start()
        try:
            program.start()
            text = re.sub(r" +ssl_certificate.*\n", "", text)
            text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
            text = text.replace("127.0.0.1:8628;", f"127.0.0.1:{program.port};")
            text = text.replace("127.0.0.1:9000;", f"127.0.0.1:{api.server_port};")
            with nginx(folder, port, text):
                yield Site(program, f"http://127.0.0.1:{port}")
        finally:
            program.end()
            api.shutdown()


def test_what_passes(site: Site) -> None:
    """The facts replace what the client made up; nothing passes without a good token."""
    for client_id in ("tv", "opaque"):
        made_up = {"X_Token_Subject": "root", "X_Token_Scope": "all", "X_Token_Audience": "x"}
        answer = site.get(f"Bearer {site.token(client_id)}", **made_up)
        assert answer.status == 200
        assert answer.body["x-token-client-id"] == client_id
        assert answer.body["x-token-scope"] == "readings"
        assert answer.body["x-token-audience"] == API
        assert answer.body["x-token-subject"].startswith("user_")
        assert int(answer.body["x-token-expires-at"]) > time()

    for authorization in ("", "Bearer garbage", "Basic eDp5"):
        answer = site.get(authorization)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="deviceflow"')

    other_scope = site.get(f"Bearer {site.token(scope='readings:write')}")
    assert other_scope.status == 403
    assert 'error="insufficient_scope", scope="readings"' in other_scope.headers["WWW-Authenticate"]
    other_api = site.get(f"Bearer {site.token(scope='openid')}")
    assert other_api.status == 401


def test_a_revoked_token(site: Site) -> None:
    token = site.token()
    assert site.get(f"Bearer {token}").status == 200
    form = {"client_id": "tv", "token": token}
    assert fetch(request_of(f"{site.program.url}/oauth2/revoke", form)).status == 200
    assert site.get(f"Bearer {token}").status == 401


def test_a_bound_token(site: Site) -> None:
    """RFC 9449 7, 9: the nonce comes through the proxy, and then the request passes once."""
    holder = Holder(Clock(time()), KEY)
    token_url = f"{site.program.url}/oauth2/token"
    device = Device(site.program, "tv").authorize(scope="readings")
    assert Browser(site.program).decide(device.user_code, "approve").status == 200
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": device.grant["device_code"],
        "client_id": "tv",
    }

    def redeem() -> Answer:
        request = request_of(token_url, form)
        request.add_header("DPoP", holder.proof(htu=token_url))
        return fetch(request)

    holder.nonce = redeem().headers["DPoP-Nonce"]
    token = redeem().body["access_token"]
    htu = "http://api.example.com/readings/1"
    holder.nonce = "invented"
    first = site.get(f"DPoP {token}", DPoP=holder.proof(method="GET", htu=htu, ath=s256(token)))
    assert first.status == 401
    assert 'DPoP realm="deviceflow", error="use_dpop_nonce"' in first.headers["WWW-Authenticate"]
    holder.nonce = first.headers["DPoP-Nonce"]
    proof = holder.proof(method="GET", htu=htu, ath=s256(token))
    assert site.get(f"DPoP {token}", DPoP=proof).status == 200
    assert site.get(f"DPoP {token}", DPoP=proof).status == 401
    assert site.get(f"Bearer {token}").status == 401

"""nginx with the lines of docs/operations/proxy.md in front of the program."""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.stage.checkout import DOCS
from tests.stage.nginx import NGINX, nginx
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
from tests.stage.waiting import PATIENCE_S
from tests.stage.wire import Browser, Device, fetch, request_of

PAGE = DOCS / "operations" / "proxy.md"
CLIENT = '\n[[clients]]\nclient_id = "tv"\nname = "Living-room TV"\nscopes = ["openid"]\n'
ELSEWHERE = "127.0.0.9"
METADATA = "/.well-known/oauth-authorization-server"


def lines(path: str) -> str:
    """The page's configuration, for an issuer with `path`; only TLS is left to others."""
    part = PAGE.read_text(encoding="utf-8").split("\n## Behind a proxy\n")[1].split("\n## ")[0]
    whole, locations = re.findall(r"```nginx\n(.*?)```", part, re.DOTALL)
    if path:
        whole, replaced = re.subn(
            r"    location / \{.*?\n    \}\n", locations, whole, flags=re.DOTALL
        )
        assert replaced == 1
    return re.sub(r" +ssl_certificate.*\n", "", whole)


def configured(path: str, port: int, upstream: int) -> str:
    text = lines(path).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    return text.replace("127.0.0.1:8628;", f"127.0.0.1:{upstream};")


@pytest.fixture(params=["", "/auth"])
def site(request: pytest.FixtureRequest, folder: Path, user_tables: str) -> Iterator[Program]:
    """A program behind nginx, whose issuer has no path or one; its `url` is the issuer."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    issuer = f"http://127.0.0.1:{port}{request.param}"
    program = Program(folder, (), Notes())
    program.config.write_text(
        f'issuer = "{issuer}"\n[log]\nformat = "json"\n'
        f'[server]\ntrusted_proxies = ["127.0.0.1/32"]\n{CLIENT}{user_tables}',
        encoding="utf-8",
    )
    try:
        program.start()
        with nginx(folder, port, configured(request.param, port, program.port)):
            program.url = issuer
            yield program
    finally:
        program.end()


def test_the_whole_flow(site: Program) -> None:
    """8414-3-a: every address that the metadata names is one that the proxy lets through."""
    parts = urlsplit(site.url)
    origin, path = f"http://{parts.netloc}", parts.path
    inserted = fetch(request_of(f"{origin}{METADATA}{path}"))
    appended = fetch(request_of(f"{site.url}/.well-known/openid-configuration"))
    authorize = {"authorization_endpoint": f"{site.url}/oauth2/authorize"}
    assert appended.body == inserted.body | authorize
    assert inserted.body["issuer"] == site.url
    assert len(fetch(request_of(inserted.body["jwks_uri"])).body["keys"]) == 1

    assert Browser(site).open("").url.startswith(f"{site.url}/login")
    device = Device(site, "tv").authorize()
    assert device.outcome() == "authorization_pending"
    approved = Browser(site).decide(device.user_code, "approve")
    assert approved.status == 200
    assert device.outcome() == "tokens"
    if path:
        assert fetch(request_of(f"{origin}/device")).status == 404


def test_people_see_where_the_device_is(site: Program) -> None:
    """RFC 8628 5.4: its own address, not that of the proxy, and not one that it made up."""
    parts = urlsplit(site.url)
    connection = http.client.HTTPConnection(
        parts.netloc, timeout=PATIENCE_S, source_address=(ELSEWHERE, 0)
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-For": "198.51.100.7",
    }
    target = f"{parts.path}/oauth2/device_authorization"
    connection.request("POST", target, urlencode({"client_id": "tv"}), headers)
    code = json.loads(connection.getresponse().read())["user_code"]
    connection.close()
    person = Browser(site)
    person.sign_in()
    person.open(f"/device?user_code={code}")
    page = person.submit("/device", user_code=code).page
    assert ELSEWHERE in page
    assert "198.51.100.7" not in page

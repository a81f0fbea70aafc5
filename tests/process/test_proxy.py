"""nginx with the lines of docs/operations/proxy.md in front of the program."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.stage.checkout import DOCS
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
from tests.stage.waiting import PATIENCE_S, until_outside
from tests.stage.wire import Browser, Device, fetch, request_of

PAGE = DOCS / "operations" / "proxy.md"
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
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


@contextmanager
def nginx(folder: Path, port: int, upstream: int, path: str) -> Iterator[None]:
    """It listens on `port` as soon as the block begins."""
    text = lines(path).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = text.replace("127.0.0.1:8628;", f"127.0.0.1:{upstream};")
    user = "user root;" if os.getuid() == 0 else ""
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; {user}\n"
        f"error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{text}}}\n",
        encoding="utf-8",
    )
    command = [NGINX or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until_outside(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, (folder / "error.log").read_text()
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


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
        with nginx(folder, port, program.port, request.param):
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

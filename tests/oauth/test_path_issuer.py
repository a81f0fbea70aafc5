"""An issuer with a path: everything is below it, for people and for machines."""

import re

import msgspec
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from deviceflow.config import Registration, Settings, User
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.pages.demo import Demo
from deviceflow.store.users import Users
from tests.stage.clock import Clock
from tests.stage.oauth import People, Stage, Worker
from tests.stage.proving import Holder, with_surface
from tests.stage.served import FORM, serve

BASE = "/tenant"
HOST = "127.0.0.1:8628"
ISSUER = f"http://{HOST}{BASE}"
PASSWORD = "correct horse battery"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(with_surface(settings), issuer=ISSUER)


async def test_metadata(worker: Worker) -> None:
    """8414-3-a, OIDCD-4-a, 8414-3.3-a: inserted before the path, and appended to it."""
    documents = []
    for path in (
        f"/.well-known/oauth-authorization-server{BASE}",
        f"{BASE}/.well-known/openid-configuration",
    ):
        async with worker.client.get(path) as response:
            assert response.status == 200
            documents.append(await response.json())
    document = documents[0]
    assert documents[1] == document | {"authorization_endpoint": f"{ISSUER}/oauth2/authorize"}
    assert document["issuer"] == ISSUER
    for name, value in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(f"{ISSUER}/oauth2/")
            path = URL(value).path
            async with worker.client.request("PATCH", path) as response:
                assert response.status == 405, name
    for path in ("/.well-known/oauth-authorization-server", "/oauth2/jwks", "/device"):
        async with worker.client.get(path) as response:
            assert response.status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", BASE, f"{BASE}/"])
async def test_the_root(worker: Worker, method: str, path: str) -> None:
    async with worker.client.request(method, path, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, f"{BASE}/device")


async def test_the_flow_of_a_machine(worker: Worker, people: People) -> None:
    grant = await worker.post(f"{BASE}/oauth2/device_authorization", {"client_id": "tv-app"})
    assert grant.body["verification_uri"] == f"{ISSUER}/device"
    await people.approve(grant.body["user_code"])
    form = {"grant_type": DEVICE_CODE_GRANT, "device_code": grant.body["device_code"]}
    answer = await worker.post(f"{BASE}/oauth2/token", form | {"client_id": "tv-app"})
    assert answer.status == 200
    headers = {"Authorization": f"Bearer {answer.body['access_token']}"}
    async with worker.client.get(f"{BASE}/oauth2/userinfo", headers=headers) as response:
        assert (await response.json())["sub"] == "sub-ada"


async def test_a_proof(worker: Worker, clock: Clock) -> None:
    """9449-4.3-a: htu has the path."""
    holder = Holder(clock)
    form = {"client_id": "tv-app", "grant_type": "refresh_token", "refresh_token": "x"}
    path = f"{BASE}/oauth2/token"
    for htu, error in ((path, "use_dpop_nonce"), ("/oauth2/token", "invalid_dpop_proof")):
        answer = await worker.post(path, form, headers={"DPoP": holder.proof(htu)})
        assert answer.error == error


async def test_the_lane(stage: Stage) -> None:
    """The lane answers a pending poll below the path. Above it, there is no endpoint."""
    worker = await stage.start_worker()
    grant = await worker.post(f"{BASE}/oauth2/device_authorization", {"client_id": "tv-app"})
    code = grant.body["device_code"]
    body = f"grant_type={DEVICE_CODE_GRANT}&device_code={code}&client_id=tv-app".encode()
    head = b"Host: x\r\n%b\r\nContent-Length: %d\r\n\r\n" % (FORM, len(body))
    async with serve(stage) as served, await served.connect() as peer:
        answer = await peer.ask(b"POST /tenant/oauth2/token HTTP/1.1\r\n" + head + body)
        assert (answer.error, served.lane_answers) == ("authorization_pending", 1)
        await peer.ask(b"POST /oauth2/token HTTP/1.1\r\n" + head + body)
        assert served.lane_answers == 1


async def test_the_pages(stage: Stage) -> None:
    """Sign in, type the code, approve: every link and every redirect stays below the path."""
    users = Users(stage.people.users._connection)
    hashed = await users.hash(PASSWORD)
    users.close()
    person = User(username="eve", sub="sub-eve", password_hash=hashed)
    worker = await stage.start_worker(msgspec.structs.replace(stage.settings, users=(person,)))
    grant = await worker.post(f"{BASE}/oauth2/device_authorization", {"client_id": "tv-app"})
    page = await _open(worker, URL(grant.body["verification_uri_complete"]).path_qs)
    page = await _send(worker, page, username="eve", password=PASSWORD)
    page = await _send(worker, page, user_code=grant.body["user_code"])
    await _send(worker, page, user_code=grant.body["user_code"], decision="approve")
    form = {"grant_type": DEVICE_CODE_GRANT, "device_code": grant.body["device_code"]}
    answer = await worker.post(f"{BASE}/oauth2/token", form | {"client_id": "tv-app"})
    assert answer.status == 200


async def test_the_demo(stage: Stage) -> None:
    """Every address in the demo's page and its script is below the path."""
    demo = Demo("tv-app", "demo", "television")
    apps = await stage.build(stage.settings, stage.pace, demo=demo)
    async with TestClient(TestServer(apps.public)) as client:
        async with client.get(f"{BASE}/demo") as response:
            _, page = await _checked(response)
        base = re.search(r'<body data-base="([^"]*)"', page)
        link = re.search(r'<script src="([^"]*)"', page)
        assert base
        assert link
        async with client.get(link[1]) as response:
            script = await response.text()
        named = re.findall(r'[`"]((?:\$\{base\})?/[a-z.][a-z0-9_./-]*(?:\$\{base\})?)', script)
        paths = {path.replace("${base}", base[1]) for path in named}
        assert paths == {
            f"{BASE}/oauth2/device_authorization",
            f"{BASE}/oauth2/token",
            f"/.well-known/oauth-authorization-server{BASE}",
            f"{BASE}/demo/qr.svg",
        }
        for path in paths:
            async with client.request("PATCH", path) as response:
                assert response.status == 405, path


async def _open(worker: Worker, path: str) -> tuple[str, str]:
    """Return the page at `path`, and its address after all redirects."""
    async with worker.client.get(path, headers={"Host": HOST}) as response:
        return await _checked(response)


async def _send(worker: Worker, page: tuple[str, str], **fields: str) -> tuple[str, str]:
    path, text = page
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))
    action = re.search(r'<form[^>]* action="([^"]*)"', text)
    target = action[1] if action and action[1] else path
    headers = {"Host": HOST, "Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    async with worker.client.post(target, data=hidden | fields, headers=headers) as response:
        return await _checked(response)


async def _checked(response: ClientResponse) -> tuple[str, str]:
    text = await response.text()
    assert response.status == 200, text
    for path in (response.url.path, *re.findall(r' (?:href|action|src)="(/[^"]*)"', text)):
        assert path.startswith(f"{BASE}/")
    return response.url.path_qs, text


@pytest.mark.parametrize("path", ["/b%C3%BCro", "/%7Eme", "/b%c3%bcro/a+b", "/a%20b"])
async def test_a_path_with_a_percent_sign(stage: Stage, path: str) -> None:
    """The router compares decoded paths; what is published stays as it is configured."""
    origin = "http://127.0.0.1:8628"
    registration = Registration(enabled=True, initial_access_token_sha256=("0" * 64,))
    settings = msgspec.structs.replace(
        stage.settings, issuer=origin + path, registration=registration
    )
    worker = await stage.start_worker(settings)

    async def get(address: str) -> ClientResponse:
        url = URL(address, encoded=True)
        return await worker.client.get(url, headers={"Host": HOST}, allow_redirects=False)

    for place in (
        f"{path}/.well-known/openid-configuration",
        f"/.well-known/oauth-authorization-server{path}",
    ):
        answer = await get(place)
        assert answer.status == 200, place
        assert (await answer.json())["issuer"] == origin + path
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert (await get(f"{path}/login")).status == 200
    root = await get(f"{path}/")
    assert (root.status, root.headers["Location"]) == (302, f"{path}/device")
    style = re.search(r'href="([^"]+\.css[^"]*)"', await (await get(f"{path}/login")).text())
    assert style is not None
    assert (await get(style[1])).status == 200
    assert (await get(f"{path}/oauth2/register/client_1")).status == 401


async def test_a_proof_below_a_path_with_a_percent_sign(stage: Stage, clock: Clock) -> None:
    """9449-4.3-a: the address in a proof is that of the metadata."""
    path = "/b%C3%BCro"
    settings = msgspec.structs.replace(stage.settings, issuer=f"http://127.0.0.1:8628{path}")
    worker = await stage.start_worker(settings)
    form = {"client_id": "tv-app", "grant_type": "refresh_token", "refresh_token": "x"}
    holder = Holder(clock)
    for expected in ("use_dpop_nonce", "invalid_grant"):
        headers = {"DPoP": holder.proof(f"{path}/oauth2/token")}
        url = URL(f"{path}/oauth2/token", encoded=True)
        async with worker.client.post(url, data=form, headers=headers) as response:
            assert (await response.json())["error"] == expected
            holder.nonce = response.headers["DPoP-Nonce"] if expected == "use_dpop_nonce" else ""

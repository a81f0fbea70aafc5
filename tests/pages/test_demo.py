"""The demo's page and its QR code."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
import segno
from aiohttp import ClientResponse

from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
from deviceflow.pages.demo import Demo
from tests.stage.checkout import TEMPLATES
from tests.stage.pages import MakeApp

Open = Callable[..., Awaitable[ClientResponse]]

GOOD = "/demo/qr.svg?user_code=WDJB-MJHT"
NUMERIC_TV = Client(
    client_id="keypad-tv",
    name="Keypad TV",
    scopes=("profile",),
    user_code=UserCodeFormat(alphabet=NUMERIC, length=9, group=3),
)


@pytest.fixture
def get(
    aiohttp_client: Any,  # noqa: ANN401, its type has changed with every release of the plugin
    make_app: MakeApp,
    settings: Settings,
) -> Open:
    """GET a path of a server that has the demo."""

    async def go(path: str, client_id: str = "tv-app", **changes: Any) -> ClientResponse:  # noqa: ANN401
        own = msgspec.structs.replace(settings, **changes)
        demo = Demo(client_id, "demo <one>", "television")
        client = await aiohttp_client(make_app(own, demo))
        answer: ClientResponse = await client.get(own.base_path + path)
        return answer

    return go


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that QR codes were made of."""
    texts: list[str] = []
    make = segno.make_qr

    def note(text: str, **options: Any) -> segno.QRCode:  # noqa: ANN401
        texts.append(text)
        return make(text, **options)

    monkeypatch.setattr(segno, "make_qr", note)
    return texts


async def test_the_page_tells_the_television_who_it_is_and_the_person_how_to_sign_in(
    get: Open,
) -> None:
    answer = await get("/demo")
    page = await answer.text()
    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert '<body data-base="" data-client-id="tv-app" data-scope="openid profile"' in page
    assert "<code>demo &lt;one&gt;</code>" in page
    assert "<code>television</code>" in page


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        ("http://127.0.0.1:8628", "for this machine only"),
        ("http://localhost:8628/a", "for this machine only"),
        ("http://[::1]:8628", "for this machine only"),
        ("https://connect.example", "or scan"),
    ],
)
async def test_a_phone_is_named_only_where_it_can_open_the_page(
    get: Open, issuer: str, said: str
) -> None:
    page = await (await get("/demo", issuer=issuer)).text()
    assert f"<figcaption>{said}" in page
    assert ("no phone can follow" in page) == (said != "or scan")


async def test_the_scope_has_a_default_for_a_client_of_the_store(get: Open) -> None:
    page = await (await get("/demo", client_id="elsewhere")).text()
    assert 'data-scope="openid profile offline_access"' in page


async def test_only_our_own_script_runs_and_speaks_only_to_us(get: Open) -> None:
    """9700-4.16-a."""
    answer = await get("/demo")
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    } <= set(policy)
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_nothing_on_the_page_is_inline(get: Open) -> None:
    page = await (await get("/demo")).text()
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    assert "/static/demo.js" in scripts[0][0]
    assert scripts[0][1] == ""
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)


async def test_whoever_has_no_script_is_told(get: Open) -> None:
    page = await (await get("/demo")).text()
    assert "JavaScript" in page.partition("<noscript>")[2].partition("</noscript>")[0]


@pytest.mark.parametrize("name", ["demo.js", "demo.css"])
async def test_the_files_that_the_page_links_to_are_there(get: Open, name: str) -> None:
    page = await (await get("/demo")).text()
    found = re.search(rf'"(/static/{re.escape(name)}[^"]*)"', page)
    assert found is not None
    answer = await get(found[1])
    assert answer.status == 200
    assert answer.content_type in {"text/javascript", "text/css"}


async def test_every_part_that_the_script_names_is_on_the_page(get: Open) -> None:
    page = await (await get("/demo")).text()
    script = await (await get("/static/demo.js")).text()
    named = set(re.findall(r'find\("([a-z-]+)"\)', script))
    assert len(named) > 10
    assert named <= set(re.findall(r'\sid="([a-z-]+)"', page))


async def test_the_script_never_reads_an_answer_as_html() -> None:
    """What a server answers is shown as text, whatever is in it."""
    script = (TEMPLATES / "static" / "demo.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


async def test_a_qr_code_is_a_drawing_of_the_complete_address(get: Open, drawn: list[str]) -> None:
    """8628-3.3.1-a: the code is in verification_uri_complete, and still typed or compared."""
    answer = await get(GOOD)
    assert answer.status == 200
    assert answer.content_type == "image/svg+xml"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert ET.fromstring(await answer.text()).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314, our own
    assert drawn == ["http://127.0.0.1:8628/device?user_code=WDJB-MJHT"]


async def test_a_code_is_written_anew_and_with_the_issuers_address(
    get: Open, drawn: list[str]
) -> None:
    """8628-6.1-a; the Host header plays no part."""
    await get("/demo/qr.svg?user_code=wdjb%20mjht", issuer="https://connect.example")
    assert drawn == ["https://connect.example/device?user_code=WDJB-MJHT"]


async def test_a_code_has_the_format_of_its_client(
    get: Open, settings: Settings, drawn: list[str]
) -> None:
    clients = (*settings.clients, NUMERIC_TV)
    await get("/demo/qr.svg?user_code=019450730", client_id="keypad-tv", clients=clients)
    assert drawn == ["http://127.0.0.1:8628/device?user_code=019-450-730"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?user_code=",
        "?user_code=WDJB",
        "?user_code=WDJB-MJHT-WDJB-MJHT",
        "?user_code=https://elsewhere.example/",
        "?user_code=AEIOU-AEIOU",
        "?user_code=WDJB-MJHT&user_code=WDJB-MJHT",
        "?user_code=" + "W" * 3000,
        "?user_code=%FF%00",
        "?code=WDJB-MJHT",
    ],
)
async def test_anything_else_is_no_qr_code(get: Open, drawn: list[str], query: str) -> None:
    answer = await get("/demo/qr.svg" + query)
    assert answer.status == 400
    assert answer.content_type == "text/html"
    assert "elsewhere" not in await answer.text()
    assert drawn == []


async def test_without_a_demo_there_is_no_such_page(
    aiohttp_client: Any,  # noqa: ANN401, as above
    make_app: MakeApp,
    settings: Settings,
) -> None:
    client = await aiohttp_client(make_app(settings))
    assert (await client.get("/demo")).status == 404

"""The overview: figures without a script, figures for the script, and the search."""

import json

import pytest

from deviceflow.core.client import Client
from tests.stage.admin import ADA, Operator
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Worker


async def test_the_figures_are_on_the_page(console: ConsoleBrowser, worker: Worker) -> None:
    codes = (await worker.authorize()).body
    await worker.poll(codes["device_code"])
    worker.parts.clock.now += 2  # type: ignore[attr-defined]
    await console.open("/console")
    assert "Store reachable" in console.text
    assert "Started 0.5 /s" in console.text
    assert "authorization_pending 0.5" in console.text


async def test_the_script_gets_what_the_api_says(
    console: ConsoleBrowser, operator: Operator, worker: Worker
) -> None:
    worker.parts.clock.now += 2  # type: ignore[attr-defined]
    answer = await console.open("/console/fleet")
    assert answer.headers["Cache-Control"] == "no-store"
    worker.parts.clock.now += 2  # type: ignore[attr-defined]
    assert json.loads(console.page).keys() == (await operator.get("/fleet")).body.keys()


async def test_search(console: ConsoleBrowser, worker: Worker, operator: Operator) -> None:
    code = (await worker.authorize()).body["user_code"]
    places = {
        code.lower(): f"/console/grants/{await operator.id_of(code)}",
        f"  {code} ": f"/console/grants/{await operator.id_of(code)}",
        "tv-app": "/console/clients/tv-app",
        "ada": "/console/people/ada",
        "sub-bob": "/console/people/bob",
    }
    for text, place in places.items():
        await console.open("/console")
        await console.submit("/console/search", text=text)
        assert console.place == place


@pytest.mark.parametrize("text", ["", "nobody", "XXXX-XXXX", "<b>", "/../x"])
async def test_what_is_not_found(console: ConsoleBrowser, text: str) -> None:
    await console.open("/console")
    await console.submit("/console/search", text=text)
    await console.follow()
    assert "Nothing was found" in console.text


async def test_names_are_encoded(console: ConsoleBrowser, worker: Worker) -> None:
    """A client_id may have any printable ASCII."""
    strange = Client(client_id="a/b?c#<i>&'", name="<script>alert(1)</script>")
    worker.parts.clients.adopt_one(strange.client_id, strange)
    await console.open("/console")
    await console.submit("/console/search", text=strange.client_id)
    assert "<" not in console.place
    await console.follow()
    assert console.answer.status == 200
    assert "<script>alert" not in console.page
    assert ADA["sub"] not in console.page


async def test_recent_decisions(
    console: ConsoleBrowser, operator: Operator, worker: Worker
) -> None:
    code = (await worker.authorize()).body["user_code"]
    grant_id = await operator.id_of(code)
    await console.open("/console")
    assert "None of a grant that still lives" in console.text
    await operator.post(f"/grants/{grant_id}/approve", ADA)
    await console.open("/console")
    assert f'href="/console/grants/{grant_id}"' in console.page
    assert "Living-room TV ada approved" in console.text

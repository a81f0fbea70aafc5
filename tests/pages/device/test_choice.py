"""Scopes that a person may leave out: boxes on the page, and what a form can do with them."""

import msgspec
import pytest
from structlog.testing import capture_logs

from deviceflow.core.grant import State
from tests.stage.pages import TV, Browser, Store

CODE = "WDJBMJHT"
SHOWN = "WDJB-MJHT"
REQUESTED = "openid profile email offline_access"
BOXES = {"scope.email": "on", "scope.offline_access": "on"}


@pytest.fixture
async def ada(ada: Browser, store: Store) -> Browser:
    """Ada, and the request of a television of which two scopes are optional."""
    scopes = tuple(REQUESTED.split())
    tv = msgspec.structs.replace(TV, scopes=scopes, optional_scopes=scopes[2:])
    store.clients.adopt([tv])
    store.grants.add(CODE, scope=REQUESTED)
    return ada


async def approve(ada: Browser, **boxes: str) -> None:
    await ada.enter(SHOWN)
    await ada.submit("/device/confirm", decision="approve", **boxes)
    await ada.follow()


async def test_the_boxes_are_ticked_and_the_others_are_fixed(ada: Browser) -> None:
    await ada.enter(SHOWN)
    for name in ("email", "offline_access"):
        box = f'<input type="checkbox" name="scope.{name}" value="on" form="decide" checked>'
        assert box in ada.page
    assert ada.page.count('type="checkbox"') == 2
    assert "Untick what you do not want to allow." in ada.text


@pytest.mark.parametrize(
    ("boxes", "granted"),
    [
        (BOXES, REQUESTED),
        ({"scope.email": "on"}, "openid profile email"),
        ({}, "openid profile"),
    ],
)
async def test_what_is_not_ticked_is_not_granted(
    ada: Browser, store: Store, boxes: dict[str, str], granted: str
) -> None:
    await approve(ada, **boxes)
    assert "You can go back to your device" in ada.text
    assert store.grants.by_code[CODE].scope == granted


async def test_the_last_page_says_what_is_allowed(ada: Browser) -> None:
    await approve(ada, **{"scope.email": "on"})
    allowed = "You have allowed Know who you are See your name & picture See your e-mail address"
    assert allowed in ada.text
    assert "Stay signed in" not in ada.text


@pytest.mark.parametrize("added", ["print", "openid profile", "openid", ""])
async def test_a_form_cannot_widen_a_request(ada: Browser, store: Store, added: str) -> None:
    await approve(ada, **BOXES, **{f"scope.{added}": "on"})
    assert store.grants.by_code[CODE].scope == REQUESTED


async def test_a_fixed_scope_cannot_be_left_out(ada: Browser, store: Store) -> None:
    await ada.enter(SHOWN)
    offered = {"optional_scopes": REQUESTED, "scope.email": "on"}
    await ada.submit("/device/confirm", decision="approve", **offered)
    assert "notice=outdated" in ada.answer.headers["Location"]
    assert store.grants.by_code[CODE].state is State.PENDING


async def test_other_boxes_than_those_that_were_shown(ada: Browser, store: Store) -> None:
    """The operator makes another scope optional meanwhile: the person is asked again."""
    await ada.enter(SHOWN)
    tv = msgspec.structs.replace(TV, optional_scopes=("email",))
    store.clients.adopt([tv])
    await ada.submit("/device/confirm", decision="approve", **BOXES)
    assert "notice=outdated" in ada.answer.headers["Location"]
    await ada.follow()
    assert ada.page.count('type="checkbox"') == 1
    assert store.grants.by_code[CODE].state is State.PENDING


async def test_something_has_to_be_allowed(ada: Browser, store: Store) -> None:
    store.clients.adopt([msgspec.structs.replace(TV, optional_scopes=("email", "profile"))])
    store.grants.add(CODE, scope="email profile")
    await approve(ada)
    assert "Tick at least one of the boxes to approve" in ada.text
    assert store.grants.by_code[CODE].state is State.PENDING
    await ada.submit("/device/confirm", decision="deny")
    assert store.grants.by_code[CODE].state is State.DENIED


async def test_a_second_approval_changes_nothing(ada: Browser, store: Store) -> None:
    await ada.enter(SHOWN)
    form = ada.hidden
    await approve(ada, **{"scope.email": "on"})
    await ada.post("/device/confirm", data=form | {"decision": "approve"})
    await ada.follow()
    assert store.grants.by_code[CODE].scope == "openid profile email"
    assert "See your e-mail address" in ada.text


async def test_the_log_says_what_was_approved(ada: Browser) -> None:
    with capture_logs() as logs:
        await approve(ada)
    [line] = [line for line in logs if line["event"] == "grant.decided"]
    assert line["scope"] == "openid profile"

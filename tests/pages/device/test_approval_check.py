"""What stands between a person and an approval, on each page and at the decision."""

from typing import Any

import pytest
from msgspec.structs import replace

from deviceflow.config import Device, Phishing, Server, Settings
from deviceflow.core.client import Client
from deviceflow.core.grant import Event, Outcome, State
from deviceflow.store.grant_records import Grant
from tests.stage.pages import Browser, OpenBrowser, Store, check_headers

CODE, SHOWN = "WDJBMJHT", "WDJB-MJHT"
TV = Client(client_id="tv-app", name="Living-room TV")
OFFICE = replace(TV, approval_networks=("192.0.2.0/24",))
PROXIED = Server(trusted_proxies=("127.0.0.0/8",))


def settings_with(client: Client = TV, phishing: Phishing | None = None) -> Settings:
    return Settings(
        issuer="http://localhost:8628",
        server=PROXIED,
        clients=(client,),
        phishing=phishing or Phishing(),
    )


async def signed_in(open_browser: OpenBrowser, settings: Settings) -> Browser:
    browser = await open_browser(settings)
    await browser.sign_in("ada")
    return browser


def at(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


@pytest.mark.parametrize(
    "settings",
    [settings_with(OFFICE), settings_with(phishing=Phishing(approval_networks=("192.0.2.0/24",)))],
    ids=["client", "general"],
)
async def test_a_person_outside_the_allowed_networks(
    open_browser: OpenBrowser, store: Store, settings: Settings
) -> None:
    """The code is not claimed: inside, the same person can enter it again."""
    ada = await signed_in(open_browser, settings)
    store.grants.add(CODE)
    await ada.open("/device", headers=at("198.51.100.4"))
    fields = ada.hidden | {"user_code": SHOWN}
    await ada.post("/device", data=fields, headers=at("198.51.100.4"))
    path = ada.answer.headers["Location"]
    answer = await ada.open(path, headers=at("198.51.100.4"))
    assert answer.status == 403
    assert "You cannot approve this from here" in ada.text
    assert "198.51.100.4" in ada.text
    check_headers(answer)
    assert store.grants.by_code[CODE].claimed_by is None
    await ada.post("/device", data=fields, headers=at("192.0.2.9"))
    assert ada.answer.headers["Location"] == f"/device/confirm?user_code={SHOWN}"


async def test_a_person_who_goes_outside_after_the_question(
    open_browser: OpenBrowser, store: Store
) -> None:
    """Neither shown again nor approved there; a denial counts from anywhere."""
    ada = await signed_in(open_browser, settings_with(OFFICE))
    store.grants.add(CODE, claimed_by="sub-ada")
    inside = await ada.open(f"/device/confirm?user_code={SHOWN}", headers=at("192.0.2.9"))
    assert inside.status == 200
    fields = ada.hidden | {"user_code": SHOWN}
    outside = at("198.51.100.4")
    await ada.post("/device/confirm", data=fields | {"decision": "approve"}, headers=outside)
    assert "because=outside" in ada.answer.headers["Location"]
    assert store.grants.by_code[CODE].state is State.PENDING
    answer = await ada.open(f"/device/confirm?user_code={SHOWN}", headers=outside)
    assert answer.status == 403
    await ada.post("/device/confirm", data=fields | {"decision": "deny"}, headers=outside)
    assert store.grants.by_code[CODE].state is State.DENIED


async def approve(ada: Browser, store: Store, code: str) -> State:
    """Enter a code of a new request and press Approve; return what became of it."""
    store.grants.add(code)
    await ada.enter(code)
    await ada.submit("/device/confirm", decision="approve")
    return store.grants.by_code[code].state


@pytest.mark.parametrize(
    "settings",
    [
        settings_with(replace(TV, max_approvals_per_hour=2)),
        settings_with(phishing=Phishing(max_approvals_per_hour=2)),
    ],
    ids=["client", "general"],
)
async def test_a_person_may_approve_so_many_in_an_hour(
    open_browser: OpenBrowser, store: Store, settings: Settings
) -> None:
    ada = await signed_in(open_browser, settings)
    assert await approve(ada, store, "BBBBBBBB") is State.APPROVED
    # The same form again is no second approval.
    await ada.open("/device")
    fields = ada.hidden | {"user_code": "BBBBBBBB", "decision": "approve"}
    await ada.post("/device/confirm", data=fields)
    assert await approve(ada, store, "CCCCCCCC") is State.APPROVED
    assert await approve(ada, store, "DDDDDDDD") is State.PENDING
    await ada.follow()
    assert ada.answer.status == 429
    assert "You have connected many devices" in ada.text
    check_headers(ada.answer)
    await ada.open("/device/confirm?user_code=DDDD-DDDD")
    await ada.submit("/device/confirm", decision="deny")
    assert store.grants.by_code["DDDDDDDD"].state is State.DENIED


async def test_the_general_number_is_of_all_clients_and_of_one_person(
    open_browser: OpenBrowser, store: Store
) -> None:
    other = replace(TV, client_id="other", name="Other")
    settings = settings_with(phishing=Phishing(max_approvals_per_hour=1))
    settings = replace(settings, clients=(TV, other))
    ada = await signed_in(open_browser, settings)
    assert await approve(ada, store, "BBBBBBBB") is State.APPROVED
    store.grants.add("CCCCCCCC", client_id="other")
    await ada.enter("CCCCCCCC")
    await ada.submit("/device/confirm", decision="approve")
    assert store.grants.by_code["CCCCCCCC"].state is State.PENDING
    bob = await open_browser(settings)
    await bob.sign_in("bob")
    assert await approve(bob, store, "DDDDDDDD") is State.APPROVED


async def test_an_approval_that_changes_nothing_does_not_count(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await signed_in(open_browser, settings_with(replace(TV, max_approvals_per_hour=1)))
    store.grants.add("BBBBBBBB")
    await ada.enter("BBBBBBBB")
    fields = ada.hidden | {"user_code": "BBBBBBBB", "decision": "approve"}
    store.grants.now += 481
    await ada.post("/device/confirm", data=fields)
    store.grants.now -= 481
    assert await approve(ada, store, "CCCCCCCC") is State.APPROVED


async def test_a_form_that_comes_twice_takes_back_no_count(
    open_browser: OpenBrowser, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has approved, and the device has its tokens, before the second one decides."""
    ada = await signed_in(open_browser, settings_with(replace(TV, max_approvals_per_hour=1)))
    decide, requests = store.grants.decide, store.grants.by_code

    async def come_second(grant: Grant, event: Event, *facts: Any) -> Outcome:  # noqa: ANN401
        assert await decide(grant, event, *facts) is Outcome.CHANGED
        requests["BBBBBBBB"] = replace(requests["BBBBBBBB"], state=State.REDEEMED)
        return await decide(grant, event, *facts)

    with monkeypatch.context() as race:
        race.setattr(store.grants, "decide", come_second)
        assert await approve(ada, store, "BBBBBBBB") is State.REDEEMED
    assert await approve(ada, store, "CCCCCCCC") is State.PENDING


async def test_a_client_that_may_not_use_the_grant_any_more(
    open_browser: OpenBrowser, store: Store
) -> None:
    ada = await signed_in(open_browser, settings_with(replace(TV, device=False)))
    store.grants.add(CODE)
    await ada.enter(CODE)
    assert "because=unavailable" in str(ada.answer.url) or ada.answer.status == 403
    assert store.grants.by_code[CODE].claimed_by is None


async def test_a_general_minimum_of_a_sign_in_holds_unless_the_client_says_otherwise(
    open_browser: OpenBrowser, store: Store
) -> None:
    strict = Phishing(sign_in="second_factor")
    ada = await signed_in(open_browser, settings_with(phishing=strict))
    store.grants.add(CODE)
    await ada.enter(CODE)
    assert ada.answer.url.path == "/device/step-up"
    exempt = await open_browser(settings_with(replace(TV, sign_in="any"), strict))
    await exempt.sign_in("ada")
    await exempt.enter(CODE)
    assert exempt.answer.url.path == "/device/confirm"


async def test_no_link_fills_the_form_where_codes_must_be_typed(
    open_browser: OpenBrowser, store: Store
) -> None:
    strict = replace(settings_with(), device=Device(verification_uri_complete=False))
    ada = await signed_in(open_browser, strict)
    store.grants.add(CODE)
    await ada.open(f"/device?user_code={SHOWN}")
    assert 'value=""' in ada.page
    assert SHOWN not in ada.page.replace(f"user_code={SHOWN}", "")
    # A form that was kept from before does not help either, whatever its button is.
    kept = ada.hidden | {"user_code": SHOWN}
    for fields in ({"filled_in": SHOWN}, {"decision": "approve"}, {"decision": "report"}):
        await ada.post("/device", data=kept | fields)
        assert "because=must_type" in ada.answer.headers["Location"]
        assert store.grants.by_code[CODE].claimed_by is None
    await ada.enter(CODE)
    assert store.grants.by_code[CODE].claimed_by == "sub-ada"

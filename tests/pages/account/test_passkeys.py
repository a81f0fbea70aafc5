"""A person's passkeys: added, named, removed."""

from dataclasses import replace as changed

import pytest
from msgspec.structs import replace

from deviceflow.config import Pages, Settings
from deviceflow.config.sections import SignIn
from deviceflow.pages.account.owner import VERY_FRESH_S
from deviceflow.pages.challenges import LIVES_S
from deviceflow.store.factors import MOST_PASSKEYS, Factors, Passkey
from tests.stage.authenticator import UP, UV, Lie, SoftAuthenticator, options_on
from tests.stage.pages import TV, Browser, OpenBrowser, Store

PATH = "/account/passkeys"
SETTINGS = Settings(
    issuer="http://localhost:8628", pages=Pages(title="Example Connect"), clients=(TV,)
)


@pytest.fixture
async def ada(open_browser: OpenBrowser) -> Browser:
    browser = await open_browser(SETTINGS)
    await browser.sign_in("ada")
    return browser


async def add(
    browser: Browser, device: SoftAuthenticator, name: str = "Phone", lie: Lie | None = None
) -> None:
    await browser.open(PATH)
    credential = device.create(options_on(browser), lie)
    await browser.submit(PATH, credential=credential, name=name)
    await browser.follow()


def names(store: Store) -> list[str]:
    factors = store.factors.by_sub.get("sub-ada", Factors())
    return [passkey.name for passkey in factors.passkeys]


async def test_the_first_passkey_brings_recovery_codes(ada: Browser, store: Store) -> None:
    device = SoftAuthenticator()
    await add(ada, device, "Ada's phone")
    assert "Your recovery codes" in ada.text
    assert len(store.factors.by_sub["sub-ada"].recovery) == 10
    await ada.open(PATH)
    assert "Ada's phone" in ada.text
    assert "Added on 5 Nov 2026. Not used yet." in ada.text
    [passkey] = store.factors.by_sub["sub-ada"].passkeys
    assert passkey.transports == ("internal",), "only those that the standard knows"
    assert store.factors.owners == {device.id: "sub-ada"}


async def test_a_second_one_keeps_the_codes(ada: Browser, store: Store) -> None:
    first = SoftAuthenticator()
    await add(ada, first)
    codes = store.factors.by_sub["sub-ada"].recovery
    await add(ada, SoftAuthenticator(), "Key")
    assert "The passkey is added" in ada.text
    assert names(store) == ["Phone", "Key"]
    assert store.factors.by_sub["sub-ada"].recovery == codes
    await ada.open(PATH)
    assert first.id in {each["id"] for each in options_on(ada)["excludeCredentials"]}


async def test_what_the_browser_is_asked(ada: Browser, store: Store) -> None:
    await ada.open(PATH)
    options = options_on(ada)
    assert options["rp"] == {"name": "Example Connect", "id": "localhost"}
    assert options["user"]["name"] == "ada"
    assert "ada" not in options["user"]["id"]
    selection = options["authenticatorSelection"]
    assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
    assert options["attestation"] == "none"
    assert store.factors.by_sub == {}


LIES = {
    "another origin": Lie(origin="https://evil.example"),
    "another relying party": Lie(rp_id="evil.example"),
    "another challenge": Lie(challenge=b"x" * 56),
    "the answer of a sign-in": Lie(type="webauthn.get"),
    "nobody there": Lie(flags=UV),
    "nobody verified": Lie(flags=UP),
    "a frame of another page": Lie(cross_origin=True),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_false_answer_adds_nothing(ada: Browser, store: Store, lie: Lie) -> None:
    await add(ada, SoftAuthenticator(), lie=lie)
    assert ada.answer.status == 400
    assert "That passkey was not accepted" in ada.text
    assert names(store) == []
    assert store.factors.owners == {}


@pytest.mark.parametrize("credential", ["", "x", "{}", '{"id":"a","response":{}}', "[" * 300])
async def test_what_is_no_credential(ada: Browser, store: Store, credential: str) -> None:
    await ada.open(PATH)
    await ada.submit(PATH, credential=credential, name="x")
    assert (await ada.follow()).status == 400
    assert names(store) == []


async def test_an_answer_counts_once(ada: Browser, store: Store) -> None:
    device = SoftAuthenticator()
    await ada.open(PATH)
    options = options_on(ada)
    await ada.submit(PATH, credential=device.create(options), name="One")
    await ada.open(PATH)
    await ada.submit(PATH, credential=device.create(options), name="Two")
    assert names(store) == ["One"]


async def test_a_challenge_ends(ada: Browser, store: Store) -> None:
    device = SoftAuthenticator()
    await ada.open(PATH)
    options = options_on(ada)
    store.grants.now += LIVES_S
    await ada.submit(PATH, credential=device.create(options), name="Late")
    assert names(store) == []


async def test_a_credential_of_another_account(
    ada: Browser, open_browser: OpenBrowser, store: Store
) -> None:
    """WebAuthn 7.1: an id is registered once."""
    device = SoftAuthenticator()
    await add(ada, device)
    bob = await open_browser(SETTINGS)
    await bob.sign_in("bob")
    await add(bob, changed(SoftAuthenticator(), credential_id=device.credential_id))
    assert bob.answer.status == 400
    assert "sub-bob" not in store.factors.by_sub
    assert store.factors.owners[device.id] == "sub-ada"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("  Key  ", "Key"), ("", "Passkey"), ("\u202egnol", "gnol"), ("x" * 200, "x" * 60)],
)
async def test_a_name_is_fit_to_be_shown(
    ada: Browser, store: Store, typed: str, shown: str
) -> None:
    await add(ada, SoftAuthenticator(), typed)
    assert names(store) == [shown]


async def test_a_passkey_is_renamed(ada: Browser, store: Store) -> None:
    device = SoftAuthenticator()
    await add(ada, device)
    await ada.open(PATH)
    await ada.submit(f"{PATH}/rename", passkey=device.id, name="<b>Old</b> phone")
    await ada.follow()
    assert "The name is changed" in ada.text
    assert names(store) == ["<b>Old</b> phone"]
    assert "<b>Old" not in ada.page


async def test_a_removed_passkey_is_none(ada: Browser, store: Store) -> None:
    first, second = SoftAuthenticator(), SoftAuthenticator()
    await add(ada, first)
    await add(ada, second)
    await ada.open(PATH)
    await ada.submit(f"{PATH}/remove", passkey=first.id)
    await ada.follow()
    assert "The passkey is removed" in ada.text
    assert store.factors.owners == {second.id: "sub-ada"}
    await ada.open("/logout")
    await ada.submit("/logout")
    await ada.open("/login")
    await ada.submit("/login/passkey", credential=first.get(options_on(ada)))
    assert ada.answer.headers["Location"] == "/login?notice=passkey"


async def test_the_last_one_asks_for_a_very_fresh_sign_in(ada: Browser, store: Store) -> None:
    device = SoftAuthenticator()
    await add(ada, device)
    await ada.open(PATH)
    form = ada.hidden | {"passkey": device.id}
    store.grants.now += VERY_FRESH_S + 1
    answer = await ada.post(f"{PATH}/remove", data=form)
    assert answer.headers["Location"] == "/login?next=security&again=1"
    assert names(store) == ["Phone"]


@pytest.mark.parametrize("action", ["rename", "remove"])
async def test_a_passkey_of_another_account_is_left_alone(
    ada: Browser, store: Store, action: str
) -> None:
    theirs = Passkey(id="bobs", public_key=b"", sign_count=0, name="Bob's", added_at=1)
    store.factors.by_sub["sub-bob"] = Factors(passkeys=(theirs,))
    store.factors.owners["bobs"] = "sub-bob"
    await ada.open(PATH)
    await ada.submit(f"{PATH}/{action}", passkey="bobs", name="x")
    assert "notice=outdated" in ada.answer.headers["Location"]
    assert store.factors.by_sub["sub-bob"].passkeys == (theirs,)
    assert store.factors.owners == {"bobs": "sub-bob"}


async def test_there_is_a_most(ada: Browser, store: Store) -> None:
    device = SoftAuthenticator()
    await add(ada, device)
    factors = store.factors.by_sub["sub-ada"]
    many = [replace(factors.passkeys[0], id=f"p{n}") for n in range(MOST_PASSKEYS)]
    await ada.open(PATH)
    options = options_on(ada)
    store.factors.by_sub["sub-ada"] = replace(factors, passkeys=tuple(many))
    await ada.submit(PATH, credential=SoftAuthenticator().create(options), name="One more")
    assert len(names(store)) == MOST_PASSKEYS
    assert (await ada.follow()).status == 409
    assert "as many passkeys as an account can have" in ada.text
    assert "data-options" not in ada.page


async def test_passkeys_that_are_off_can_still_be_removed(
    open_browser: OpenBrowser, store: Store
) -> None:
    browser = await open_browser(replace(SETTINGS, sign_in=SignIn(passkeys=False)))
    await browser.sign_in("ada")
    assert (await browser.open(PATH)).headers["Location"] == "/account/security"
    old = Passkey(id="old", public_key=b"", sign_count=0, name="Old", added_at=1)
    store.factors.by_sub["sub-ada"] = Factors(passkeys=(old,))
    await browser.open(PATH)
    assert "data-options" not in browser.page
    await browser.submit(f"{PATH}/remove", passkey="old")
    assert names(store) == []

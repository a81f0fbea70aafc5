"""What claims say of a person, and who may come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deviceflow.core.upstream_person import (
    Admission,
    ClaimMap,
    NotAdmitted,
    UpstreamPerson,
    UpstreamSubject,
    account_names,
    read_person,
    why_not_admitted,
)

NAMES = ClaimMap("preferred_username", "name", "email", "groups")
ADA = {
    "preferred_username": "Ada",
    "name": "Ada Lovelace",
    "email": "Ada@Example.com",
    "email_verified": True,
    "groups": ["staff", 7, None],
}
WHOSE = UpstreamSubject("https://sso.example.com", "1")


def read(*, trusts_email: bool = False, **claims: object) -> UpstreamPerson:
    return read_person(ADA | claims, NAMES, trusts_email=trusts_email)


def test_a_person() -> None:
    staff = frozenset({"staff"})
    assert read() == UpstreamPerson("ada", "Ada Lovelace", "Ada@Example.com", staff)


def test_other_claims_may_be_read() -> None:
    names = ClaimMap("upn", "display", "mail", "roles")
    claims = {"upn": "bob", "display": "Bob", "mail": "b@example.com", "roles": "admin"}
    person = read_person(claims, names, trusts_email=True)
    assert person == UpstreamPerson("bob", "Bob", "b@example.com", frozenset({"admin"}))


@pytest.mark.parametrize(
    "value", [None, 7, "", " ", "x" * 101, "a\u202eb", "a\x00b", "\ud800", ["ada"]]
)
def test_what_has_no_usable_form_counts_as_missing(value: object) -> None:
    person = read(preferred_username=value, email=value, groups=value)
    assert person.wanted_name == ""
    assert person.email is None


def test_a_name_is_shown_as_far_as_it_can_be() -> None:
    assert read(name="  Ada \n Lovelace ").name == "Ada Lovelace"
    assert read(name="A" * 300).name == "A" * 100
    assert read(name="\u202e").name is None
    assert read(name=7).name is None


def test_only_a_verified_address_counts() -> None:
    assert read(email_verified=False).email is None
    assert read(email_verified="true").email is None
    assert read(email_verified=None).email is None
    assert read(email_verified=False, trusts_email=True).email == "Ada@Example.com"


def test_verified_is_only_the_claim_email() -> None:
    """The claim email_verified says nothing of an address in another claim."""
    names = NAMES._replace(email="mail")
    claims = ADA | {"mail": "root@example.com"}
    assert read_person(claims, names, trusts_email=False).email is None
    assert read_person(claims, names, trusts_email=True).email == "root@example.com"


def admitted(admission: Admission, **claims: object) -> NotAdmitted | None:
    return why_not_admitted(read(**claims), admission, has_address="email" in ADA | claims)  # type: ignore[arg-type]


def test_without_rules_everybody_may_come() -> None:
    assert admitted(Admission()) is None


def test_members_of_a_group() -> None:
    assert admitted(Admission(groups=("admins", "staff"))) is None
    assert admitted(Admission(groups=("admins",))) is NotAdmitted.GROUP
    assert admitted(Admission(groups=("staff",)), groups=["Staff"]) is NotAdmitted.GROUP
    assert admitted(Admission(groups=("staff",)), groups="staff") is None


def test_addresses_of_a_domain() -> None:
    rule = Admission(email_domains=("example.com",))
    assert admitted(rule) is None
    assert admitted(rule, email="ada@evil.example") is NotAdmitted.EMAIL_DOMAIN
    assert admitted(rule, email="ada@sub.example.com") is NotAdmitted.EMAIL_DOMAIN
    assert admitted(rule, email="ada@example.com@evil.example") is NotAdmitted.EMAIL_UNVERIFIED
    assert admitted(rule, email_verified=False) is NotAdmitted.EMAIL_UNVERIFIED


def test_both_rules_have_to_hold() -> None:
    rule = Admission(groups=("staff",), email_domains=("example.com",))
    assert admitted(rule) is None
    assert admitted(rule, groups=[]) is NotAdmitted.GROUP
    assert admitted(rule, email="ada@evil.example") is NotAdmitted.EMAIL_DOMAIN


def test_names_of_accounts() -> None:
    """The wanted name first; then others, the same at each try, and other ones for another."""
    first, *others = account_names("ada", WHOSE)
    assert first == "ada"
    assert len(set(others)) == 8
    assert all(name.startswith("ada-") and len(name) == 8 for name in others)
    assert [first, *others] == list(account_names("ada", WHOSE))
    another = UpstreamSubject("https://sso.example.com", "2")
    assert set(others).isdisjoint(account_names("ada", another))


def test_names_without_a_wanted_one() -> None:
    assert all(name.startswith("user-") for name in account_names("", WHOSE))


@given(st.text(min_size=1, max_size=100))
def test_no_name_is_too_long(wanted: str) -> None:
    assert all(len(name) <= 100 for name in account_names(wanted, WHOSE))


def test_a_digest_tells_apart_what_could_be_joined_alike() -> None:
    pairs = [("ab", "c"), ("a", "bc"), ("1:a", ""), ("", "1:a")]
    assert len({UpstreamSubject(*pair).digest for pair in pairs}) == 4

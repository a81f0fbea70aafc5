"""A person as an upstream provider describes them, and the rules for who may come in."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from deviceflow.core import base64url
from deviceflow.core.display_text import is_display_text
from deviceflow.core.precis import prepare_username

LONGEST_NAME = 100
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_SUFFIX = 4
_SUFFIX_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class UpstreamSubject(msgspec.Struct, frozen=True):
    """A person at a provider: the `iss` and `sub` of ID tokens, which together never change."""

    issuer: str
    subject: str

    @property
    def digest(self) -> str:
        """The SHA-256 by which the store knows the person."""
        return base64url.sha256_digest(f"{len(self.issuer)}:{self.issuer}{self.subject}")


class ClaimMap(NamedTuple):
    """The names of the claims that are read."""

    username: str
    name: str
    email: str
    groups: str


class UpstreamPerson(NamedTuple):
    """What the claims say of a person. `email`: only if it is verified, as `verified_email` has it.

    `wanted_name`: what an account is best called; empty if the provider gives no usable name.
    """

    wanted_name: str
    name: str | None
    email: str | None
    groups: frozenset[str]


class Admission(NamedTuple):
    """Who may come in: members of one of `groups`, with an address in one of `email_domains`.

    Each that is empty admits everybody.
    """

    groups: tuple[str, ...] = ()
    email_domains: tuple[str, ...] = ()


class NotAdmitted(StrEnum):
    """The reason for which a person may not come in."""

    GROUP = "group"
    EMAIL_DOMAIN = "email_domain"
    EMAIL_UNVERIFIED = "email_unverified"


def read_person(
    claims: Mapping[str, Any], names: ClaimMap, *, trusts_email: bool
) -> UpstreamPerson:
    """Read what `claims` say. What has no usable form counts as missing."""
    groups = claims.get(names.groups)
    listed = groups if isinstance(groups, list) else [groups]
    return UpstreamPerson(
        wanted_name=_username(claims.get(names.username)),
        name=_display_name(claims.get(names.name)),
        email=verified_email(claims, names.email, trusts_email=trusts_email),
        groups=frozenset(group for group in listed if isinstance(group, str)),
    )


def verified_email(claims: Mapping[str, Any], name: str, *, trusts_email: bool) -> str | None:
    """Return the address if the provider has verified it, or if all its addresses are trusted.

    An address that its owner has only typed would let anybody in under a domain of their choice.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not _EMAIL.fullmatch(value) or not value.isprintable():
        return None
    # The claim email_verified is about the claim email, and about no other one.
    is_verified = name == "email" and claims.get("email_verified") is True
    return value if trusts_email or is_verified else None


def why_not_admitted(
    person: UpstreamPerson, admission: Admission, *, has_address: bool
) -> NotAdmitted | None:
    """Return why `person` may not come in, or None. `has_address`: verified or not."""
    if admission.groups and person.groups.isdisjoint(admission.groups):
        return NotAdmitted.GROUP
    if not admission.email_domains:
        return None
    if person.email is None and has_address:
        return NotAdmitted.EMAIL_UNVERIFIED
    domain = (person.email or "").rpartition("@")[2].lower()
    return None if domain in admission.email_domains else NotAdmitted.EMAIL_DOMAIN


def account_names(wanted: str, whose: UpstreamSubject) -> Iterable[str]:
    """List names for an account in the order in which they are tried.

    The first is what the provider calls the person. The others have a suffix, the same at each
    try: an account that is there already is never taken over because of an equal name.
    """
    stem = wanted or "user"
    if wanted:
        yield stem
    for number in range(8):
        digest = blake2b(f"{number} {whose.digest}".encode(), digest_size=_SUFFIX).digest()
        letters = (_SUFFIX_LETTERS[byte % len(_SUFFIX_LETTERS)] for byte in digest)
        yield f"{stem[: LONGEST_NAME - _SUFFIX - 1]}-{''.join(letters)}"


def _username(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        return ""
    prepared = prepare_username(value) or ""
    return prepared if is_display_text(prepared) else ""


def _display_name(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = " ".join(value.split())[:LONGEST_NAME].strip()
    return text if text and is_display_text(text) else None

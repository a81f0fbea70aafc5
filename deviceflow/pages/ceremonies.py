"""The two ceremonies of WebAuthn: a passkey is registered, and a passkey signs.

What an answer has to prove: the challenge is ours, of this browser, and unused; the origin is the
issuer's, exactly, and no frame of another; the relying party is the issuer's host; the person was
present and verified by the authenticator; the key is one that the account has; the count of the
authenticator has grown, if it counts (WebAuthn 7.1, 7.2). Attestation is not asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from deviceflow.config import Pages
from deviceflow.core import base64url
from deviceflow.core.clock import Clock
from deviceflow.core.origin import origin_of
from deviceflow.pages.challenges import LIVES_S, Challenges
from deviceflow.pages.words import title_in_words
from deviceflow.store.accounts import Account
from deviceflow.store.factors import Factors, FactorStore, Passkey
from deviceflow.store.users import Users

_SIGN_IN = "sign-in"
"""The purpose of a challenge that any person may answer."""

PASSKEY_POLICY = {"script-src": "'self'"}
"""The policy of a page with a ceremony: its script is `passkey.js`."""

_TRANSPORTS = frozenset(each.value for each in AuthenticatorTransport)
_VERIFIED = UserVerificationRequirement.REQUIRED


class CeremonyRefused(Exception):  # noqa: N818, it states a condition, not a mistake
    """An answer proves nothing. The text is a word for the log; it has nothing that was sent."""


class _ClientData(msgspec.Struct):
    """The part of `clientDataJSON` that the library does not check (WebAuthn 5.8.1)."""

    challenge: str
    crossOrigin: bool = False  # noqa: N815, its name in the standard


class _Response(msgspec.Struct):
    clientDataJSON: str  # noqa: N815, its name in the standard
    userHandle: str | None = None  # noqa: N815, its name in the standard
    transports: list[str] = []


class _Credential(msgspec.Struct):
    """The part of a credential's JSON that is read here (WebAuthn 5.1)."""

    id: str
    response: _Response


@dataclass(frozen=True, kw_only=True)
class Ceremonies:
    """Makes options for the browser, and checks its answers. May raise `StoreUnavailable`."""

    issuer: str
    pages: Pages
    challenges: Challenges
    store: FactorStore
    users: Users
    clock: Clock

    def creation_options(self, cookie: str, account: Account, factors: Factors) -> str:
        """Return the options for a new passkey, as JSON: one that needs no user name."""
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name=title_in_words(self.pages),
            user_name=account.username,
            user_id=self.store.user_handle(account.sub),
            user_display_name=account.name or account.username,
            challenge=self.challenges.make(cookie, _registration(account.sub)),
            timeout=LIVES_S * 1000,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED
            ),
            exclude_credentials=_descriptors(factors.passkeys),
        )
        return options_to_json(options)

    def sign_in_options(self, cookie: str) -> str:
        """Return the options for a sign-in by any passkey of this server, as JSON."""
        return self._request_options(cookie, _SIGN_IN, ())

    def second_options(self, cookie: str, account: Account, factors: Factors) -> str:
        """Return the options for a second step by a passkey of the account, as JSON."""
        return self._request_options(cookie, _second(account.sub), factors.passkeys)

    async def register(self, cookie: str, account: Account, name: str, text: str) -> Passkey:
        """Return the passkey that the JSON of a new credential proves. Raises CeremonyRefused.

        It is not stored yet, but its id is the account's from now on.
        """
        credential, challenge = self._read(cookie, _registration(account.sub), text)
        try:
            verified = verify_registration_response(
                credential=text,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=origin_of(self.issuer),
                require_user_verification=True,
            )
        except Exception as error:
            # Its parsers raise whatever they like at bytes that a stranger has made up.
            raise CeremonyRefused(type(error).__name__) from error
        await self._use(challenge)
        passkey_id = base64url.encode(verified.credential_id)
        if not await self.store.claim_passkey(passkey_id, account.sub):
            raise CeremonyRefused("credential_of_another_account")
        transports = {*credential.response.transports} & _TRANSPORTS
        return Passkey(
            id=passkey_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            name=name,
            added_at=int(self.clock()),
            transports=tuple(sorted(transports)),
        )

    async def sign_in(self, cookie: str, text: str) -> Account:
        """Return whose passkey has signed the challenge of this browser. Raises CeremonyRefused."""
        credential, challenge = self._read(cookie, _SIGN_IN, text)
        sub = await self.store.owner_of(credential.id)
        account = await self.users.find_subject(sub) if sub else None
        if account is None or account.disabled:
            raise CeremonyRefused("no_account")
        await self._check(account, credential, challenge, text)
        return account

    async def sign_second(self, cookie: str, account: Account, text: str) -> None:
        """Check that a passkey of this very account has signed. Raises CeremonyRefused."""
        credential, challenge = self._read(cookie, _second(account.sub), text)
        await self._check(account, credential, challenge, text)

    async def _check(
        self, account: Account, credential: _Credential, challenge: bytes, text: str
    ) -> None:
        """Check a signature, and note that the passkey was used."""
        passkey = (await self.store.of(account.sub)).passkey(credential.id)
        handle = credential.response.userHandle
        own_handle = base64url.encode(self.store.user_handle(account.sub))
        if passkey is None or handle not in {None, "", own_handle}:
            raise CeremonyRefused("no_passkey_of_the_account")
        try:
            verified = verify_authentication_response(
                credential=text,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=origin_of(self.issuer),
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except Exception as error:
            # As above.
            raise CeremonyRefused(type(error).__name__) from error
        await self._use(challenge)
        await self._count(account, passkey.id, verified.new_sign_count)

    def _request_options(self, cookie: str, purpose: str, passkeys: Sequence[Passkey]) -> str:
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=self.challenges.make(cookie, purpose),
            timeout=LIVES_S * 1000,
            allow_credentials=_descriptors(passkeys) or None,
            user_verification=_VERIFIED,
        )
        return options_to_json(options)

    async def _use(self, challenge: bytes) -> None:
        if not await self.challenges.use(challenge):
            raise CeremonyRefused("challenge_used")

    async def _count(self, account: Account, passkey_id: str, sign_count: int) -> None:
        """Note the use, unless the passkey was removed or used further in the meantime."""
        now = int(self.clock())

        def edit(factors: Factors) -> Factors | None:
            before = factors.passkey(passkey_id)
            if before is None or (before.sign_count and sign_count <= before.sign_count):
                return None
            used = replace(before, sign_count=sign_count, used_at=now)
            others = (used if each is before else each for each in factors.passkeys)
            return replace(factors, passkeys=tuple(others))

        if await self.store.change(account.sub, edit) is None:
            raise CeremonyRefused("changed_meanwhile")

    def _read(self, cookie: str, purpose: str, text: str) -> tuple[_Credential, bytes]:
        """Read the JSON of a credential, and the challenge that it answers."""
        try:
            credential = msgspec.json.decode(text, type=_Credential)
            data = base64url.decode(credential.response.clientDataJSON)
            client_data = msgspec.json.decode(data, type=_ClientData)
            challenge = base64url.decode(client_data.challenge)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise CeremonyRefused("unreadable") from error
        if client_data.crossOrigin:
            raise CeremonyRefused("cross_origin")
        if not self.challenges.is_good(challenge, cookie, purpose):
            raise CeremonyRefused("foreign_or_old_challenge")
        return credential, challenge

    @property
    def _rp_id(self) -> str:
        """The host of the issuer (WebAuthn 5.1.2)."""
        return urlsplit(self.issuer).hostname or ""


def _second(sub: str) -> str:
    return f"second {sub}"


def _registration(sub: str) -> str:
    return f"register {sub}"


def _descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url.decode(passkey.id),
            transports=[
                AuthenticatorTransport(each) for each in passkey.transports if each in _TRANSPORTS
            ]
            or None,
        )
        for passkey in passkeys
    ]

"""Which ways of signing in are on, and what they mean for a person's factors."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from deviceflow.config import Settings
from deviceflow.core.address import is_address
from deviceflow.core.assurance import PHISHING_RESISTANT, SECOND_FACTOR
from deviceflow.store.factors import Factors


@dataclass(frozen=True, kw_only=True)
class SignInWays:
    """The ways beside the password. One that is off is neither offered nor asked for."""

    passkeys: bool
    totp: bool

    @classmethod
    def of(cls, settings: Settings) -> "SignInWays":
        """Read the settings. Without a host name, there are no passkeys (WebAuthn 5.1.2)."""
        host = urlsplit(settings.issuer_url).hostname or ""
        passkeys = settings.sign_in.passkeys and not is_address(host)
        return cls(passkeys=passkeys, totp=settings.sign_in.totp)

    @property
    def acr_values(self) -> list[str]:
        """The levels that a sign-in can have, besides none (OpenID Connect Discovery 3)."""
        levels = [SECOND_FACTOR] if self.totp else []
        return [*levels, PHISHING_RESISTANT] if self.passkeys else levels

    def has_second_factor(self, factors: Factors) -> bool:
        """Whether the password alone does not sign a person with these factors in."""
        has_passkey = self.passkeys and bool(factors.passkeys)
        return has_passkey or (self.totp and factors.authenticator is not None)

"""An authenticator app on a person's phone."""

from dataclasses import dataclass

from msgspec.structs import replace
from pyotp import TOTP

from deviceflow.policy.totp import STEP_S
from deviceflow.store.factors import Authenticator, Factors
from tests.stage.pages import Browser, Store

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@dataclass
class App:
    """The app; it shows the code of a time."""

    secret: str = SECRET

    def code(self, now: float, steps: int = 0) -> str:
        return TOTP(self.secret).generate_otp(int(now) // STEP_S + steps)


def give_app(store: Store, sub: str = "sub-ada", recovery: tuple[str, ...] = ()) -> App:
    """Let a person have an app, and recovery codes (16 letters each)."""
    factors = store.factors
    app = Authenticator(secret=factors.encrypted(SECRET, sub), added_at=1, used_step=0)
    hashes = tuple(factors.recovery_hash(code, sub) for code in recovery)
    before = factors.by_sub.get(sub, Factors())
    factors.by_sub[sub] = replace(before, authenticator=app, recovery=hashes)
    return App()


async def enter_code(browser: Browser, app: App, store: Store) -> None:
    """Enter the code that the app shows now."""
    await browser.submit("/login/second", code=app.code(store.grants.now))

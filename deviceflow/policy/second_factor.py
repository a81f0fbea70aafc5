"""Use a one-time code of a person: it is good once, also for requests at the same time."""

from dataclasses import dataclass

from msgspec.structs import replace

from deviceflow.core import recovery_code
from deviceflow.core.clock import Clock
from deviceflow.policy.totp import step_of
from deviceflow.store.factors import Factors, FactorStore


@dataclass(frozen=True, kw_only=True)
class OneTimeCodes:
    """Checks codes, and marks the right ones as used. May raise `StoreUnavailable`."""

    store: FactorStore
    clock: Clock

    async def use_app_code(self, sub: str, typed: str) -> bool:
        """Use a code of the person's authenticator app; return False if it is not good."""

        def edit(factors: Factors) -> Factors | None:
            app = factors.authenticator
            secret = self.store.decrypted(app.secret, sub) if app else None
            if app is None or secret is None:
                return None
            step = step_of(secret, typed, self.clock(), app.used_step)
            if step is None:
                return None
            return replace(factors, authenticator=replace(app, used_step=step))

        return await self.store.change(sub, edit) is not None

    async def use_recovery_code(self, sub: str, typed: str) -> bool:
        """Use up a recovery code of the person; return False if it is not good."""
        code = recovery_code.read(typed)
        if code is None:
            return False
        # The hash is keyed: how long a comparison takes tells nothing about a code.
        used = self.store.recovery_hash(code, sub)

        def edit(factors: Factors) -> Factors | None:
            if used not in factors.recovery:
                return None
            left = tuple(each for each in factors.recovery if each != used)
            return replace(factors, recovery=left)

        return await self.store.change(sub, edit) is not None

"""What the rooms of the pages share, made once for each worker."""

from dataclasses import dataclass

from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.pages.ceremonies import Ceremonies
from deviceflow.pages.challenges import Challenges
from deviceflow.pages.codes import Codes
from deviceflow.pages.cookie import SessionCookie
from deviceflow.pages.csrf import Csrf
from deviceflow.pages.known_browser import KnownBrowsers
from deviceflow.pages.password_check import PasswordCheck
from deviceflow.pages.pause import Pauses
from deviceflow.pages.render import is_https
from deviceflow.pages.seal import Seal
from deviceflow.pages.throttle import Throttle
from deviceflow.pages.visitor import Visitors
from deviceflow.pages.vouched import VouchedNames
from deviceflow.parts import Parts
from deviceflow.policy.code_lifetime import CodeLifetime
from deviceflow.policy.guess_wave import GuessWave
from deviceflow.policy.sign_in_ways import SignInWays


@dataclass(frozen=True, kw_only=True)
class SharedParts:
    """What the rooms of the pages share."""

    cookie: SessionCookie
    visitors: Visitors
    codes: Codes
    throttle: Throttle
    password_check: PasswordCheck
    seal: Seal
    pauses: Pauses
    known_browsers: KnownBrowsers
    ways: SignInWays
    ceremonies: Ceremonies


def shared_parts(parts: Parts) -> SharedParts:
    """Make what the rooms share, once for a worker."""
    settings = parts.settings
    cookie = SessionCookie(https=is_https(settings), issuer=settings.issuer_url)
    vouched = VouchedNames(header=settings.sign_in.trusted_header, callers=parts.callers)
    visitors = Visitors(
        cookie=cookie,
        csrf=Csrf(keys=parts.installation.challenge_keys, issuer=settings.issuer_url),
        sessions=parts.sessions,
        users=parts.users,
        callers=parts.callers,
        vouched=vouched,
        max_body_bytes=settings.server.max_body_bytes,
    )
    codes = Codes(settings.device.user_code, parts.clients)
    lifetime = CodeLifetime(settings.device.lifetime_s, parts.clients)
    throttle = Throttle(
        limits=parts.limits,
        lifetime=lifetime,
        wave=GuessWave(
            parts.grants.wrong_codes,
            settings.device.wave_wrong_codes,
            parts.clock,
            parts.recorder,
        ),
        recorder=parts.recorder,
        refusals=ThinnedLog(("(others)", ""), parts.clock),
        audit=parts.audit,
    )
    seal = Seal(keys=parts.installation.challenge_keys)
    return SharedParts(
        cookie=cookie,
        visitors=visitors,
        codes=codes,
        throttle=throttle,
        password_check=PasswordCheck(users=parts.users, throttle=throttle, recorder=parts.recorder),
        seal=seal,
        pauses=Pauses(seal=seal, codes=codes, lifetime=lifetime, clock=parts.clock),
        known_browsers=KnownBrowsers(cookie=cookie, keys=parts.installation.challenge_keys),
        ways=SignInWays.of(settings),
        ceremonies=Ceremonies(
            issuer=settings.issuer_url,
            pages=settings.pages,
            challenges=Challenges(
                keys=parts.installation.challenge_keys, replay=parts.replay, clock=parts.clock
            ),
            store=parts.factors,
            users=parts.users,
            clock=parts.clock,
        ),
    )

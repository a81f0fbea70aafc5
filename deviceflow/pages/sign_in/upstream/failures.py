"""A sign-in at a provider that did not work: what happened, and what to do."""

from deviceflow.core.upstream_person import NotAdmitted
from deviceflow.pages.errors import RETRY_AFTER_S, Button, PageError, too_many
from deviceflow.pages.redirect import with_code
from deviceflow.pages.sign_in.upstream.detours import StateFault
from deviceflow.pages.texts import gettext
from deviceflow.policy.tries import TooManyTries
from deviceflow.upstream.errors import Cause, UpstreamError

_DENIED = 403
_UNAVAILABLE = 503
_BAD_GATEWAY = 502


def provider_failed(error: UpstreamError, name: str, user_code: str) -> PageError:
    """Make the page for an error of a provider. `name`: what people call it."""
    if error.may_pass:
        return _page(
            _UNAVAILABLE,
            title=gettext("upstream.unavailable.title"),
            happened=gettext("upstream.unavailable.happened", name=name),
            next_step=gettext("upstream.unavailable.next_step"),
            user_code=user_code,
        )
    if error.cause is Cause.REFUSED and error.code == "access_denied":
        return _page(
            _DENIED,
            title=gettext("upstream.denied.title"),
            happened=gettext("upstream.denied.happened", name=name),
            next_step=gettext("upstream.denied.next_step", name=name),
            user_code=user_code,
        )
    if error.cause is Cause.REFUSED:
        return _page(
            _DENIED,
            title=gettext("upstream.refused.title"),
            happened=gettext("upstream.refused.happened", name=name, code=error.code),
            next_step=gettext("upstream.refused.next_step", code=error.code),
            user_code=user_code,
        )
    return _page(
        _BAD_GATEWAY,
        title=gettext("upstream.broken.title"),
        happened=gettext("upstream.broken.happened", name=name),
        next_step=gettext("upstream.broken.next_step"),
        user_code=user_code,
    )


def state_wrong(fault: StateFault, user_code: str) -> PageError:
    """Make the page for an answer to no request of this browser, or to one of long ago."""
    happened = {
        StateFault.FOREIGN: gettext("upstream.foreign.happened"),
        StateFault.LATE: gettext("upstream.late.happened"),
        StateFault.OTHER_BROWSER: gettext("upstream.other_browser.happened"),
    }
    return _page(
        _DENIED,
        title=gettext("upstream.not_counted.title"),
        happened=happened[fault],
        next_step=gettext("upstream.not_counted.next_step"),
        user_code=user_code,
    )


def used_before(user_code: str) -> PageError:
    """Make the page for an answer that has been used: a reload, Back, or a stranger's copy."""
    return _page(
        _DENIED,
        title=gettext("upstream.not_counted.title"),
        happened=gettext("upstream.used.happened"),
        next_step=gettext("upstream.used.next_step"),
        user_code=user_code,
    )


def not_admitted(reason: NotAdmitted, name: str, user_code: str) -> PageError:
    """Make the page for a person whom the operator does not let in."""
    happened = {
        NotAdmitted.GROUP: gettext("upstream.no_group.happened", name=name),
        NotAdmitted.EMAIL_DOMAIN: gettext("upstream.no_domain.happened", name=name),
        NotAdmitted.EMAIL_UNVERIFIED: gettext("upstream.unverified.happened", name=name),
    }
    return _not_allowed(happened[reason], name, user_code)


def no_account(name: str, user_code: str) -> PageError:
    """Make the page for a person without an account here, where none is created."""
    return _not_allowed(gettext("upstream.no_account.happened", name=name), name, user_code)


def account_disabled(name: str, user_code: str) -> PageError:
    """Make the page for a person whose account is disabled."""
    return _not_allowed(gettext("upstream.disabled.happened"), name, user_code)


def no_free_name(user_code: str) -> PageError:
    """Make the page for a new account that no name is left for."""
    return _page(
        _UNAVAILABLE,
        title=gettext("upstream.broken.title"),
        happened=gettext("upstream.no_name.happened"),
        next_step=gettext("upstream.broken.next_step"),
        user_code=user_code,
    )


def too_many_tries(refusal: TooManyTries, user_code: str) -> PageError:
    """Make the page for a limit."""
    attempts = gettext("error.too_many.sign_ins")
    return too_many(attempts, refusal.wait_s, hints=(), button=_again(user_code))


def _not_allowed(happened: str, name: str, user_code: str) -> PageError:
    return _page(
        _DENIED,
        title=gettext("upstream.not_allowed.title"),
        happened=happened,
        next_step=gettext("upstream.not_allowed.next_step", name=name),
        user_code=user_code,
    )


def _page(status: int, *, title: str, happened: str, next_step: str, user_code: str) -> PageError:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == _UNAVAILABLE else {}
    return PageError(
        status,
        title=title,
        happened=happened,
        next_step=next_step,
        headers=headers,
        button=_again(user_code),
    )


def _again(user_code: str) -> Button:
    return Button(with_code("/login", user_code), gettext("button.try_again"))

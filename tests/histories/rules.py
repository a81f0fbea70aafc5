"""What must be true of a grant, whatever fails: one function for each rule.

A rule yields a sentence for each way in which a story breaks it. It judges by what is certain: an
operation counts as done only if its process knows it, and as not done only if it was refused. Times
are those of the processes, so the server judged a request somewhere between its two times.
"""

from collections.abc import Callable, Iterator, Mapping

from tests.histories.history import Operation
from tests.histories.story import CLIENT, GRACE_S, IN_FLIGHT_S, MESSAGE_S, ROUNDING_S, USER, Story

PENDING = "authorization_pending"
SLOW_DOWN = "slow_down"
TOKENS = "tokens"
DENIED = "access_denied"
EXPIRED = "expired_token"
INVALID = "invalid_grant"
CLIENT_REFUSED = "invalid_client"

Rule = Callable[[Story], Iterator[str]]


def one_family(story: Story) -> Iterator[str]:
    """A grant gives one access token, and begins one family of refresh tokens."""
    given = {(poll.result["jti"], poll.result.get("refresh", "")) for poll in story.tokens}
    if len(given) > 1:
        yield f"{len(given)} different sets of tokens for one code"


def a_refusal_is_final(story: Story) -> Iterator[str]:
    """A grant whose denial or cancellation was acknowledged never gives tokens.

    Whenever the poll came: a redeemed grant can be neither denied nor cancelled.
    """
    for refusal in story.done("deny", "cancel"):
        if story.tokens:
            yield f"tokens, and a {refusal.name} that was acknowledged"


def one_decision(story: Story) -> Iterator[str]:
    """One account decides, and a denial or a cancellation is never overwritten."""
    approvals, denials = story.done("approve"), story.done("deny")
    cancellations = story.done("cancel")
    if denials and approvals:
        yield "an approval and a denial were both acknowledged"
    if denials and cancellations:
        yield "a denial and a cancellation were both acknowledged"
    for cancel in cancellations:
        if any(approve.invoked > cancel.ended for approve in approvals):
            yield "an approval was acknowledged after a cancellation"
    accounts = {each.args["sub"] for each in story.done("claim", "approve", "deny")}
    if len(accounts) > 1:
        yield f"{len(accounts)} accounts could claim or decide: {', '.join(sorted(accounts))}"


def the_approver_is_the_subject(story: Story) -> Iterator[str]:
    """Tokens are for the account that approved, and only after it approved."""
    for poll in story.tokens:
        sub = poll.result["sub"]
        begun = [each for each in story.possible("approve") if each.invoked <= poll.ended]
        known = {each.args["sub"] for each in begun if each.is_done}
        allowed = known or {each.args["sub"] for each in begun}
        if sub not in allowed:
            yield f"tokens for {sub}; approved by {', '.join(sorted(allowed)) or 'no account'}"


def scope_as_shown(story: Story) -> Iterator[str]:
    """Tokens are for the scope that was approved, and never for more than was requested."""
    requested = set(str(story.start.args["scope"]).split())
    approvals = {str(each.args.get("scope", "")) for each in story.possible("approve")}
    allowed = [set(scope.split()) or requested for scope in approvals]
    for poll in story.tokens:
        scope = set(str(poll.result["scope"]).split())
        if not scope <= requested or (allowed and scope not in allowed):
            yield f"tokens for the scope {sorted(scope)}"


def nothing_after_expiry(story: Story) -> Iterator[str]:
    """After the lifetime, every poll gets `expired_token`."""
    for poll in story.polls:
        is_late = poll.invoked > story.latest_end
        if is_late and poll.answer not in {"", EXPIRED, CLIENT_REFUSED}:
            yield f"{poll.answer} {poll.invoked - story.latest_end:.1f} s after the end"


def no_early_expiry(story: Story) -> Iterator[str]:
    """Within the lifetime, no poll gets `expired_token`: the grant was lost.

    A new grant may be lost with its primary, until somebody has claimed or decided it: replicas
    have to confirm decisions only, and the device starts over.
    """
    is_safe = bool(story.done("claim", "approve", "deny", "cancel"))
    if not is_safe and story.world.fails_over(story.start):
        return
    for poll in story.polls:
        if poll.answer == EXPIRED and poll.ended < story.earliest_end:
            yield f"expired_token {story.earliest_end - poll.ended:.1f} s before the end"


def decisions_arrive(story: Story) -> Iterator[str]:
    """After an acknowledged decision, no poll of a calm time is told to wait."""
    decisions = story.done("approve", "deny", "cancel")
    if not decisions:
        return
    known_since = min(each.ended for each in decisions)
    for poll in story.polls:
        if poll.answer not in {PENDING, SLOW_DOWN}:
            continue
        # A held poll is answered by what is known at its end.
        wait = float(poll.args.get("wait", 0))
        at = min(poll.ended, poll.invoked + wait)
        if story.world.has_settled(known_since, at, poll.ended):
            yield f"{poll.answer} {at - known_since:.1f} s after a decision was acknowledged"


def answers_are_explained(story: Story) -> Iterator[str]:
    """A poll is refused only for a reason that the history shows."""
    for poll in story.polls:
        match poll.answer:
            case "" | "authorization_pending" | "slow_down" | "tokens" | "expired_token":
                explained = True
            case "access_denied":
                explained = _may_be_denied(story, poll)
            case "invalid_grant":
                explained = _may_be_spent(story, poll)
            case "invalid_client":
                explained = story.world.may_be_disabled(CLIENT, story.client, poll)
            case _:
                explained = False
        if not explained and poll.invoked <= story.latest_end:
            yield f"{poll.answer} without a reason"


def _may_be_denied(story: Story, poll: Operation) -> bool:
    if any(each.invoked <= poll.ended for each in story.possible("deny", "cancel")):
        return True
    return _may_be_ended(story, poll)


def _may_be_ended(story: Story, poll: Operation) -> bool:
    """Whether the grant may have ended, or the access of a person who may have approved it."""
    approvers = {str(each.args["sub"]) for each in story.possible("approve")}
    if any(_may_be_without_access(story, sub, poll) for sub in approvers):
        return True
    return _may_be_revoked(story, poll)


def _may_be_without_access(story: Story, sub: str, request: Operation) -> bool:
    """Whether the user may be disabled, or may have been since the approval."""
    if story.world.may_be_disabled(USER, sub, request):
        return True
    given = min((each.invoked for each in story.approvals_of(sub)), default=float("inf"))
    return story.world.may_have_ended(sub, given, request)


def _may_be_spent(story: Story, poll: Operation) -> bool:
    """Whether the code was redeemed, and its tokens cannot be given again."""
    approvals = story.possible("approve")
    if not approvals:
        return False
    is_used = any(use.invoked <= poll.ended for use in story.possible("refresh", "revoke"))
    if is_used or _may_be_ended(story, poll):
        return True
    redeeming = [each for each in story.polls if not each.is_done or each.answer == TOKENS]
    first = min((each.invoked for each in redeeming), default=float("inf"))
    redeemed = max(first, min(each.invoked for each in approvals))
    return poll.ended >= redeemed + GRACE_S - ROUNDING_S


def _may_be_revoked(story: Story, request: Operation) -> bool:
    """Whether a device or an operator may have ended the grant."""
    orders = story.world.named("revoke-client", CLIENT, story.client)
    return any(
        each.may_have_happened and each.invoked <= request.ended
        for each in (*story.all("revoke"), *orders)
    )


def obedient_devices_are_in_time(story: Story) -> Iterator[str]:
    """In a calm time, a device that keeps its interval gets no `slow_down`.

    The server sees two polls at least as far apart as the device: from the end of one to the
    beginning of the next. A poll without an answer may arrive late, and its answer may have
    made the interval longer. A poll at another host counts as later by the time that a message
    takes between hosts.
    """
    is_at_one_host = len({poll.args.get("host", id(poll)) for poll in story.polls}) == 1
    message_s = 0.0 if is_at_one_host else MESSAGE_S
    interval = float(story.start.result["interval"])
    is_sure = True
    for number, poll in enumerate(story.polls):
        if poll.answer != SLOW_DOWN:
            is_sure = is_sure and (poll.is_done or not poll.may_have_happened)
            continue
        others = [
            each
            for each in story.possible("poll")
            if each is not poll and each.invoked < poll.ended
        ]
        gap = min((poll.invoked - each.ended for each in others), default=float("inf"))
        earlier = story.polls[:number]
        in_flight = any(
            not each.is_done and each.may_have_happened and each.ended + IN_FLIGHT_S > poll.invoked
            for each in earlier
        )
        calm = story.world.is_calm(poll.invoked - interval - ROUNDING_S, poll.ended)
        if is_sure and not in_flight and calm and gap >= interval + message_s:
            yield f"slow_down after {gap:.3f} s, with an interval of {interval:g} s"
        # From here on, the device knows the interval in force.
        interval, is_sure = float(poll.result["interval"]), True


def no_device_is_stranded(story: Story) -> Iterator[str]:
    """A device that always uses its newest refresh token never loses its login.

    A request that arrives after its successor was used looks like a thief's (RFC 9700 4.14.2), so
    a device that has given up a request must wait before it uses a successor.
    """
    refreshes = story.all("refresh")
    for number, refresh in enumerate(refreshes):
        if not _behaves(story, refresh, refreshes[:number]):
            return
        if refresh.answer != INVALID:
            continue
        sub = next((poll.result["sub"] for poll in story.tokens), "")
        if _may_be_revoked(story, refresh) or _may_be_without_access(story, sub, refresh):
            return
        yield "invalid_grant for the newest refresh token"


def _behaves(story: Story, refresh: Operation, earlier: list[Operation]) -> bool:
    token = refresh.args["token"]
    if token != story.current_token(refresh.invoked):
        return False
    for each in earlier:
        has_ended = each.is_done or each.result.get("unread") or not each.may_have_happened
        over = each.ended if has_ended else each.ended + IN_FLIGHT_S
        if each.args["token"] != token and over > refresh.invoked:
            return False
    return True


def refresh_answers_are_explained(story: Story) -> Iterator[str]:
    """A refresh gets tokens, or one of the refusals that the history shows."""
    for refresh in story.all("refresh"):
        is_disabled = refresh.answer == CLIENT_REFUSED and story.world.may_be_disabled(
            CLIENT, story.client, refresh
        )
        if refresh.answer not in {"", TOKENS, INVALID} and not is_disabled:
            yield f"{refresh.answer} without a reason"


def the_revoked_stay_revoked(story: Story) -> Iterator[str]:
    """After an acknowledged revocation there are no tokens, by poll or by refresh.

    The revocation of a refresh token that is not the device's newest may have no effect (RFC 7009
    2.2). Workers have to learn that an operator has ended all grants of a client.
    """
    given = [each for each in story.all("poll", "refresh") if each.answer == TOKENS]
    for revoke in story.done("revoke"):
        token = revoke.args.get("token", "")
        if token and token != story.current_token(revoke.invoked):
            continue
        if any(each.invoked > revoke.ended for each in given):
            yield "tokens after the device had revoked them"
    approved = max((each.ended for each in story.possible("approve")), default=float("inf"))
    for order in story.world.named("revoke-client", CLIENT, story.client):
        if not order.is_done or approved > order.invoked - ROUNDING_S - story.world.skew_s:
            continue
        late = [
            each for each in given if story.world.has_settled(order.ended, each.invoked, each.ended)
        ]
        if late:
            yield "tokens after all grants of the client were ended"


def the_disabled_get_nothing(story: Story) -> Iterator[str]:
    """While a user or a client is disabled, its devices get no tokens.

    What the user had approved before gets none after that either.
    """
    sub = next((str(poll.result["sub"]) for poll in story.tokens), "")
    for each in story.all("poll", "refresh"):
        if each.answer != TOKENS:
            continue
        for kind, name in ((USER, sub), (CLIENT, story.client)):
            if story.world.is_disabled(kind, name, each) is not None:
                yield f"tokens while {name} was disabled"
        given = story.approvals_of(sub)
        if given and story.world.has_ended(sub, given, each):
            yield f"tokens by an approval that ended when {sub} was disabled"


RULES: Mapping[str, Rule] = {
    rule.__name__.replace("_", " "): rule
    for rule in (
        one_family,
        a_refusal_is_final,
        one_decision,
        the_approver_is_the_subject,
        scope_as_shown,
        nothing_after_expiry,
        no_early_expiry,
        decisions_arrive,
        answers_are_explained,
        obedient_devices_are_in_time,
        no_device_is_stranded,
        refresh_answers_are_explained,
        the_revoked_stay_revoked,
        the_disabled_get_nothing,
    )
}

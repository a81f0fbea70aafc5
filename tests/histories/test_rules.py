"""Each rule, with a history that breaks it and one beside it that does not."""

from collections.abc import Sequence

import pytest

from tests.histories.checker import check
from tests.histories.history import Operation
from tests.histories.rules import RULES
from tests.histories.told import (
    BOB,
    MAYBE,
    REFUSED,
    by,
    fault,
    operation,
    poll,
    redeemed,
    refreshed,
    start,
)

APPROVED = (start(), by(1, "approve"))
SIGNED_IN = (*APPROVED, redeemed(2))

PAIRS: list[tuple[str, Sequence[Operation], Sequence[Operation]]] = [
    (
        "one family",
        (*SIGNED_IN, redeemed(3, number=2)),
        (*SIGNED_IN, redeemed(3)),
    ),
    (
        "a refusal is final",
        (start(), by(1, "approve", outcome=MAYBE), by(3, "deny"), redeemed(2)),
        (start(), by(1, "approve", outcome=MAYBE), by(3, "deny", outcome=MAYBE), redeemed(2)),
    ),
    (
        "a refusal is final",
        (*APPROVED, operation(3, "cancel", grant="g"), redeemed(4)),
        (*APPROVED, redeemed(2), operation(3, "cancel", grant="g", outcome=REFUSED)),
    ),
    (
        "one decision",
        (start(), by(1, "deny"), by(2, "approve")),
        (start(), by(1, "deny"), by(2, "approve", outcome=REFUSED)),
    ),
    (
        "one decision",
        (start(), by(1, "deny"), operation(2, "cancel", grant="g")),
        (*APPROVED, operation(2, "cancel", grant="g")),
    ),
    (
        "one decision",
        (start(), operation(1, "cancel", grant="g"), by(2, "approve")),
        (start(), operation(1, "cancel", grant="g"), by(1.05, "approve")),
    ),
    (
        "one decision",
        (start(), by(1, "claim"), by(2, "approve", BOB)),
        (start(), by(1, "claim"), by(2, "approve", BOB, outcome=MAYBE)),
    ),
    (
        "the approver is the subject",
        (*APPROVED, redeemed(2, sub=BOB)),
        (
            start(),
            by(1, "approve", outcome=MAYBE),
            by(1, "approve", BOB, outcome=MAYBE),
            redeemed(2),
        ),
    ),
    (
        "the approver is the subject",
        (start(), redeemed(1), by(2, "approve")),
        (start(), by(1, "approve", took=3), redeemed(1.5)),
    ),
    (
        "scope as shown",
        (*APPROVED, redeemed(2, scope="openid email")),
        (*APPROVED, redeemed(2)),
    ),
    (
        "scope as shown",
        (start(), by(1, "approve", scope="openid"), redeemed(2)),
        (start(), by(1, "approve", scope="openid"), redeemed(2, scope="openid")),
    ),
    (
        "nothing after expiry",
        (*APPROVED, redeemed(61)),
        (*APPROVED, redeemed(59.9, took=5.0)),
    ),
    (
        "nothing after expiry",
        (start(), poll(61)),
        (start(), fault(1, 1, jump_s=5), poll(61)),
    ),
    (
        "no early expiry",
        (start(), poll(30, "expired_token")),
        (start(), poll(59.5, "expired_token")),
    ),
    (
        "no early expiry",
        (start(), fault(1, 1, fails_over=True), by(4, "approve"), poll(5, "expired_token")),
        (start(), fault(1, 1, fails_over=True), poll(5, "expired_token")),
    ),
    (
        "decisions arrive",
        (*APPROVED, poll(12)),
        (*APPROVED, poll(6)),
    ),
    (
        "decisions arrive",
        (*APPROVED, fault(2, 3), poll(14)),
        (*APPROVED, fault(2, 3), poll(11)),
    ),
    (
        "decisions arrive",
        (start(), poll(0.5, wait=15, took=15), by(1, "deny")),
        (start(), poll(0.5, wait=15, took=15), by(10, "deny")),
    ),
    (
        "answers are explained",
        (*APPROVED, poll(2, "invalid_grant")),
        (*APPROVED, poll(2, "access_denied"), by(1, "deny", BOB, outcome=MAYBE)),
    ),
    (
        "answers are explained",  # the answer with the tokens was lost
        (*APPROVED, poll(2, ""), poll(3, "invalid_grant")),
        (*APPROVED, poll(2, ""), redeemed(3)),
    ),
    (
        "answers are explained",
        (*SIGNED_IN, poll(3, "invalid_grant")),
        (*SIGNED_IN, refreshed(3, 1, 2), poll(4, "invalid_grant")),
    ),
    (
        "answers are explained",
        (*APPROVED, poll(4, "access_denied")),
        (*APPROVED, operation(2, "disable", sub="ada"), poll(4, "access_denied")),
    ),
    (
        "answers are explained",  # what a repetition needs has ended with the access
        (*APPROVED, poll(2, ""), operation(3, "disable", sub=BOB), poll(4, "invalid_grant")),
        (*APPROVED, poll(2, ""), operation(3, "disable", sub="ada"), poll(4, "invalid_grant")),
    ),
    (
        "answers are explained",
        (start(), poll(1, "invalid_client")),
        (start(), operation(0.5, "disable-client", client="tv"), poll(1, "invalid_client")),
    ),
    (
        "answers are explained",
        (start(), poll(1, "invalid_request")),
        (start(), poll(1, "")),
    ),
    (
        "obedient devices are in time",
        (start(), poll(1, host=0), poll(2.2, "slow_down", host=0, result={"interval": 6})),
        (start(), poll(1, host=0), poll(2.05, "slow_down", host=0, result={"interval": 6})),
    ),
    (
        "obedient devices are in time",  # at several hosts
        (start(), poll(1), poll(3.2, "slow_down", result={"interval": 6})),
        (start(), poll(1), poll(2.2, "slow_down", result={"interval": 6})),
    ),
    (
        "obedient devices are in time",
        (start(), poll(1), poll(4, "slow_down", result={"interval": 6})),
        (start(), poll(1, ""), poll(4, "slow_down", result={"interval": 6})),
    ),
    (
        "obedient devices are in time",  # an interval that the device has learned
        (
            *(start(), poll(1), poll(1.2, "slow_down", result={"interval": 6})),
            poll(8.5, "slow_down", result={"interval": 11}),
        ),
        (
            *(start(), poll(1), poll(1.2, "slow_down", result={"interval": 6})),
            poll(7.2, "slow_down", result={"interval": 11}),
        ),
    ),
    (
        "obedient devices are in time",
        (start(), poll(1), fault(5, 1), poll(3.2, "slow_down", result={"interval": 6})),
        (start(), poll(1), fault(2, 1), poll(3.2, "slow_down", result={"interval": 6})),
    ),
    (
        "no device is stranded",
        (*SIGNED_IN, refreshed(3, 1, 2), refreshed(4, 2, 0)),
        (*SIGNED_IN, refreshed(3, 1, 2), refreshed(4, 1, 0)),
    ),
    (
        "no device is stranded",  # the answer was lost, and the server was done with it
        (
            *SIGNED_IN,
            refreshed(3, 1, 2, outcome=MAYBE, result={"unread": True}),
            refreshed(4, 1, 0),
        ),
        (
            *SIGNED_IN,
            refreshed(3, 1, 2, outcome=MAYBE, result={"unread": True}),
            refreshed(4, 1, 3),
        ),
    ),
    (
        "no device is stranded",  # an older request may still arrive
        (
            *(*SIGNED_IN, refreshed(3, 1, 0, outcome=MAYBE), refreshed(4, 1, 2)),
            refreshed(20, 2, 0),
        ),
        (
            *(*SIGNED_IN, refreshed(3, 1, 0, outcome=MAYBE), refreshed(4, 1, 2)),
            refreshed(6, 2, 0),
        ),
    ),
    (
        "no device is stranded",
        (*SIGNED_IN, operation(2, "disable", sub=BOB), refreshed(3, 1, 0)),
        (*SIGNED_IN, operation(2, "disable", sub="ada"), refreshed(3, 1, 0)),
    ),
    (
        "refresh answers are explained",
        (*SIGNED_IN, refreshed(3, 1, 0, result={"answer": "invalid_scope"})),
        (*SIGNED_IN, refreshed(3, 1, 0, outcome=MAYBE, result={"status": 503})),
    ),
    (
        "the revoked stay revoked",
        (*SIGNED_IN, operation(3, "revoke", grant="g"), refreshed(4, 1, 2)),
        (*SIGNED_IN, operation(3, "revoke", grant="g"), refreshed(3.05, 1, 2)),
    ),
    (
        "the revoked stay revoked",
        (*SIGNED_IN, operation(5, "revoke-client", client="tv"), refreshed(14, 1, 2)),
        (*SIGNED_IN, operation(5, "revoke-client", client="tv"), refreshed(9, 1, 2)),
    ),
    (
        "the disabled get nothing",
        (*SIGNED_IN, operation(3, "disable", sub="ada"), refreshed(4, 1, 2)),
        (*SIGNED_IN, operation(3, "disable", sub=BOB), refreshed(4, 1, 2)),
    ),
    (
        "the disabled get nothing",  # and nothing is given back
        (
            *(*SIGNED_IN, operation(3, "disable", sub="ada")),
            *(operation(3.5, "enable", sub="ada"), refreshed(4, 1, 2)),
        ),
        (
            *(start(), operation(0.2, "disable", sub="ada"), operation(0.5, "enable", sub="ada")),
            *(by(1, "approve"), redeemed(2), refreshed(4, 1, 2)),
        ),
    ),
    (
        "no device is stranded",
        (
            *(start(), operation(0.2, "disable", sub="ada"), operation(0.5, "enable", sub="ada")),
            *(by(1, "approve"), redeemed(2), refreshed(14, 1, 0)),
        ),
        (
            *(*SIGNED_IN, operation(3, "disable", sub="ada")),
            *(operation(3.5, "enable", sub="ada"), refreshed(14, 1, 0)),
        ),
    ),
    (
        "the disabled get nothing",
        (*SIGNED_IN, operation(3, "disable-client", client="tv"), refreshed(12, 1, 2)),
        (*SIGNED_IN, operation(3, "disable-client", client="tv"), refreshed(9, 1, 2)),
    ),
    (
        "no two grants share a token",
        (*SIGNED_IN, start(1, grant="h"), by(1, "approve"), redeemed(4, grant="h")),
        (*SIGNED_IN, start(1, grant="h"), poll(4, grant="h")),
    ),
    (
        "no answer is a mistake of the server",
        (start(), poll(1, "", result={"status": 500})),
        (start(), poll(1, "", result={"status": 503})),
    ),
]


def broken(operations: Sequence[Operation]) -> set[str]:
    in_order = sorted(operations, key=lambda each: each.invoked)
    return {violation.rule for violation in check(in_order)}


@pytest.mark.parametrize(("rule", "bad", "good"), PAIRS)
def test_a_rule(rule: str, bad: Sequence[Operation], good: Sequence[Operation]) -> None:
    assert rule in broken(bad)
    assert broken(good) == set()


def test_every_rule_has_a_pair() -> None:
    assert {rule for rule, _, _ in PAIRS} >= RULES.keys()

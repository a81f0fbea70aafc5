"""Which events other services are told of, and how (RFC 8417, RFC 9493, CAEP 1.0, RISC 1.0)."""

from typing import Any, Unpack

import msgspec
import pytest

from deviceflow.audit.events import AuditLine, Facts, SecurityEvent
from deviceflow.audit.security_event_token import TOLD_EVENTS, security_event_claims

ISSUER, AUDIENCE = "https://login.example.com", "https://gateway.example.com"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
ADA = {"format": "iss_sub", "iss": ISSUER, "sub": "ada"}


def line(event: SecurityEvent, request_id: str = "", **facts: Unpack[Facts]) -> AuditLine:
    facts.setdefault("sub", "ada")
    time, place = "2026-11-27T08:30:12.417Z", 7
    return AuditLine(
        event=event, time=time, chain="c", sequence=place, request_id=request_id, **facts
    )


def claims_of(line: AuditLine) -> dict[str, Any]:
    claims = security_event_claims(line, ISSUER, AUDIENCE)
    assert claims is not None
    return claims


def test_a_disconnected_device_is_a_revoked_session() -> None:
    claims = claims_of(
        line(
            SecurityEvent.DEVICE_DISCONNECTED,
            grant_id="g1",
            client_id="tv-app",
            way="page",
            request_id="r1",
        )
    )
    assert len(claims.pop("jti")) == 24
    assert claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": 1_795_768_212,
        "txn": "r1",
        "sub_id": {
            "format": "complex",
            "user": ADA,
            "session": {"format": "opaque", "id": "g1"},
            "application": {"format": "opaque", "id": "tv-app"},
        },
        "events": {
            f"{CAEP}session-revoked": {
                "event_timestamp": 1_795_768_212,
                "initiating_entity": "user",
            }
        },
    }


@pytest.mark.parametrize(
    ("told", "event_type", "details"),
    [
        (line(SecurityEvent.SESSION_ENDED), f"{CAEP}session-revoked", {}),
        (line(SecurityEvent.DEVICE_DISCONNECTED, number=3), f"{CAEP}session-revoked", {}),
        (line(SecurityEvent.TOKEN_REVOKED), f"{CAEP}session-revoked", {}),
        (
            line(SecurityEvent.REFRESH_TOKEN_REPLAYED),
            f"{CAEP}session-revoked",
            {"initiating_entity": "policy"},
        ),
        (
            line(SecurityEvent.PASSWORD_CHANGED),
            f"{CAEP}credential-change",
            {"credential_type": "password", "change_type": "update"},
        ),
        (
            line(SecurityEvent.FACTOR_ADDED, subject="recovery_codes"),
            f"{CAEP}credential-change",
            {"credential_type": "recovery-codes", "change_type": "create"},
        ),
        (
            line(SecurityEvent.FACTOR_REMOVED, subject="passkey", by="os:root"),
            f"{CAEP}credential-change",
            {"credential_type": "passkey", "change_type": "delete", "initiating_entity": "admin"},
        ),
        (
            line(SecurityEvent.ACCOUNT_CHANGED, reason="disabled", by="token:ops"),
            f"{RISC}account-disabled",
            {"initiating_entity": "admin"},
        ),
        (line(SecurityEvent.ACCOUNT_CHANGED, reason="enabled"), f"{RISC}account-enabled", {}),
        (line(SecurityEvent.ACCOUNT_REMOVED), f"{RISC}account-purged", {}),
    ],
)
def test_each_event_has_its_type(told: AuditLine, event_type: str, details: dict[str, str]) -> None:
    claims = claims_of(told)
    assert claims["sub_id"] == ADA
    always = {"event_timestamp": claims["iat"], "initiating_entity": "user"}
    assert claims["events"] == {event_type: always | details}


def test_nobody_is_told_of_other_lines() -> None:
    others = [line(event) for event in set(SecurityEvent) - TOLD_EVENTS]
    others.append(line(SecurityEvent.ACCOUNT_CHANGED, reason="linked to acme"))
    others += [line(event, sub="") for event in TOLD_EVENTS]
    assert all(security_event_claims(other, ISSUER, AUDIENCE) is None for other in others)


def test_the_same_line_has_the_same_id_and_another_line_another() -> None:
    one = line(SecurityEvent.SESSION_ENDED)
    later = msgspec.structs.replace(one, sequence=8)
    assert claims_of(one)["jti"] == claims_of(one)["jti"] != claims_of(later)["jti"]

"""The words of the mail about a new device."""

from deviceflow.notices.notice import Notice
from deviceflow.pages.account.notice_mail import notice_mail


def mail(**changes: object) -> tuple[str, str]:
    fields: dict[str, object] = {
        "sub": "sub-ada",
        "username": "ada",
        "email": "ada@example.com",
        "grant_id": "x",
        "client_id": "tv-app",
        "client_name": "Living-room TV",
        "scope": "",
        "device": "NebulaTV 4.2",
        "address": "203.0.113.7",
        "connected_at": 1_793_887_400,
    }
    return notice_mail("Example Connect", Notice(**fields | changes), "https://x/link")  # type: ignore[arg-type]


def test_what_a_person_reads() -> None:
    subject, body = mail()
    assert subject == "New device connected: Living-room TV"
    for words in (
        "A device was connected to your account ada.",
        "Application: Living-room TV",
        "When: 5 Nov 2026, 14:03 UTC",
        "It calls itself: NebulaTV 4.2",
        "It asked from: 203.0.113.7",
        "https://x/link",
        "Example Connect",
    ):
        assert words in body


def test_what_is_not_known_is_left_out() -> None:
    _, body = mail(device="", address="")
    assert "calls itself" not in body
    assert "asked from" not in body

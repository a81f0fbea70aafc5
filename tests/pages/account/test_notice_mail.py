"""The words of the mail about a new device, in every language."""

import re

import msgspec
import pytest

from deviceflow.config import Pages, Settings
from deviceflow.config.sections import SHIPPED_LANGUAGES
from deviceflow.notices.mail import MailText
from deviceflow.notices.notice import Notice
from deviceflow.pages.account.notice_mail import NoticeMails
from deviceflow.pages.languages import read_languages

NOTICE = Notice(
    sub="sub-ada",
    username="ada",
    email="ada@example.com",
    grant_id="x",
    client_id="tv-app",
    client_name="Living-room TV",
    scope="",
    device="NebulaTV 4.2; Linux",
    address="203.0.113.7",
    connected_at=1_793_887_400,
    language="en",
)
LINK = "https://connect.example.com/account/not-me?token=x"
WRITTEN = {
    "ar": ("تم ربط جهاز جديد: ", "5 نوفمبر 2026، 14:03 UTC"),
    "de": ("Neues Gerät verbunden: ", "5. Nov. 2026, 14:03 UTC"),
    "en": ("New device connected: ", "5 Nov 2026, 14:03 UTC"),
    "es": ("Nuevo dispositivo conectado: ", "5 nov 2026, 14:03 UTC"),
    "fr": ("Nouvel appareil associé\N{NO-BREAK SPACE}: ", "5 nov. 2026, 14:03 UTC"),
    "it": ("Nuovo dispositivo collegato: ", "5 nov 2026, 14:03 UTC"),
    "ja": ("新しいデバイスが接続されました\N{FULLWIDTH COLON}", "2026年11月5日 14:03 UTC"),
    "nl": ("Nieuw apparaat gekoppeld: ", "5 nov 2026, 14:03 UTC"),
    "pl": ("Połączono nowe urządzenie: ", "5 listopada 2026, 14:03 UTC"),
    "pt": ("Novo dispositivo conectado: ", "5 de nov. de 2026, 14:03 UTC"),
    "zh-Hans": ("新设备已连接\N{FULLWIDTH COLON}", "2026年11月5日 14:03 UTC"),
}
"""How the subject begins, and the time, in each language."""

_MARKS = str.maketrans("", "", "\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}")


def mail(pages: Pages | None = None, **changes: object) -> MailText:
    settings = Settings(pages=pages or Pages(title="Example Connect"))
    mails = NoticeMails(languages=read_languages(settings), pages=settings.pages)
    return mails.write(msgspec.structs.replace(NOTICE, **changes), LINK)


def test_what_a_person_reads() -> None:
    subject, body, language = mail()
    assert (subject, language) == ("New device connected: Living-room TV", "en")
    for words in (
        "A device was connected to your account ada.",
        "Application: Living-room TV",
        "When: 5 Nov 2026, 14:03 UTC",
        "It calls itself: NebulaTV 4.2 on Linux",
        "It asked from: 203.0.113.7",
        LINK,
        "Example Connect",
    ):
        assert words in body


def test_what_is_not_known_is_left_out() -> None:
    body = mail(device="", address="").body
    assert "calls itself" not in body
    assert "asked from" not in body
    lines = mail(language="ar", device="", address="").body.splitlines()
    assert len(lines) == len(body.splitlines())


@pytest.mark.parametrize("tag", SHIPPED_LANGUAGES)
def test_every_language_says_it_all(tag: str) -> None:
    subject, time = WRITTEN[tag]
    text = mail(language=tag)
    assert text.language == tag
    assert text.subject.translate(_MARKS) == f"{subject}Living-room TV"
    body = text.body.translate(_MARKS)
    for value in ("ada", "Living-room TV", time, "NebulaTV 4.2", "203.0.113.7"):
        assert value in body
    assert body.splitlines().count(LINK) == 1, "on a line of its own, so that a program links it"
    # As many paragraphs and facts as the English mail, all of them in other words.
    english = mail().body
    lines, english_lines = body.splitlines(), english.splitlines()
    assert len(lines) == len(english_lines)
    if tag != "en":
        same = {line for line in lines if line in english_lines}
        assert same == {"", LINK, "Example Connect"}
    assert not re.search(r"notice\.|%\(", body + subject)


def test_the_name_of_the_pages_is_translated_too() -> None:
    assert "Gerät verbinden" in mail(Pages(), language="de").body
    titled = Pages(title={"en": "Example Connect", "ja": "Example コネクト"})
    assert mail(titled, language="ja").body.endswith("\n\nExample コネクト\n")


@pytest.mark.parametrize("tag", ["", "ja", "tlh"])
def test_a_language_that_is_not_offered_is_the_default(tag: str) -> None:
    """The settings may have changed since the approval."""
    pages = Pages(languages=("fr", "de"), default_language="de")
    assert mail(pages, language=tag).language == "de"


def test_a_variant_finds_its_language() -> None:
    assert mail(language="de-AT").language == "de"


def test_names_keep_their_direction_among_arabic() -> None:
    """Without the marks, the last bracket would be on the other side."""
    text = mail(language="ar", client_name="TV (4K)")
    assert text.subject.endswith("\u2068TV (4K)\u2069")
    assert "\u2068203.0.113.7\u2069" in text.body
    assert "\u2068NebulaTV 4.2\u2069 على \u2068Linux\u2069" in text.body
    assert LINK in text.body.splitlines(), "a mark would become a part of the link"
    assert "\u2068" not in mail(client_name="TV (4K)").body


@pytest.mark.parametrize("tag", SHIPPED_LANGUAGES)
@pytest.mark.parametrize("field", ["client_name", "username", "device", "address"])
def test_no_value_begins_a_line(tag: str, field: str) -> None:
    """A made-up paragraph could send a person elsewhere; a line in the subject add a header."""
    plain = mail(None, language=tag)
    for end in ("\n", "\r\n", "\u2028", "\x85", "\x0b"):
        text = mail(None, language=tag, **{field: f"TV{end}{end}Bcc: eve@example.org"})
        assert len(text.subject.splitlines()) == 1
        assert len(text.body.splitlines()) == len(plain.body.splitlines())


def test_no_value_turns_the_direction_of_writing() -> None:
    text = mail(username="ada\u202egro.elpmaxe")
    assert "\u202e" not in text.body

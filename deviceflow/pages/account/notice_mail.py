"""The mail that tells a person of a new device, in the language of the approval.

Every value is kept on one line: none can look like a line of the mail, or add a header.
"""

from dataclasses import dataclass

from deviceflow.config import Pages
from deviceflow.core.device_description import DeviceDescription
from deviceflow.core.display_text import repaired
from deviceflow.core.languages import lookup
from deviceflow.notices.mail import MailText
from deviceflow.notices.notice import Notice
from deviceflow.pages import words
from deviceflow.pages.languages import Languages
from deviceflow.pages.texts import gettext, language, speaking

_ISOLATE, _END_ISOLATE = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


@dataclass(frozen=True, kw_only=True)
class NoticeMails:
    """Writes mails in the languages that this server offers, under the name of its pages."""

    languages: Languages
    pages: Pages

    def write(self, notice: Notice, link: str) -> MailText:
        """Write the mail of a notice."""
        tag = notice_language(self.languages, notice)
        with speaking(self.languages.offered[tag]):
            subject = gettext("notice.subject", client=_value(notice.client_name))
            return MailText(subject, self._body(notice, link), tag)

    def _body(self, notice: Notice, link: str) -> str:
        parts = [
            gettext("notice.lead", account=_value(notice.username)),
            "\n".join(_facts(notice)),
            gettext("notice.was_me"),
            gettext("notice.not_me"),
            link,
            gettext("notice.once"),
            words.title_in_words(self.pages),
        ]
        return "\n\n".join(parts) + "\n"


def notice_language(languages: Languages, notice: Notice) -> str:
    """Return the tag of the language of a notice, and of the page that its link opens."""
    # The settings may have changed since the approval.
    return lookup([notice.language], [*languages.offered]) or languages.default.tag


def _facts(notice: Notice) -> list[str]:
    """List what is known of the device, a line each."""
    facts = [
        gettext("notice.application", client=_value(notice.client_name)),
        gettext("notice.when", time=words.at(notice.connected_at)),
    ]
    values = DeviceDescription(*map(_value, DeviceDescription.of(notice.device)))
    if described := words.device_in_words(values.stored):
        facts.append(gettext("notice.device", device=described))
    if notice.address:
        facts.append(gettext("notice.address", address=_value(notice.address)))
    return facts


def _value(text: str) -> str:
    """Return a value to fill in: on one line, with a direction of writing of its own.

    From right to left, a name such as `TV (4K)` would lose its last bracket to the other side. Only
    there are the marks worth the risk that an old mail program shows them.
    """
    line = repaired(text)
    needs_marks = line and language().direction == "rtl"
    return f"{_ISOLATE}{line}{_END_ISOLATE}" if needs_marks else line

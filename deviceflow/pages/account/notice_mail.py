"""The mail that tells a person of a new device."""

from deviceflow.notices.mail import MailText
from deviceflow.notices.notice import Notice
from deviceflow.pages import words
from deviceflow.pages.texts import gettext


def notice_mail(title: str, notice: Notice, link: str) -> MailText:
    """Write the mail; `title`: the name of the pages."""
    facts = [
        gettext("notice.application", client=notice.client_name),
        gettext("notice.when", time=words.at(notice.connected_at)),
    ]
    if described := words.device_in_words(notice.device):
        facts.append(gettext("notice.device", device=described))
    if notice.address:
        facts.append(gettext("notice.address", address=notice.address))
    parts = [
        gettext("notice.lead", account=notice.username),
        "\n".join(facts),
        gettext("notice.was_me"),
        gettext("notice.not_me"),
        link,
        gettext("notice.once"),
        title,
    ]
    subject = gettext("notice.subject", client=notice.client_name)
    return MailText(subject, "\n\n".join(parts) + "\n")

"""The channels of notices, as the settings name them, with what a person reads in each."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from urllib.parse import urlencode

from aiohttp import web

from deviceflow.notices.mail import MailChannel
from deviceflow.notices.notice import Notice
from deviceflow.notices.outbox import Outbox
from deviceflow.notices.webhook import WebhookChannel
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.pages.account import not_me
from deviceflow.pages.account.notice_mail import NoticeMails, notice_language
from deviceflow.pages.languages import LANGUAGES, UI_LOCALES, Languages
from deviceflow.parts import Parts
from deviceflow.store.notice_links import NoticeLink


def sending_notices(parts: Parts) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what sends notices while the application runs."""

    async def live(app: web.Application) -> AsyncIterator[None]:
        languages = app[LANGUAGES]

        async def make_link(notice: Notice) -> str:
            token = await parts.notice_links.make(NoticeLink(notice.sub, notice.grant_id))
            query = {"token": token, UI_LOCALES: notice_language(languages, notice)}
            return f"{parts.settings.issuer_url}{not_me.NOT_ME_PATH}?{urlencode(query)}"

        async with AsyncExitStack() as stack:
            for channel in _channels(parts, languages):
                await stack.enter_async_context(channel.open())
                outbox = Outbox(
                    channel=channel,
                    make_link=make_link,
                    recorder=parts.recorder,
                    drops=ThinnedLog(("others",), parts.clock),
                )
                await stack.enter_async_context(outbox.open())
                parts.outboxes.outboxes.append(outbox)
            yield

    return live


def _channels(parts: Parts, languages: Languages) -> list[WebhookChannel | MailChannel]:
    notices, channels = parts.settings.notices, list[WebhookChannel | MailChannel]()
    if notices.webhook_url and notices.webhook_secret:
        url, secret = notices.webhook_url, notices.webhook_secret
        channels.append(WebhookChannel(url, secret, parts.clock))
    if notices.smtp_url and notices.mail_from:
        mails = NoticeMails(languages=languages, pages=parts.settings.pages)
        channels.append(MailChannel(notices.smtp_url, notices.mail_from, mails.write))
    return channels

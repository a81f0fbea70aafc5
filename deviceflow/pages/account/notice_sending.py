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
from deviceflow.pages.account.notice_mail import NoticeMails
from deviceflow.pages.languages import LANGUAGES, Languages
from deviceflow.parts import Parts
from deviceflow.store.notice_links import NoticeLink


def sending_notices(parts: Parts) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what sends notices while the application runs."""

    async def make_link(notice: Notice) -> str:
        link = NoticeLink(notice.sub, notice.grant_id)
        token = await parts.notice_links.make(link)
        return f"{parts.settings.issuer_url}{not_me.NOT_ME_PATH}?{urlencode({'token': token})}"

    async def live(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for channel in _channels(parts, app[LANGUAGES]):
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

"""The channels of notices, as the settings name them, with what a person reads in each."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlencode

from aiohttp import web

from deviceflow.notices.mail import MailChannel
from deviceflow.notices.notice import Notice
from deviceflow.notices.outbox import Outbox
from deviceflow.notices.webhook import WebhookChannel
from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.pages.account import not_me
from deviceflow.pages.account.notice_mail import notice_mail
from deviceflow.parts import Parts
from deviceflow.store.notice_links import NoticeLink


def sending_notices(parts: Parts) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what sends notices while the application runs."""

    async def make_link(notice: Notice) -> str:
        link = NoticeLink(notice.sub, notice.grant_id)
        token = await parts.notice_links.make(link)
        return f"{parts.settings.issuer_url}{not_me.NOT_ME_PATH}?{urlencode({'token': token})}"

    async def live(_: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for channel in _channels(parts):
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


def _channels(parts: Parts) -> list[WebhookChannel | MailChannel]:
    notices, channels = parts.settings.notices, list[WebhookChannel | MailChannel]()
    if notices.webhook_url and notices.webhook_secret:
        url, secret = notices.webhook_url, notices.webhook_secret
        channels.append(WebhookChannel(url, secret, parts.clock))
    if notices.smtp_url and notices.mail_from:
        write = partial(notice_mail, parts.settings.pages.title)
        channels.append(MailChannel(notices.smtp_url, notices.mail_from, write))
    return channels

"""A redemption has the person told, by mail and by webhook, and does not wait for that."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from yarl import URL

from deviceflow.config import Notices, Settings
from tests.stage.mail import MailServer
from tests.stage.oauth import People, Stage, Until, Worker
from tests.stage.proving import tokens
from tests.stage.receiver import Receiver


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with Receiver().running() as receiver:
        yield receiver


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with MailServer().running() as server:
        yield server


@pytest.fixture
async def told(
    stage: Stage, settings: Settings, hook: Receiver, mail: MailServer
) -> AsyncIterator[Settings]:
    """The settings of a server with both channels."""
    notices = Notices(
        webhook_url=hook.url,
        webhook_secret="s" * 32,
        smtp_url=mail.url,
        mail_from="devices@example.com",
    )
    yield msgspec.structs.replace(settings, notices=notices)
    for worker in stage.workers:
        await worker.client.close()


def link_in(mail: str) -> str:
    """The link in a mail, which has a line of its own."""
    (link,) = (line for line in mail.splitlines() if "/account/not-me?token=" in line)
    return link


async def open_page(worker: Worker, link: str) -> str:
    """Open the link in a browser that reads French, and has never been here."""
    path = URL(link, encoded=True).relative()
    headers = {"Host": URL(link).authority, "Accept-Language": "fr"}
    worker.client.session.cookie_jar.clear()
    async with worker.client.get(path, headers=headers) as response:
        return await response.text()


async def test_a_new_device_is_told_of(
    stage: Stage,
    told: Settings,
    people: People,
    hook: Receiver,
    mail: MailServer,
    until: Until,
) -> None:
    worker = await stage.start_worker(told)
    body = await tokens(worker, people)
    await until(lambda: bool(hook.messages and mail.messages))
    (notice,) = hook.messages
    assert (notice["sub"], notice["client_id"]) == ("sub-ada", "tv-app")
    (device,) = (await worker.parts.devices.of("sub-ada")).devices
    assert notice["grant_id"] == device.grant_id
    (message,) = mail.messages
    assert mail.recipients == ["ada@example.com"]
    assert link_in(message.get_content()).startswith(told.issuer_url)
    refreshed = await worker.refresh(body["refresh_token"])
    assert refreshed.status == 200
    assert len(hook.messages) == 1, "a refresh is no new device"


@pytest.mark.parametrize(
    ("approved_in", "told_in", "lead"),
    [
        ("ja", "ja", "あなたのアカウント ada に、デバイスが接続されました。"),
        ("", "de", "Ein Gerät wurde mit Ihrem Konto ada verbunden."),
    ],
)
async def test_the_language_of_the_approval_is_that_of_the_notice(
    stage: Stage,
    told: Settings,
    people: People,
    hook: Receiver,
    mail: MailServer,
    until: Until,
    approved_in: str,
    told_in: str,
    lead: str,
) -> None:
    """An approval of an older version says none: then it is the default."""
    pages = msgspec.structs.replace(told.pages, default_language="de")
    worker = await stage.start_worker(msgspec.structs.replace(told, pages=pages))
    grant = await worker.authorize()
    await people.approve_in(approved_in, grant.body["user_code"])
    assert (await worker.poll(grant.body["device_code"])).status == 200
    await until(lambda: bool(hook.messages and mail.messages))
    assert hook.messages[0]["language"] == told_in
    (message,) = mail.messages
    assert message["Content-Language"] == told_in
    assert message.get_content().startswith(lead)
    for link in (hook.messages[0]["not_me_uri"], link_in(message.get_content())):
        page = await open_page(worker, link)
        assert f'<html lang="{told_in}"' in page, "and so is that of the page behind its link"


async def test_a_repeated_redemption_is_no_new_device(
    stage: Stage, told: Settings, people: People, hook: Receiver, until: Until
) -> None:
    worker = await stage.start_worker(told)
    grant = await worker.authorize()
    await people.approve(grant.body["user_code"])
    for _ in range(3):
        assert (await worker.poll(grant.body["device_code"])).status == 200
    await until(lambda: bool(hook.messages))
    other = await worker.authorize()
    await people.approve(other.body["user_code"])
    assert (await worker.poll(other.body["device_code"])).status == 200
    await until(lambda: len(hook.messages) == 2)
    assert hook.messages[0]["grant_id"] != hook.messages[1]["grant_id"]


async def test_without_settings_nobody_is_told(stage: Stage, people: People) -> None:
    worker = await stage.start_worker()
    await tokens(worker, people)
    assert not worker.parts.outboxes.are_on
    assert await stage.keys("df:n:*") == []

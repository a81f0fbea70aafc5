"""A grant in the console: shown without its codes, cancelled after a question."""

from tests.stage.admin import ADA, Operator
from tests.stage.console import ConsoleBrowser
from tests.stage.oauth import Worker


async def test_cancel_after_a_question(
    console: ConsoleBrowser, operator: Operator, worker: Worker
) -> None:
    codes = (await worker.authorize()).body
    place = f"/console/grants/{await operator.id_of(codes['user_code'])}"
    await console.open(place)
    assert "pending" in console.text
    assert "Living-room TV" in console.text
    assert codes["user_code"] not in console.page
    assert codes["device_code"] not in console.page
    await console.open(f"{place}/cancel")
    assert "Cancel this grant?" in console.text
    assert (await worker.poll(codes["device_code"])).error == "authorization_pending"
    await console.submit(f"{place}/cancel")
    assert console.place == place
    await console.follow()
    assert "cancelled" in console.text
    assert (await worker.poll(codes["device_code"])).error == "access_denied"
    await console.open(f"{place}/cancel")
    assert "It is cancelled already" in console.text


async def test_too_late(console: ConsoleBrowser, operator: Operator, worker: Worker) -> None:
    codes = (await worker.authorize()).body
    grant_id = await operator.id_of(codes["user_code"])
    await operator.post(f"/grants/{grant_id}/approve", ADA)
    await console.open(f"/console/grants/{grant_id}/cancel")
    assert (await worker.poll(codes["device_code"])).status == 200
    await console.submit(f"/console/grants/{grant_id}/cancel")
    await console.follow()
    assert "redeemed" in console.text
    assert "disconnect it" in console.text
    assert "Approved by ada" in console.text


async def test_a_link_cancels_nothing(
    console: ConsoleBrowser, operator: Operator, worker: Worker
) -> None:
    codes = (await worker.authorize()).body
    place = f"/console/grants/{await operator.id_of(codes['user_code'])}/cancel"
    assert (await console.send("POST", place)).status in {400, 403}
    assert (await worker.poll(codes["device_code"])).error == "authorization_pending"

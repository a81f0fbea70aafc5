"""People: found, their devices listed and disconnected, their sessions ended."""

import re
from dataclasses import dataclass

from aiohttp import web

from deviceflow.admin.api.messages import (
    DeviceList,
    DeviceResponse,
    Disconnected,
    EndedSessions,
    PersonResponse,
)
from deviceflow.admin.api.problems import ApiError
from deviceflow.admin.api.requests import api_response
from deviceflow.admin.operators import OPERATOR
from deviceflow.admin.people import PeopleDesk
from deviceflow.store.devices import ConnectedDevice, DevicePage

PERSON_ROUTE = "/people/{sub}"

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, kw_only=True)
class PeopleEndpoints:
    """The endpoints below `/people`."""

    desk: PeopleDesk

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        devices = f"{PERSON_ROUTE}/devices"
        return [
            web.get("/people", self.find),
            web.get(devices, self.devices),
            web.post(f"{devices}/disconnect", self.disconnect_all),
            web.post(devices + "/{id}/disconnect", self.disconnect),
            web.post(f"{PERSON_ROUTE}/sessions/end", self.end_sessions),
        ]

    async def find(self, request: web.Request) -> web.Response:
        """Answer with the user of a username, or of a subject."""
        account = await self.desk.find(request.query.get("name", ""))
        if account is None:
            raise ApiError("not_found")
        person = PersonResponse(
            sub=account.sub,
            username=account.username,
            name=account.name,
            email=account.email,
            disabled=account.disabled,
        )
        return api_response(person)

    async def devices(self, request: web.Request) -> web.Response:
        """Answer with a page of devices, the newest first."""
        number = request.query.get("page", "1")
        if not _NUMBER.fullmatch(number):
            raise ApiError("invalid_request", "`page` is a number from 1.")
        return api_response(device_list(await self.desk.devices_of(_sub(request), int(number))))

    async def disconnect(self, request: web.Request) -> web.Response:
        """End the access of one device. A repetition ends nothing more."""
        device_id = request.match_info["id"]
        is_ended = await self.desk.disconnect(_sub(request), device_id, request[OPERATOR])
        return api_response(Disconnected(disconnected=int(is_ended)))

    async def disconnect_all(self, request: web.Request) -> web.Response:
        """End the access of all devices."""
        number = await self.desk.disconnect_all(_sub(request), request[OPERATOR])
        return api_response(Disconnected(disconnected=number))

    async def end_sessions(self, request: web.Request) -> web.Response:
        """Sign the person out of all browsers."""
        number = await self.desk.end_sessions(_sub(request), request[OPERATOR])
        return api_response(EndedSessions(ended=number))


def device_list(page: DevicePage) -> DeviceList:
    """Describe a page of devices."""
    return DeviceList(
        devices=[device_response(device) for device in page.devices],
        page=page.number,
        total=page.total,
        is_last=page.is_last,
    )


def device_response(device: ConnectedDevice) -> DeviceResponse:
    """Describe a device."""
    entry = device.entry
    return DeviceResponse(
        id=device.grant_id,
        client_id=entry.client_id,
        scope=entry.scope,
        name=entry.name,
        device=entry.device,
        address=entry.address,
        approved_at=entry.approved_at,
        used_at=device.used_at,
        ends_at=device.ends_at,
        has_tokens=not device.is_waiting,
    )


def _sub(request: web.Request) -> str:
    return request.match_info["sub"]

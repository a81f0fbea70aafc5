"""What is tried once before a run, so that a wrong option shows at once and not after an hour.

A device requests codes, and the API of operators, if people decide by it, looks them up. A server
that is only busy is no reason against a run.
"""

from deviceflow.conformance.decisions import Undecided
from deviceflow.device.answers import DeviceAuthorization
from deviceflow.device.client import DeviceClient
from deviceflow.device.errors import DeviceFlowError, UnavailableError
from deviceflow.device.metadata import Metadata
from deviceflow.fleet.admin_api import AdminApi
from deviceflow.fleet.plan import Plan
from deviceflow.fleet.ways import ByAdminApi


class WayError(DeviceFlowError):
    """People cannot decide in the way that was chosen."""


async def try_once(plan: Plan) -> None:
    """Request codes, and look them up.

    May raise ServerError (the server refuses the client or the scope), MalformedAnswerError,
    UnreachableError, InsecureAddressError, WayError.
    """
    try:
        codes = await _request_codes(plan)
    except UnavailableError:
        return
    if isinstance(plan.way, ByAdminApi):
        await _look_up(plan.way, codes)


async def _request_codes(plan: Plan) -> DeviceAuthorization:
    endpoints, credentials = plan.endpoints, plan.credentials
    metadata = Metadata(
        issuer=endpoints.issuer,
        token_endpoint=endpoints.token,
        device_authorization_endpoint=endpoints.device_authorization,
        token_endpoint_auth_methods_supported=endpoints.client_methods,
    )
    async with DeviceClient(metadata, credentials.client_id, credentials.client_secret) as client:
        return await client.authorize(plan.scope, patience_s=0)


async def _look_up(way: ByAdminApi, codes: DeviceAuthorization) -> None:
    api = AdminApi(way.base, way.token)
    try:
        await api.find(codes.user_code)
    except Undecided as error:
        raise WayError(
            f"People cannot decide at {way.base}: {error}. Check its address, its token, and that "
            "it is the API of this server."
        ) from error
    finally:
        await api.close()

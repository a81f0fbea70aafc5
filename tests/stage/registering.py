"""Clients that register themselves, and the operator who changes them in the store."""

from typing import Any

import msgspec

from deviceflow.core.client import Client
from deviceflow.store.clients import StoredClients
from tests.stage.oauth import Answer, Worker
from tests.stage.proving import INITIAL, REGISTER

PUBLIC = {"client_name": "Radio", "token_endpoint_auth_method": "none"}

Metadata = dict[str, Any]


async def ask(
    worker: Worker, method: str, path: str, token: str, metadata: Metadata | None = None
) -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    return await worker.send(method, path, json=metadata, headers=headers)


async def register(worker: Worker, **metadata: Any) -> Metadata:  # noqa: ANN401, as in JSON
    answer = await ask(worker, "POST", REGISTER, INITIAL, PUBLIC | metadata)
    assert answer.status == 201, answer.body
    return answer.body


async def change(worker: Worker, client: Metadata, **metadata: Any) -> Answer:  # noqa: ANN401
    """Answer of a PUT of what a public client has registered, with `metadata` for some of it."""
    path, token = f"{REGISTER}/{client['client_id']}", client["registration_access_token"]
    wanted = PUBLIC | {"client_id": client["client_id"]} | metadata
    return await ask(worker, "PUT", path, token, wanted)


async def operator_sets(stored: StoredClients, client: Metadata, **fields: object) -> Client:
    """The client as the operator changes it."""

    def edit(before: Client | None) -> Client:
        assert before is not None
        return msgspec.structs.replace(before, **fields)

    return await stored.change(client["client_id"], edit)

"""A plain aiohttp server, to compare the lane with.

Run as `python -m benchmarks.plain PORT [REDIS_URL]`. It reads the form of a poll and answers with
a constant. With a store, it also answers device authorizations and approvals, with as many round
trips as deviceflow.
"""

import asyncio
import json
import secrets
import socket
import sys
import time

import uvloop
from aiohttp import web
from redis.asyncio import Redis

BODY = (
    b'{"error":"authorization_pending","error_description":"Nobody has decided yet. Keep polling."}'
)
EXPOSED = "DPoP-Nonce, Preference-Applied, Retry-After, WWW-Authenticate"
HEADERS = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": EXPOSED,
}
LIFETIME_S = 600
SLOTS_PER_TRIP = 16
BACKLOG = 4096

STORE = web.AppKey("store", Redis)


async def poll(request: web.Request) -> web.Response:
    """Read the form, and answer authorization_pending."""
    form = await request.post()
    if "device_code" not in form:
        raise web.HTTPBadRequest
    return web.Response(status=400, body=BODY, content_type="application/json", headers=HEADERS)


class Authorizations:
    """Device authorizations: two keys in one round trip, and a counter for every 16 of them."""

    def __init__(self) -> None:
        self._left = 0

    async def __call__(self, request: web.Request) -> web.Response:
        """Store a grant and its user code, and answer with the codes."""
        form = await request.post()
        store = request.app[STORE]
        if not self._left:
            await store.incrby("plain:slots", SLOTS_PER_TRIP)
            self._left = SLOTS_PER_TRIP
        self._left -= 1
        device_code, user_code = secrets.token_urlsafe(32), secrets.token_hex(4).upper()
        await _store(store, device_code, user_code, str(form["client_id"]))
        return web.json_response(
            {
                "device_code": device_code,
                "user_code": user_code,
                "verification_uri": "http://127.0.0.1/device",
                "verification_uri_complete": f"http://127.0.0.1/device?user_code={user_code}",
                "expires_in": LIFETIME_S,
                "interval": 5,
            },
            headers=HEADERS,
        )


async def approve(request: web.Request) -> web.Response:
    """Approve: read the person and the grant, write a log entry and the change, and publish it."""
    grant_id, body, store = request.match_info["id"], await request.json(), request.app[STORE]
    key = f"plain:g:{grant_id}"
    await asyncio.gather(store.hget("plain:users", body["username"]), store.hgetall(key))
    async with store.pipeline(transaction=False) as pipe:
        pipe.xadd("plain:log", {"g": grant_id}, maxlen=100_000)
        pipe.expire("plain:log", LIFETIME_S)
        await pipe.execute()
    approval = json.dumps(body)
    grant: dict[str, str] = {"state": "approved", "account": body["sub"], "approval": approval}
    await store.hset(key, mapping=grant)  # type: ignore[arg-type]
    await store.publish("plain:decided", f"{grant_id} approved")
    return web.json_response({"id": grant_id} | grant, headers=HEADERS)


async def _store(store: Redis, device_code: str, user_code: str, client_id: str) -> None:
    grant = {
        "state": "pending",
        "expires": int(time.time()) + LIFETIME_S,
        "client_id": client_id,
    }
    async with store.pipeline(transaction=False) as pipe:
        pipe.set(f"plain:u:{user_code}", device_code, ex=LIFETIME_S, nx=True)
        pipe.hset(f"plain:g:{device_code}", mapping=grant)  # type: ignore[arg-type]
        pipe.expire(f"plain:g:{device_code}", LIFETIME_S)
        await pipe.execute()


def main(port: int, redis_url: str | None) -> None:
    """Serve until SIGTERM."""
    app = web.Application()
    app.add_routes([web.post("/oauth2/token", poll)])
    if redis_url:
        app[STORE] = Redis.from_url(redis_url, max_connections=256)
        app.add_routes([web.post("/oauth2/device_authorization", Authorizations().__call__)])
        app.add_routes([web.post("/api/v1/grants/{id}/approve", approve)])
    sock = socket.create_server(("127.0.0.1", port), backlog=BACKLOG, reuse_port=True)
    web.run_app(
        app,
        sock=sock,
        access_log=None,
        print=None,
        backlog=BACKLOG,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)

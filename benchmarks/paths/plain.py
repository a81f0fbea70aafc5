"""A plain aiohttp server with the store trips and the signatures of deviceflow, and nothing else.

Run as `python -m benchmarks.paths.plain PORT REDIS_URL`. Each handler reads the form, sends as many
round trips to the store as deviceflow does for the same request, one after the other and each by
redis-py as it comes, with commands that write and read as much. It signs as many tokens with the
same algorithm and library, and answers in JSON. It checks nothing: no client, no limit, no state of
a grant, no expiry. It has no metrics, no log and no audit, and keeps no promise of an outage.
"""

import asyncio
import json
import secrets
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

import uvloop
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey
from redis.asyncio import Redis

from benchmarks.paths.polls import PENDING_CODE, WAIT_S
from benchmarks.plain import BACKLOG, BODY, HEADERS, LIFETIME_S

ALGORITHM = "ES256"
GRANT_FIELDS = {
    "state": "pending",
    "client": "tv-app",
    "scope": "openid profile offline_access",
    "from": "127.0.0.1",
    "agent": "ExampleTV 4.2; Linux",
}
PERSON = json.dumps({"sub": "demo", "username": "demo", "auth_time": 1, "amr": ["pwd"]})

Command = Sequence[str | int]


class Plain:
    """The handlers."""

    def __init__(self, store: Redis) -> None:
        self._store = store
        self._key = ECKey.generate_key("P-256", {"alg": ALGORITHM}, auto_kid=True)

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.post("/oauth2/device_authorization", self.start),
            web.post("/oauth2/token", self.token),
            web.post("/oauth2/introspect", self.introspect),
            web.get("/oauth2/userinfo", self.userinfo),
            web.post("/oauth2/revoke", self.revoke),
        ]

    async def start(self, request: web.Request) -> web.Response:
        """Three trips: the limits of an address, a number, the grant with its user code."""
        form = await request.post()
        address = request.remote or ""
        await self._trip(
            ("INCR", f"plain:limit:{address}"), ("EXPIRE", f"plain:limit:{address}", 600)
        )
        number = (await self._trip(("INCR", "plain:slots")))[0]
        code, user_code = secrets.token_urlsafe(32), secrets.token_hex(4).upper()
        fields = GRANT_FIELDS | {"at": int(time.time()), "number": number}
        await self._trip(
            ("SET", f"plain:u:{user_code}", code, "EX", LIFETIME_S, "NX"),
            ("HSET", f"plain:g:{code}", *_flat(fields | {"client": str(form["client_id"])})),
            ("EXPIRE", f"plain:g:{code}", LIFETIME_S),
        )
        link = "http://127.0.0.1/device"
        return _json(
            {
                "device_code": code,
                "user_code": user_code,
                "verification_uri": link,
                "verification_uri_complete": f"{link}?user_code={user_code}",
                "expires_in": LIFETIME_S,
                "interval": 1,
            }
        )

    async def token(self, request: web.Request) -> web.Response:
        """Answer a poll that has a code, or a refresh."""
        form = await request.post()
        if "refresh_token" in form:
            return await self._refresh(str(form["refresh_token"]))
        code = str(form["device_code"])
        if code == PENDING_CODE:
            if "Prefer" in request.headers:
                await asyncio.sleep(WAIT_S)
            return web.Response(
                status=400, body=BODY, content_type="application/json", headers=HEADERS
            )
        return await self._redeem(code)

    async def _redeem(self, code: str) -> web.Response:
        """Five trips and two signatures."""
        key, family = f"plain:g:{code}", f"plain:f:{code}"
        await self._trip(("HGETALL", key))
        await self._person()
        await self._trip(
            ("XADD", "plain:log", "MINID", "~", 1, "*", "g", code, "x", "1"),
            ("EXPIRE", "plain:log", LIFETIME_S),
        )
        tokens = self._tokens(code)
        await self._trip(
            ("HSET", key, "state", "redeemed", "redeem", secrets.token_hex(8)),
            ("HSET", family, "family", PERSON, "current", secrets.token_hex(16)),
            ("EXPIRE", family, LIFETIME_S),
            ("SET", f"plain:r:{code}", PERSON, "PX", 60_000),
        )
        await self._trip(("PUBLISH", "plain:decided", f"{code} redeemed"))
        return _json(tokens)

    async def _refresh(self, token: str) -> web.Response:
        """Four trips and two signatures."""
        code = token.partition(".")[0]
        family = f"plain:f:{code}"
        await self._trip(("HMGET", family, "family", "current", "next", "jkt", "listed"))
        await self._trip(("EXISTS", f"plain:ended:{code}"))
        await self._person()
        tokens = self._tokens(code)
        await self._trip(
            ("HSET", family, "next", secrets.token_hex(16), "used", int(time.time())),
            ("EXPIRE", family, LIFETIME_S),
            ("DEL", f"plain:r:{code}"),
        )
        return _json(tokens)

    async def introspect(self, request: web.Request) -> web.Response:
        """Four trips, and a signature to verify."""
        form = await request.post()
        claims = await self._active(str(form["token"]))
        return _json({"active": True, "username": "demo", "token_type": "Bearer"} | claims)

    async def userinfo(self, request: web.Request) -> web.Response:
        """Four trips, and a signature to verify."""
        token = request.headers["Authorization"].partition(" ")[2]
        claims = await self._active(token)
        return _json({"sub": claims["sub"], "preferred_username": "demo"})

    async def revoke(self, request: web.Request) -> web.Response:
        """Three trips."""
        form = await request.post()
        code = str(form["token"]).partition(".")[0]
        await self._trip(("HMGET", f"plain:f:{code}", "family", "current", "next", "jkt", "listed"))
        await self._trip(("SET", f"plain:ended:{code}", "1", "EX", LIFETIME_S))
        await self._trip(("DEL", f"plain:f:{code}", f"plain:r:{code}", f"plain:l:{code}"))
        return web.Response(headers=HEADERS)

    async def _active(self, token: str) -> dict[str, Any]:
        claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
        await self._trip(("EXISTS", f"plain:ended:{claims['grant_id']}"))
        await self._trip(("HGET", "plain:subjects", claims["sub"]))
        await self._person()
        await self._trip(("DEL", f"plain:r:{claims['grant_id']}"))
        return dict(claims)

    async def _person(self) -> None:
        await self._trip(
            ("HMGET", "plain:users", "demo"), ("HMGET", "plain:marks", "s:demo", "d:demo")
        )

    async def _trip(self, *commands: Command) -> list[Any]:
        if len(commands) == 1:
            return [await self._store.execute_command(*commands[0])]  # type: ignore[no-untyped-call]
        async with self._store.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return list(await pipe.execute())

    def _tokens(self, code: str) -> dict[str, object]:
        now = int(time.time())
        common = {"iss": "http://127.0.0.1", "sub": "demo", "iat": now, "exp": now + LIFETIME_S}
        access = common | {
            "aud": "http://127.0.0.1",
            "client_id": "tv-app",
            "scope": GRANT_FIELDS["scope"],
            "jti": secrets.token_urlsafe(16),
            "grant_id": code,
            "auth_time": now,
            "amr": ["pwd"],
        }
        identity = common | {"aud": "tv-app", "auth_time": now, "amr": ["pwd"], "name": "demo"}
        return {
            "access_token": self._sign(access, "at+jwt"),
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
            "scope": GRANT_FIELDS["scope"],
            "id_token": self._sign(identity, "JWT"),
            "refresh_token": f"{code}.{secrets.token_urlsafe(32)}",
        }

    def _sign(self, claims: dict[str, Any], kind: str) -> str:
        header = {"alg": ALGORITHM, "typ": kind, "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])


def _flat(fields: dict[str, str | int]) -> list[str | int]:
    return [part for pair in fields.items() for part in pair]


def _json(body: dict[str, object]) -> web.Response:
    return web.json_response(body, headers=HEADERS)


def main(port: int, redis_url: str) -> None:
    """Serve until SIGTERM."""
    app = web.Application()
    app.add_routes(Plain(Redis.from_url(redis_url, max_connections=256)).routes())
    sock = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    web.run_app(app, sock=sock, access_log=None, print=None, backlog=BACKLOG, loop=loop)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

"""Whoever reads the store can use nothing of what he reads (6749-10.3-a)."""

from deviceflow.core.user_code import display
from deviceflow.store.accounts import Account
from deviceflow.store.sessions import Session
from deviceflow.store.users import Users
from tests.stage.store import Store
from tests.stage.valkey import Valkey

PASSWORD = "correct horse battery staple"


async def test_no_code_token_session_or_password_is_stored(store: Store, valkey: Valkey) -> None:
    """6749-10.3-a: the dump has only hashes; 8628-5.2-a: nor does it have device codes."""
    users = Users(store.connection)
    password_hash = await users.hash(PASSWORD)
    users.close()
    await users.put(Account(username="ada", sub="sub-ada", password_hash=password_hash))
    session_id = await store.sessions.start(Session("ada", "sub-ada", 1))
    await store.limits.hit("sign-in", "203.0.113.9", limit=5, window_s=60)
    issued = await store.issue()
    token, _ = await store.family()

    everything = dump(valkey)
    assert b"sub-ada" in everything, "the dump has what is no secret"
    for secret in (
        issued.device_code,
        issued.user_code,
        display(issued.user_code, 4),
        token.text,
        token.secret,
        session_id,
        PASSWORD,
        "203.0.113.9",
    ):
        assert secret.encode() not in everything
        assert secret.lower().encode() not in everything


def dump(valkey: Valkey) -> bytes:
    """All keys and values, one after the other."""
    read = {b"string": "GET", b"hash": "HGETALL", b"stream": "XRANGE", b"zset": "ZRANGE"}
    parts: list[bytes] = []
    with valkey.client() as client:
        for key in client.scan_iter():
            command = read[client.type(key)]
            bounds = {"XRANGE": ("-", "+"), "ZRANGE": ("0", "-1")}.get(command, ())
            value = client.execute_command(command, key, *bounds)
            parts += [key, repr(value).encode()]
    assert parts
    return b"\n".join(parts)

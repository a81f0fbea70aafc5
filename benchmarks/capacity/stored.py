"""The memory of what a store keeps: the mean of each kind of key."""

from itertools import islice

from benchmarks.servers import PASSWORD_HASH
from benchmarks.stores import Store
from deviceflow.core.claims import Claims
from deviceflow.store import keyspace
from deviceflow.store.access_tokens import AccessTokens
from deviceflow.store.accounts import Account, new_subject
from deviceflow.store.connection import Connection
from deviceflow.store.users import Users

SAMPLED = 4_000
RECORDS = 4_096
TOKEN_S = 3_600
CLAIMS: Claims = {
    "iss": "https://login.example.com",
    "sub": "8d1f8a0c6f3e4b5aa0c9e1d2f3a4b5c6",
    "aud": ["https://api.example.com"],
    "client_id": "tv-app",
    "scope": "openid profile offline_access",
    "iat": 1_790_000_000,
    "exp": 1_790_003_600,
    "jti": "Jm3nq1l2b8mYp0XhHqk0Og",
    "username": "person-0000001",
}
PER_KEY = 44.0
"""Bytes of each key in the tables of the store, beside MEMORY USAGE.

benchmarks/results/memory.json: 395.9 bytes for a grant, whose two keys have 249.2 and 58.3.
"""

PATTERNS = {
    "grant": keyspace.grant("*"),
    "user_code": keyspace.user_code("*"),
    "family": keyspace.family("*"),
    "session": keyspace.session("*"),
    "opaque_token": keyspace.opaque_token("*"),
}


def key_bytes(store: Store) -> dict[str, float]:
    """Return the mean bytes of the keys of each kind that there are.

    A grant with an approval is `approved_grant`, one without it is `grant`.
    """
    sizes: dict[str, list[float]] = {}
    for name, pattern in PATTERNS.items():
        for key in islice(store.client.scan_iter(pattern, 1_000), SAMPLED):
            kind = name
            if name == "grant" and store.client.hexists(key, "approval"):
                kind = "approved_grant"
            size = store.client.memory_usage(key, samples=0) or 0
            sizes.setdefault(kind, []).append(size + PER_KEY)
    return {name: sum(each) / len(each) for name, each in sizes.items()}


async def record_bytes(store: Store) -> dict[str, float]:
    """Return the bytes of an account and of an opaque token, by many of each that are made here."""
    connection = Connection.open(store.url)
    try:
        users, tokens = Users(connection), AccessTokens(connection)
        before = store.used_memory()
        for number in range(RECORDS):
            await users.put(_account(number))
        between = store.used_memory()
        for _ in range(RECORDS):
            await tokens.store(CLAIMS, TOKEN_S)
        after = store.used_memory()
    finally:
        await connection.close()
    return {"account": (between - before) / RECORDS, "opaque_token": (after - between) / RECORDS}


def _account(number: int) -> Account:
    name = f"person-{number:07}"
    return Account(
        username=name,
        sub=new_subject(name),
        password_hash=PASSWORD_HASH,
        name=f"Person {number}",
        email=f"{name}@example.com",
    )

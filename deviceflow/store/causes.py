"""Why a store cannot be used, in words for an operator: the true cause, and what to do.

redis-py tells most failures as a broken connection. What broke it is in the chain of exceptions.
"""

import socket
import ssl
from collections.abc import Iterator

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    SlotNotCoveredError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from deviceflow.core.store_url import StoreUrl
from deviceflow.store.errors import StoreSetupError, StoreUnavailable

CLOSED = "it closed the connection"
SILENT = "it does not answer in time"

# What else these two can mean: without TLS, and with it.
_HINTS = {
    (CLOSED, False): "; does that port take TLS only (rediss://)?",
    (CLOSED, True): "; does it ask for a client certificate (ssl_certfile, ssl_keyfile)?",
    (SILENT, True): "; does that port take TLS?",
}

_BY_KIND: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        ssl.SSLCertVerificationError,
        "its certificate cannot be trusted; is the CA in ssl_ca_certs, and the host in it?",
    ),
    (ssl.SSLError, "it does not take part in TLS as configured; rediss:// is for a TLS port"),
    (socket.gaierror, "no such host"),
    (AuthenticationError, "wrong user name or password"),
    (AskError, "it is a node of a Cluster; use redis+cluster://"),
    (ReadOnlyError, "it is a replica and takes no writes; name the primary, or use Sentinels"),
    (OutOfMemoryError, "its memory is full (OOM); raise maxmemory or remove other data"),
    (
        NoPermissionError,
        "its user is not allowed to do that; see the ACL in docs/operations/store.md",
    ),
    (BusyLoadingError, "it is still loading its data"),
    ((ClusterDownError, SlotNotCoveredError), "the Cluster is down for some of the hash slots"),
    (ConnectionRefusedError, "nothing listens there"),
    (FileNotFoundError, "there is no such file"),
    (PermissionError, "this user may not open that file"),
    (InvalidResponse, "no Redis answers there"),
    (ConnectionResetError, CLOSED),
    ((RedisTimeoutError, TimeoutError), SILENT),
)

_AWAY = (
    BusyLoadingError,
    ClusterDownError,
    ConnectionRefusedError,
    ConnectionResetError,
    FileNotFoundError,
    RedisTimeoutError,
    TimeoutError,
)
_MISTAKES = (ssl.SSLError, socket.gaierror, AuthenticationError, NoPermissionError, InvalidResponse)

_BY_TEXT = (
    ("NOAUTH", "it asks for a password"),
    ("Authentication required", "it asks for a password"),
    ("WRONGPASS", "wrong user name or password"),
    ("AuthenticationError", "wrong user name or password"),
    ("invalid username-password", "wrong user name or password"),
    ("AuthenticationWrongNumberOfArgs", "it asks for a password"),
    ("DB index is out of range", "it has no database of that number; use another /DB in the URL"),
    ("Cluster mode is not enabled", "it is no Cluster; use redis://"),
    ("unknown command 'SENTINEL'", "it is no Sentinel; use redis://, or the Sentinel's port"),
    ("unknown command `SENTINEL`", "it is no Sentinel; use redis://, or the Sentinel's port"),
    ("MISCONF", "it cannot save to disk (MISCONF)"),
    ("NOREPLICAS", "it has too few replicas (NOREPLICAS)"),
    ("Connection closed by server", CLOSED),
    ("max number of clients", "it has too many clients; raise maxclients"),
)
_PASSING = frozenset({CLOSED})
"""Causes by text that pass: a store that is about to stop closes its connections."""


def cause_of(error: BaseException) -> str:
    """Return why the store could not be used, without a secret and without a full stop."""
    chain = list(_chain(error))
    texts = [str(each) for each in chain]
    if any(isinstance(each, MasterNotFoundError) for each in chain):
        return _cause_at_sentinels(texts)
    for text, cause in _BY_TEXT:
        if any(text in each for each in texts):
            return cause
    for kind, cause in _BY_KIND:
        if any(isinstance(each, kind) for each in chain):
            return cause
    if any(isinstance(each, RedisClusterException) for each in chain):
        return "no node of the Cluster can be reached"
    return texts[0] or type(error).__name__


def is_away(error: BaseException) -> bool:
    """Return whether a store that is rightly configured may fail so, until it is back."""
    chain = list(_chain(error))
    if cause_of(error) in {cause for _, cause in _BY_TEXT} - _PASSING:
        return False
    kinds = (*_AWAY, RedisClusterException, MasterNotFoundError)
    return any(isinstance(each, kinds) for each in chain) and not any(
        isinstance(each, _MISTAKES) for each in chain
    )


def unusable(url: str, error: StoreSetupError | StoreUnavailable) -> str:
    """Return the line that says that the store of `url` cannot be used, and why."""
    cause = str(error) if isinstance(error, StoreSetupError) else cause_of(error)
    parsed = StoreUrl.parse(url)
    hint = _HINTS.get((cause, parsed.tls is not None), "")
    return f"cannot use the store at {parsed.address}: {cause}{hint} (redis.url)"


def _cause_at_sentinels(texts: list[str]) -> str:
    """Return why no Sentinel names a primary. redis-py has their failures in the text only."""
    text = " ".join(texts)
    for sign, cause in (
        ("Authentication", "wrong sentinel_username or sentinel_password"),
        ("NOAUTH", "the Sentinels ask for a password; use sentinel_password"),
        ("CERTIFICATE_VERIFY_FAILED", "the Sentinels' certificate cannot be trusted"),
    ):
        if sign in text:
            return cause
    return "no Sentinel that answers knows a primary of that name that is up"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

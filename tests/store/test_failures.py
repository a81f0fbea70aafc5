"""What the failures of a real server mean."""

import pytest
from redis.exceptions import ResponseError

from deviceflow.store.connection import Connection
from deviceflow.store.errors import StoreUnavailable
from deviceflow.store.failures import translated
from deviceflow.store.shapes import Value

# What Valkey says when it is there and cannot do what was asked just now.
UNAVAILABLE = (
    "LOADING Valkey is loading the dataset in memory",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "NOREPLICAS Not enough good replicas to write.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN Hash slot not served",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "BUSY Valkey is busy running a script.",
    "NOSCRIPT No matching script.",
    "NOAUTH Authentication required.",
)


@pytest.mark.parametrize("refusal", UNAVAILABLE, ids=lambda refusal: str(refusal).split()[0])
async def test_a_server_that_cannot_just_now_is_unavailable(
    connection: Connection, refusal: str
) -> None:
    """Alone, in a pipeline, and out of a script."""
    script = f'return redis.error_reply("{refusal}")'
    with pytest.raises(StoreUnavailable):
        await connection.command("EVAL", script, 0)
    with pytest.raises(StoreUnavailable):
        await in_a_pipeline(connection, "EVAL", script, 0)


@pytest.mark.parametrize("code", ["READONLY", "OOM", "MISCONF", "NOREPLICAS"])
async def test_a_refusal_is_named_by_its_code(connection: Connection, code: str) -> None:
    script = f'return redis.error_reply("{code} Not just now.")'
    with pytest.raises(StoreUnavailable, match=f"^{code}$"):
        await connection.command("EVAL", script, 0)
    with pytest.raises(StoreUnavailable, match=f"^{code}$"):
        await in_a_pipeline(connection, "EVAL", script, 0)


@pytest.mark.parametrize("code", ["READONLY", "OOM", "MISCONF", "NOREPLICAS"])
def test_a_refusal_in_a_script_of_an_old_server_is_one_too(code: str) -> None:
    """So Redis 6.2 words it."""
    script = "Error running script (call to f_12ab): @user_script:34: @user_script: 34: "
    with pytest.raises(StoreUnavailable, match=f"^{code}$"), translated():
        raise ResponseError(f"{script}-{code} not just now")


async def test_a_mistake_of_ours_is_no_outage(connection: Connection) -> None:
    with pytest.raises(ResponseError):
        await connection.command("GET", "df:text", "more")
    await connection.command("SET", "df:text", "MISCONF", "EX", 9)
    with pytest.raises(ResponseError):
        await connection.command("HGET", "df:text", "field")
    with pytest.raises(ResponseError):
        await in_a_pipeline(connection, "HGET", "df:text", "BUSY")


async def in_a_pipeline(connection: Connection, *command: Value) -> None:
    """Run a command as the second of two."""
    await connection.batch(("GET", "df:text"), command)

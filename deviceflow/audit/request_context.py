"""The request that runs now, so that an event has its address without being handed it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_find_address: ContextVar[Callable[[], str] | None] = ContextVar("find_address", default=None)


@contextmanager
def request_from(find_address: Callable[[], str]) -> Iterator[None]:
    """Note, until the block ends, how to find the address of the request that runs."""
    token = _find_address.set(find_address)
    try:
        yield
    finally:
        _find_address.reset(token)


def note_address(address: str) -> None:
    """Note where the request comes from, for the rest of a task that serves no other one."""
    _find_address.set(lambda: address)


def current_address() -> str:
    """Return where the request that runs now comes from; empty outside of requests."""
    find_address = _find_address.get()
    return find_address() if find_address else ""

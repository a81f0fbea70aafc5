"""The event loop of a run."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run_loop(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine on uvloop, or without that package on asyncio's own loop, which is slower."""
    try:
        import uvloop  # noqa: PLC0415, a device's installation may lack it
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)

"""What is fuzzed: one reader of bytes, good examples of what it reads, and how it may refuse."""

import linecache
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import deviceflow

MOST_CPU_S = 0.5
"""The most CPU time for one input, in s: a reader that needs more could hold a worker up."""

_PACKAGE = str(Path(deviceflow.__file__).parent)


class Target(NamedTuple):
    """A reader. `read` asserts what every answer keeps to, and `allowed` are its refusals.

    `examples`: inputs that it must read without a refusal. Mutations begin with them.
    """

    name: str
    read: Callable[[bytes], object]
    examples: tuple[bytes, ...]
    allowed: tuple[type[Exception], ...] = ()


class Finding(NamedTuple):
    """An input that a reader neither reads nor refuses. `kind`: the same for the same mistake."""

    target: str
    kind: str
    data: bytes


def fault(target: Target, data: bytes) -> str | None:
    """Return what is wrong with how `target` treats `data`, None if all is well."""
    before = time.thread_time()
    try:
        target.read(data)
    except target.allowed:
        pass
    except Exception as error:  # noqa: BLE001, anything else is what is looked for
        return f"{type(error).__name__} at {_place(error)}"
    if time.thread_time() - before > MOST_CPU_S:
        return "slow"
    return None


def _place(error: Exception) -> str:
    """Return the last line of this package that an error came through, else the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(_PACKAGE)]
    frame = (own or frames)[-1]
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    return f"{Path(frame.filename).name}:{frame.lineno}: {line}"

"""Memory that the supervisor and all workers share, and that an upgrade takes along.

It has a descriptor, so that a new program in the place of the supervisor finds it again. The kernel
allocates a page only at the first write, so memory that is unused costs nothing.
"""

import mmap
import os
import sys
import tempfile


class SharedMemory:
    """`size` bytes, zeroed at first. `descriptor`: of memory that is there already."""

    def __init__(self, size: int, descriptor: int | None = None) -> None:
        self.descriptor = _new_descriptor(size) if descriptor is None else descriptor
        self.view = memoryview(mmap.mmap(self.descriptor, size))


def _new_descriptor(size: int) -> int:
    if sys.platform == "linux":
        descriptor = os.memfd_create("deviceflow")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor

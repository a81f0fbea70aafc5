"""The server, from its start to a clean stop."""

import gc
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import structlog

from deviceflow.config import Settings
from deviceflow.pages.demo import Demo
from deviceflow.pages.files import page_faults
from deviceflow.store.embedded import EmbeddedValkey
from deviceflow.supervisor.changes import RELOAD, UPGRADE, Changes
from deviceflow.supervisor.control import ControlRequest
from deviceflow.supervisor.core_dumps import forbid_core_dumps
from deviceflow.supervisor.descriptors import raise_limit, warn_if_few
from deviceflow.supervisor.errors import StartError, TrialError
from deviceflow.supervisor.fixed_settings import fixed_changes
from deviceflow.supervisor.generations import GRACE_S, Generations
from deviceflow.supervisor.handover import Handover, received_handover, take_over
from deviceflow.supervisor.pace_process import PaceProcess
from deviceflow.supervisor.prctl import forbid_inspection
from deviceflow.supervisor.premises import Premises, read_admin_tokens, read_secrets
from deviceflow.supervisor.signals import RELOADS, STOPS, UPGRADES, SignalPipe
from deviceflow.supervisor.systemd import Notifier
from deviceflow.supervisor.workers import Workers

log = structlog.get_logger()


class Supervisor:
    """The server, in this process and its children, until SIGTERM or SIGINT.

    `load` reads the settings again; it may raise ConfigError. Without it, they stay as they are.
    """

    def __init__(
        self,
        settings: Settings,
        demo: Demo | None = None,
        load: Callable[[], Settings] | None = None,
    ) -> None:
        self._settings = settings
        self._demo = demo
        self._load = load or (lambda: settings)
        self._signals = SignalPipe()
        self._notifier = Notifier(os.environ)
        self._is_announced = False
        self._stop_at: float | None = None
        self._premises: Premises
        self._generations: Generations
        self._changes: Changes
        self._pace: PaceProcess

    def run(self, ready: Callable[[Settings], None] | None = None) -> None:
        """Serve until a clean stop. Call `ready` when the server listens. May raise StartError."""
        handover = received_handover()
        if handover is not None and handover.role == "trial":
            _try_to_take_over(handover, self._settings)
            return
        if handover is None and (faults := page_faults(self._settings)):
            raise StartError("\ndeviceflow: ".join(faults))
        with ExitStack() as stack:
            self._open(handover, stack)
            _share_with_workers()
            settings = self._generations.context.settings
            if handover is not None:
                self._is_announced = True
                self._changes.resume(_asked_by(handover))
            else:
                self._generations.start()
            self._log_listening(settings)
            if ready:
                ready(settings)
            self._watch()
            self._stop()

    def _open(self, handover: Handover | None, stack: ExitStack) -> None:
        descriptors = raise_limit()
        if not self._settings.server.debuggable:
            forbid_core_dumps()
            forbid_inspection()
        handed = handover.premises if handover else None
        premises = self._premises = Premises(self._settings, handed, stack)
        # From here on, a signal to stop waits in the pipe: if it ended the process at once,
        # the embedded store would run on.
        stack.enter_context(self._signals.handled())
        premises.open_store(handed, stack)
        context = premises.context(self._settings, self._demo)
        premises.open_control(handed, stack)
        workers = Workers(premises.sockets, premises.board)
        for worker in handover.workers if handover else ():
            workers.adopt(take_over(worker))
        generation = handover.generation if handover else 1
        self._generations = Generations(workers, context, generation)
        self._pace = PaceProcess(context, workers)
        warn_if_few(descriptors, self._settings.device)
        self._changes = Changes(
            self._settings, self._load, premises, self._generations, self._notifier
        )

    def _watch(self) -> None:
        """Do what signals, workers and commands ask for, until it is time to stop."""
        while True:
            readable = self._wait()
            signals = self._signals.take()
            if signals & STOPS:
                self._plan_stop()
            if self._stop_at is not None and time.monotonic() >= self._stop_at:
                return
            self._premises.revive_store()
            self._look_after_workers()
            self._take_requests(signals, readable)
            self._generations.advance()
            self._pace.advance()
            self._announce()

    def _wait(self) -> set[int]:
        """Wait until something has happened or is due; return the readable descriptors."""
        waits = [
            self._generations.wait_s(),
            self._changes.wait_s(),
            self._premises.store_check_s(),
            self._pace.wait_s(),
        ]
        if self._stop_at is not None:
            waits.append(max(0.0, self._stop_at - time.monotonic()))
        if self._notifier.watchdog_s:
            waits.append(self._notifier.watchdog_s / 3)
        seconds = min((wait for wait in waits if wait is not None), default=None)
        lines = [process.line.fileno() for process in self._generations.workers]
        poll = select.poll()
        for descriptor in (self._signals.descriptor, *lines, *self._premises.control.descriptors()):
            poll.register(descriptor, select.POLLIN)
        # Round up, so that the thing that it waits for is due afterwards.
        ready = poll.poll(None if seconds is None else int(seconds * 1000) + 1)
        self._notifier.alive()
        return {descriptor for descriptor, _ in ready}

    def _look_after_workers(self) -> None:
        for process in self._generations.workers:
            process.hear()
        self._changes.look()
        for ended in self._generations.workers.reap():
            if not (
                self._changes.take(ended.pid, ended.status)
                or self._pace.take(ended.pid, ended.status)
            ):
                self._generations.take(ended)

    def _take_requests(self, signals: set[int], readable: set[int]) -> None:
        make_context = partial(self._premises.context, demo=self._demo)
        is_stopping = self._stop_at is not None
        if signals & RELOADS and not is_stopping:
            self._changes.begin(RELOAD, make_context)
        if signals & UPGRADES and not is_stopping:
            self._changes.begin(UPGRADE, make_context)
        for request in self._premises.control.take(readable):
            if is_stopping:
                request.answer(["the server is about to stop"])
            elif request.command in {RELOAD, UPGRADE}:
                self._changes.begin(request.command, make_context, request)
            else:
                request.answer([f"unknown command; expected {RELOAD} or {UPGRADE}"])

    def _announce(self) -> None:
        """Tell systemd, once all workers serve."""
        if not self._is_announced and self._generations.serves:
            self._is_announced = True
            self._notifier.ready(f"{len(self._generations.workers)} workers")

    def _plan_stop(self) -> None:
        """Stop at once, or after `lame_duck_s`; a second signal ends the wait."""
        lame_duck_s = self._generations.context.settings.server.lame_duck_s
        if self._stop_at is None and lame_duck_s:
            self._premises.board.stopping = True
            log.info("server.lame_duck", readiness="503", stops_in_s=lame_duck_s)
            self._stop_at = time.monotonic() + lame_duck_s
        else:
            self._stop_at = time.monotonic()

    def _stop(self) -> None:
        log.info("server.stopping")
        self._notifier.stopping()
        self._pace.stop()
        self._premises.board.stopping = True
        self._premises.stop_listening()
        workers = self._generations.workers
        workers.signal(signal.SIGTERM)
        shutdown_s = self._generations.context.settings.server.shutdown_s
        deadline = time.monotonic() + shutdown_s + GRACE_S
        workers.reap()
        while len(workers) and time.monotonic() < deadline:
            self._signals.wait(timeout_s=0.1)
            workers.reap()
        workers.signal(signal.SIGKILL)
        log.info("server.stopped")

    def _log_listening(self, settings: Settings) -> None:
        server = settings.server
        log.info(
            "server.listening",
            address=msgspec.structs.replace(settings, issuer=None).issuer_url,
            issuer=settings.issuer_url,
            admin=f"http://{server.admin_host}:{server.admin_port}",
            workers=server.workers,
            store=_kind(settings.redis.url),
            store_at=self._premises.store_location(),
        )


def _try_to_take_over(handover: Handover, settings: Settings) -> None:
    """Find out whether this program could take over. May raise TrialError with the reasons."""
    try:
        _find_problems(handover, settings)
    except StartError as error:
        raise TrialError(str(error)) from error


def _find_problems(handover: Handover, settings: Settings) -> None:
    problems = [*fixed_changes(handover.fixed, settings), *page_faults(settings)]
    if problems:
        raise StartError("\ndeviceflow: ".join(problems))
    url = settings.redis.url or EmbeddedValkey(Path(settings.server.data_dir)).url
    read_secrets(settings, url)
    read_admin_tokens(settings)


def _share_with_workers() -> None:
    """Keep Python's garbage collector from what there is before the first worker is forked.

    The collector writes into every object that it looks at, and a page that is written is a
    worker's own from then on: 25 MiB in each worker (docs/decisions/0056).
    """
    gc.collect()
    gc.freeze()


def _asked_by(handover: Handover) -> ControlRequest | None:
    if handover.asked is None:
        return None
    return ControlRequest(UPGRADE, socket.socket(fileno=handover.asked))


def _kind(redis_url: str | None) -> str:
    return redis_url.partition(":")[0] if redis_url else "embedded"

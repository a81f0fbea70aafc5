"""Reload and upgrade: the checks before them, and the answer to the command.

A reload keeps the program: the supervisor reads the settings and the files of the pages again, and
has a new generation of workers take over. An upgrade replaces the program of the supervisor first:
a child tries the new one (trial.py), which then takes over this process (handover.py). The rest is
the same. In both cases, either everything changes or nothing.
"""

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Literal

import structlog

from deviceflow.config import ConfigError, Settings
from deviceflow.pages.files import page_faults
from deviceflow.supervisor.auditing import record_change
from deviceflow.supervisor.control import ControlRequest
from deviceflow.supervisor.errors import ChangeRefused, StartError
from deviceflow.supervisor.fixed_settings import fingerprints, fixed_changes
from deviceflow.supervisor.generations import Generations
from deviceflow.supervisor.handover import Handover, hand, set_inheritable
from deviceflow.supervisor.premises import Premises
from deviceflow.supervisor.signals import HANDLED
from deviceflow.supervisor.systemd import Notifier
from deviceflow.supervisor.trial import Trial, program
from deviceflow.worker import WorkerContext

RELOAD = "reload"
UPGRADE = "upgrade"

MakeContext = Callable[[Settings], WorkerContext]
"""Makes the context of workers with other settings. May raise StartError."""

log = structlog.get_logger()


class Changes:
    """The reload or upgrade of a server that is under way, if any.

    `settings`: as they were read, so a port of 0 stays 0.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        premises: Premises,
        generations: Generations,
        notifier: Notifier,
    ) -> None:
        self._settings = settings
        self._load = load
        self._premises = premises
        self._generations = generations
        self._notifier = notifier
        self._request: ControlRequest | None = None
        self._trial: Trial | None = None

    def wait_s(self) -> float | None:
        """Return the time until something is due, in s."""
        return self._trial.wait_s() if self._trial else None

    def begin(
        self, name: str, make_context: MakeContext, request: ControlRequest | None = None
    ) -> None:
        """Begin a reload or an upgrade, and answer `request` when it has ended or is refused."""
        if self._trial or self._generations.change:
            log.warning("server.change_ignored", change=name, reason="another one is under way")
            if request is not None:
                request.answer(["another reload or upgrade is under way; try again"])
            return
        self._request = request
        self._notifier.reloading(name)
        try:
            if name == UPGRADE:
                self._trial = Trial(self._handover("trial"))
            else:
                self._reload(make_context)
        except ChangeRefused as refused:
            self._refuse(name, refused)

    def resume(self, request: ControlRequest | None) -> None:
        """Go on with the upgrade that the program before this one began."""
        self._request = request
        self._generations.begin(UPGRADE, self._generations.context, partial(self._end, UPGRADE))

    def look(self) -> None:
        """Kill a trial that takes too long."""
        if self._trial is not None:
            self._trial.end_if_late()

    def take(self, pid: int, status: int) -> bool:
        """Note that a child has ended; return whether it was the trial."""
        trial = self._trial
        if trial is None or pid != trial.pid:
            return False
        self._trial = None
        try:
            trial.check(status)
            self._replace_program()
        except ChangeRefused as refused:
            self._refuse(UPGRADE, refused)
        return True

    def _reload(self, make_context: MakeContext) -> None:
        try:
            settings = self._load()
        except ConfigError as error:
            raise ChangeRefused(*error.problems) from error
        if problems := [
            *fixed_changes(fingerprints(self._settings), settings),
            *page_faults(settings),
        ]:
            raise ChangeRefused(*problems)
        try:
            context = make_context(settings)
        except StartError as error:
            raise ChangeRefused(str(error)) from error

        def end(problems: list[str]) -> None:
            if not problems:
                self._settings = settings
            self._end(RELOAD, problems)

        self._generations.begin(RELOAD, context, end)

    def _refuse(self, name: str, refused: ChangeRefused) -> None:
        consequence = "nothing changed"
        log.error(
            "server.change_refused", change=name, reason=str(refused), consequence=consequence
        )
        self._end(name, list(refused.lines))

    def _end(self, name: str, problems: list[str]) -> None:
        connection = self._request.connection if self._request else None
        record_change(self._settings, name, problems, connection)
        self._notifier.ready(f"{len(self._generations.workers.sockets)} workers")
        if self._request is not None:
            self._request.answer(problems)
            self._request = None

    def _handover(self, role: Literal["trial", "successor"]) -> Handover:
        return Handover(
            role=role,
            fixed=fingerprints(self._settings),
            generation=self._generations.generation,
            workers=[hand(process) for process in self._generations.workers],
            asked=self._request.connection.fileno() if self._request else None,
            premises=self._premises.hand(),
        )

    def _replace_program(self) -> None:
        """Become the new program. May raise ChangeRefused; otherwise it does not return."""
        handover = self._handover("successor")
        file, arguments = program()
        log.info("server.replacing_program", program=file)
        # From here until the new program has its handlers, a signal waits in the kernel.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        set_inheritable(handover.descriptors(), inheritable=True)
        environment = handover.environment()
        try:
            os.execve(file, arguments, environment)  # noqa: S606, the command that started this
        except OSError as error:
            handover.close(environment)
            set_inheritable(handover.descriptors(), inheritable=False)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            raise ChangeRefused(f"cannot run {file}: {error.strerror}") from error

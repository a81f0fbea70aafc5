"""The sinks that the settings name."""

from dataclasses import dataclass, replace
from pathlib import Path

from deviceflow.audit.file_sink import FileSink
from deviceflow.audit.outlet import Outlet, Sink
from deviceflow.audit.security_event_sink import PUSH_TIMEOUT_S, SecurityEventSink, SignEvent
from deviceflow.audit.security_event_token import TOLD_EVENTS
from deviceflow.audit.stdout_sink import StdoutSink
from deviceflow.audit.webhook_sink import WebhookSink
from deviceflow.config import Settings
from deviceflow.core.clock import Clock
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.webhook import Webhook, bearer

AUDIT_FILE = "audit.jsonl"


@dataclass(frozen=True, kw_only=True)
class AuditSinks:
    """The sinks of one process. `file`: that one of them that other processes share, if any.

    `security_events`: the receiver of security event tokens, if the settings name one.
    """

    sinks: tuple[Sink, ...]
    file: FileSink | None
    security_events: SecurityEventSink | None = None

    def outlets(self, recorder: Recorder) -> list[Outlet]:
        """Make a queue for each sink."""
        outlets = [Outlet(sink=sink, recorder=recorder) for sink in self.sinks]
        if self.security_events is not None:
            told = Outlet(
                sink=self.security_events, recorder=recorder, events=TOLD_EVENTS, batch_lines=1
            )
            outlets.append(told)
        return outlets

    def without(self, name: str) -> "AuditSinks":
        """Return the other sinks."""
        others = tuple(sink for sink in self.sinks if sink.name != name)
        return replace(self, sinks=others, file=None if name == "file" else self.file)

    def append(self, text: bytes) -> None:
        """Write lines to the file and to standard output, at once. May raise OSError."""
        if self.file is not None:
            self.file.append(text)
            self.file.close()
        for sink in self.sinks:
            if isinstance(sink, StdoutSink):
                sink.append(text)

    def last_place(self) -> str:
        """Return the place of the newest line in the file, empty if there is none."""
        return self.file.last_place() if self.file else ""


def audit_file(settings: Settings) -> Path | None:
    """Return the path of the file; None if there is none."""
    audit = settings.audit
    if "file" not in audit.sinks:
        return None
    return Path(audit.file) if audit.file else Path(settings.server.data_dir) / AUDIT_FILE


def open_sinks(settings: Settings, clock: Clock, sign: SignEvent | None = None) -> AuditSinks:
    """Make the sinks. Without `sign`, no security event tokens are sent."""
    audit, sinks, file = settings.audit, list[Sink](), None
    if path := audit_file(settings):
        file = FileSink(path, audit.max_file_bytes, audit.files_kept)
        sinks.append(file)
    if "stdout" in audit.sinks:
        sinks.append(StdoutSink())
    if audit.webhook_url and audit.webhook_secret:
        sinks.append(WebhookSink(audit.webhook_url, audit.webhook_secret, clock))
    told = _security_event_sink(settings, sign) if sign else None
    return AuditSinks(sinks=tuple(sinks), file=file, security_events=told)


def _security_event_sink(settings: Settings, sign: SignEvent) -> SecurityEventSink | None:
    to = settings.security_events
    if not (to.url and to.audience):
        return None
    receiver = Webhook(url=to.url, proof=bearer(to.bearer_token), timeout_s=PUSH_TIMEOUT_S)
    return SecurityEventSink(receiver, settings.issuer_url, to.audience, sign)

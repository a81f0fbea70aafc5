"""What commands record in the audit of this host."""

import time
from typing import Unpack

import click

from deviceflow.audit.events import Facts, SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.audit.opening import AuditSinks, open_sinks
from deviceflow.audit.system_user import system_user
from deviceflow.config import Settings
from deviceflow.ops.metrics.recorder import Recorder
from deviceflow.reload import open_signing_keys
from deviceflow.signing.signer import Signer
from deviceflow.store.connection import Connection
from deviceflow.store.opening import open_installation


async def record_command(settings: Settings, event: SecurityEvent, **facts: Unpack[Facts]) -> None:
    """Record what a user of this system has changed, as a chain of its own: start, event, end.

    Nothing goes to standard output, which is for the command's results. A host that only reaches
    the store has no folder for the file; none is made there.
    """
    await _record(settings, open_sinks(settings, time.time), event, facts)


async def record_ended_access(
    settings: Settings, connection: Connection, event: SecurityEvent, **facts: Unpack[Facts]
) -> None:
    """Record what ended access, and send the security event token about it.

    The keys of the store sign it. May raise StoreUnavailable.
    """
    sign = None
    if settings.security_events.url is not None:
        installation = await open_installation(settings, connection)
        keys = await open_signing_keys(settings, connection, installation, time.time).live_keys()
        sign = Signer(keys, settings.tokens.algorithm, time.time).sign
    await _record(settings, open_sinks(settings, time.time, sign), event, facts)


async def _record(
    settings: Settings, sinks: AuditSinks, event: SecurityEvent, facts: Facts
) -> None:
    sinks = sinks.without("stdout")
    folder = sinks.file.folder if sinks.file else None
    if folder is not None and settings.redis.url and not folder.exists():
        sinks = sinks.without("file")
        note = f"{folder} is not here; run commands on a host of the server"
        click.echo(f"this change is not in the audit file: {note}", err=True)
    audit = Audit(recorder=Recorder.alone(), process="command")
    async with audit.open(sinks.outlets(audit.recorder), sinks.last_place()):
        facts["by"] = system_user()
        audit.record(event, **facts)

"""What commands record in the audit of this host."""

import time
from typing import Unpack

import click

from deviceflow.audit.events import Facts, SecurityEvent
from deviceflow.audit.journal import Audit
from deviceflow.audit.opening import open_sinks
from deviceflow.audit.system_user import system_user
from deviceflow.config import Settings
from deviceflow.ops.metrics.recorder import Recorder


async def record_command(settings: Settings, event: SecurityEvent, **facts: Unpack[Facts]) -> None:
    """Record what a user of this system has changed, as a chain of its own: start, event, end.

    Nothing goes to standard output, which is for the command's results. A host that only reaches
    the store has no folder for the file; none is made there.
    """
    sinks = open_sinks(settings, time.time).without("stdout")
    folder = sinks.file.folder if sinks.file else None
    if folder is not None and settings.redis.url and not folder.exists():
        sinks = sinks.without("file")
        note = f"{folder} is not here; run commands on a host of the server"
        click.echo(f"this change is not in the audit file: {note}", err=True)
    audit = Audit(recorder=Recorder.alone(), process="command")
    async with audit.open(sinks.outlets(audit.recorder), sinks.last_place()):
        facts["by"] = system_user()
        audit.record(event, **facts)

"""Traces: one for each grant, from the device's request to its tokens, over all processes.

A span is made from each log event that names a grant (`grant`): `grant.issued`, `grant.decided`,
`grant.redeemed` and so on. It lasts from the beginning of the request that caused the event. The
id of the trace, and that of its root, are derived from the grant's name in the log. So each worker
of each host knows them, nothing is stored, and a trace is found by the name in the log.

Needs the extra `deviceflow[otel]`. Only a worker imports this module, and only if
`tracing.enabled`. OpenTelemetry's own variables (OTEL_*) say where the spans go.
"""

import os
import time
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

from deviceflow import __version__
from deviceflow.ops.request_id import request_began_ns

ROOT_EVENT = "grant.issued"
"""The event that makes the root of a trace."""

_ATTRIBUTES = ("grant", "client_id", "wanted", "outcome", "reason", "request_id")
"""The fields of events that spans have. Names of people and addresses stay in the log."""


def trace_id_of(grant: str) -> int:
    """Return the id of the trace of a grant, from the grant's name in the log."""
    return int.from_bytes(blake2b(grant.encode(), digest_size=16, person=b"df-trace").digest())


def root_id_of(grant: str) -> int:
    """Return the id of the root span of that trace."""
    return int.from_bytes(blake2b(grant.encode(), digest_size=8, person=b"df-root").digest())


class GrantTraces:
    """Makes spans from events, in one worker. `processor`: where they go, by default OTLP."""

    def __init__(self, processor: SpanProcessor | None = None) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create(_resource()),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("deviceflow", __version__)

    def note(self, event: Mapping[str, Any]) -> None:
        """Make a span if the event is about a grant."""
        grant = event.get("grant")
        if not isinstance(grant, str):
            return
        name = str(event["event"])
        root = SpanContext(
            trace_id_of(grant), root_id_of(grant), is_remote=True, trace_flags=TraceFlags(1)
        )
        is_root = name == ROOT_EVENT
        self._ids.root = root if is_root else None
        span = self._tracer.start_span(
            name,
            context=None if is_root else set_span_in_context(NonRecordingSpan(root)),
            kind=SpanKind.SERVER,
            attributes={
                f"deviceflow.{key}": str(event[key]) for key in _ATTRIBUTES if event.get(key)
            },
            start_time=request_began_ns() or time.time_ns(),
        )
        self._ids.root = None
        span.end()

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


def _resource() -> dict[str, str]:
    """Return what the spans come from. The operator may give it another name."""
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "deviceflow"}
    return {"service.version": __version__, **named}


class _Ids(IdGenerator):
    """Random ids, but for the root of a trace."""

    def __init__(self) -> None:
        self.root: SpanContext | None = None
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        """Return the id of a new trace."""
        return self.root.trace_id if self.root else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        """Return the id of a new span."""
        return self.root.span_id if self.root else self._random.generate_span_id()

    def is_trace_id_random(self) -> bool:
        """Return that ids are spread evenly, as a sampler by ratio needs it."""
        return True

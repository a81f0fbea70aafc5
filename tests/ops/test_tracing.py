"""Traces: what becomes of events about a grant."""

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deviceflow.ops.tracing import GrantTraces, root_id_of, trace_id_of


class Worker:
    """One process that makes spans."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.traces = GrantTraces(SimpleSpanProcessor(self._exporter))

    def note(self, event: str, **fields: Any) -> None:  # noqa: ANN401, as events have them
        self.traces.note({"event": event, **fields})

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()


def test_the_spans_of_a_grant_are_one_trace_whichever_process_makes_them() -> None:
    first, second = Worker(), Worker()
    first.note("grant.issued", grant="AbCdEf0123", client_id="tv")
    second.note("grant.decided", grant="AbCdEf0123", wanted="approve", outcome="changed")
    first.note("grant.redeemed", grant="AbCdEf0123", client_id="tv")
    root, redeemed = first.spans
    (decided,) = second.spans
    assert root.context.trace_id == trace_id_of("AbCdEf0123")
    assert root.context.span_id == root_id_of("AbCdEf0123")
    assert root.parent is None
    for span in (decided, redeemed):
        assert span.context.trace_id == root.context.trace_id
        assert span.parent is not None
        assert span.parent.span_id == root.context.span_id
    ids = {span.context.span_id for span in (root, decided, redeemed)}
    assert len(ids) == 3


def test_two_grants_are_two_traces() -> None:
    worker = Worker()
    for name in ("AbCdEf0123", "AbCdEf0124"):
        worker.note("grant.issued", grant=name)
    first, second = worker.spans
    assert first.context.trace_id != second.context.trace_id


@pytest.mark.parametrize(
    "event", [{"event": "store.refuses", "reason": "OOM"}, {"event": "x.y", "grant": None}]
)
def test_other_events_make_no_span(event: dict[str, Any]) -> None:
    worker = Worker()
    worker.traces.note(event)
    assert worker.spans == ()


def test_spans_say_neither_who_nor_where() -> None:
    worker = Worker()
    fields = {"grant": "AbCdEf0123", "client_id": "tv"}
    worker.note("grant.redeemed", **fields, sub="ada", address="192.0.2.1")
    (span,) = worker.spans
    assert dict(span.attributes or {}) == {
        "deviceflow.grant": "AbCdEf0123",
        "deviceflow.client_id": "tv",
    }

"""A grant's trace at a collector: from the device's request to its tokens, over two workers."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deviceflow.ops.tracing import trace_id_of
from tests.stage.process import MakeProgram
from tests.stage.waiting import until_outside
from tests.stage.wire import Browser, Device


class Collector(HTTPServer):
    """Receives what OpenTelemetry sends over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.spans: list[Span] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_one_trace_from_start_to_tokens(make_program: MakeProgram, collector: Collector) -> None:
    variables = {
        "DEVICEFLOW_TRACING_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    program = make_program("--workers", "2", variables=variables)
    tv = Device(program).authorize()
    Browser(program).decide(tv.user_code, "approve")
    assert tv.wait() == "tokens"
    until_outside(lambda: len(collector.spans) >= 3)
    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {"grant.issued", "grant.decided", "grant.redeemed"}
    name = program.wait_for("grant.issued")["grant"]
    assert {span.trace_id for span in spans.values()} == {trace_id_of(name).to_bytes(16)}
    root = spans["grant.issued"]
    assert root.parent_span_id == b""
    assert spans["grant.decided"].parent_span_id == root.span_id
    assert spans["grant.redeemed"].parent_span_id == root.span_id
    for span in spans.values():
        assert 0 < span.start_time_unix_nano < span.end_time_unix_nano
    assert program.stop() == 0

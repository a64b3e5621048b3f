"""A receiver of OTLP over HTTP that stores spans and metrics in full, with their resource, decoded with OpenTelemetry's
own definitions. It forwards spans, so that it can stand between a collector and a backend."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def value(any_value):
    kind = any_value.WhichOneof("value")
    return None if kind is None else getattr(any_value, kind)


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


class Receiver:
    """Listens while the context is active; `spans` and `metrics` are growing lists of dictionaries. `onward` is the
    endpoint to which spans are forwarded."""

    def __init__(self, onward=None):
        self.spans, self.metrics = [], []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = sent = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/metrics":
                    receiver.take_metrics(ExportMetricsServiceRequest.FromString(body))
                elif self.path == "/v1/traces":
                    receiver.take(ExportTraceServiceRequest.FromString(body))
                if onward and self.path == "/v1/traces":
                    headers = {name: self.headers[name] for name in ("Content-Type", "Content-Encoding") if self.headers[name]}
                    urlopen(Request(f"{onward}/v1/traces", data=sent, headers=headers), timeout=10).close()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, request):
        for group in request.resource_spans:
            resource = attributes(group.resource.attributes)
            for scoped in group.scope_spans:
                for span in scoped.spans:
                    self.spans.append(
                        {
                            "name": span.name,
                            "trace": span.trace_id.hex(),
                            "id": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "kind": span.kind,
                            "start": span.start_time_unix_nano,
                            "attributes": attributes(span.attributes),
                            "links": [link.span_id.hex() for link in span.links],
                            "resource": resource,
                            "scope": scoped.scope.name,
                        }
                    )

    def take_metrics(self, request):
        for group in request.resource_metrics:
            for metric in (metric for scoped in group.scope_metrics for metric in scoped.metrics):
                data = metric.WhichOneof("data")
                points = getattr(metric, data).data_points
                kind = data
                if data == "sum":
                    kind = "counter" if metric.sum.is_monotonic else "up-down counter"
                names = {pair.key for point in points for pair in point.attributes}
                self.metrics.append(
                    {"name": metric.name, "kind": kind, "unit": metric.unit, "attributes": names}
                )

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

"""Runs the workbook and the alerts on spans of the real handler, for a free disk and a temporarily locked one, under a
local Azure: checks that the spans have the parents that the queries expect."""

import json
import os
import ssl
import sys
from datetime import datetime, timezone
from pathlib import Path
from urllib.request import Request, urlopen

sys.path.append(str(Path(__file__).parents[1] / "judges"))

from opentelemetry.proto.trace.v1.trace_pb2 import Status

import otlp
from alerts import fires
from judge import SUBSCRIPTION, emulator, resource, soon
from night import Checks, Night, monitoring
from workbook import PARAMETERS, read

BODY = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8}}


class Receiver(otlp.Receiver):
    """Stores spans as rows of Azure Monitor's table."""

    def __init__(self):
        self.rows = []
        super().__init__()

    def take(self, request):
        for span in (span for group in request.resource_spans for scoped in group.scope_spans for span in scoped.spans):
            begin = datetime.fromtimestamp(span.start_time_unix_nano / 1e9, timezone.utc)
            self.rows.append(
                {
                    "TimeGenerated": begin.replace(tzinfo=None),
                    "Name": span.name,
                    "DurationMs": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
                    "Success": span.status.code != Status.STATUS_CODE_ERROR,
                    "Attributes": json.dumps(otlp.attributes(span.attributes)),
                    "TraceId": span.trace_id.hex(),
                    "SpanId": span.span_id.hex(),
                    "ParentSpanId": span.parent_span_id.hex(),
                }
            )

    def of(self, name):
        """How many spans have this name."""
        return sum(row["Name"] == name for row in self.rows)


def send(method, url, body, headers=(), context=None):
    """Sends a request with JSON, and returns the response."""
    headers = {"Content-Type": "application/json", **dict(headers)}
    with urlopen(Request(url, json.dumps(body).encode(), headers, method=method), timeout=60, context=context) as answer:
        return answer.read()


def day(root):
    """Two disks and a sweep; the handler's spans."""
    with Receiver() as receiver:
        settings = [f"OTEL_EXPORTER_OTLP_ENDPOINT={receiver.endpoint}", "OTEL_BSP_SCHEDULE_DELAY=50"]
        os.environ["APP"] = str(Path(root).resolve())
        with emulator("--subscription", SUBSCRIPTION, "--retry-after", "1", handler=True, settings=settings) as azure:
            locked = {"action": {"refuse": "scopeLocked"}, "kind": "patch", "resource": "locked"}
            send("POST", f"{azure['controlUrl']}/faults", locked)
            trusted = ssl.create_default_context(cafile=azure["caPem"])
            for name in ("free", "locked"):
                url = f"{azure['armHttps']}{resource('disks', name)}?api-version=2024-03-02"
                send("PUT", url, BODY, {"Authorization": f"Bearer {azure['userToken']}"}, trusted)
            # Both are sealed, and the queue's invocation has ended.
            soon(lambda: (receiver.of("enforce"), receiver.of("seal_queued")), lambda found: found == (3, 1))
            send("POST", f"{azure['controlUrl']}/timer/sweep", None)
            soon(lambda: receiver.of("sweep"), bool)
        return receiver.rows


def main(root):
    """Checks the items of that day."""
    checks = Checks()
    night = Night({"OTelSpans": day(root)})
    schema = monitoring(root, "schema.json")
    items = {item["name"]: item for item in monitoring(root, "workbook.json")["items"] if item["type"] == 3}
    alerts = {alert["name"]: alert for alert in monitoring(root, "alerts.json")}
    disk = resource("disks", "locked")
    PARAMETERS.update(
        Disk=disk, Trace=next((row["TraceId"] for row in night.rows["OTelSpans"] if row["Name"] == "seal_queued"), "")
    )
    by_hand = {("by its event", 1, 1), ("by the queue, after its event", 1, 2)}
    looks = {("seal_on_write", "pending", "locked"), ("seal_queued", "sealed", "")}
    told = [
        ("outcomes", ("Outcome", "Looks"), {("pending", 1), ("sealed", 2)}),
        ("time-to-seal-how", ("How", "Resources"), {row[:2] for row in by_hand}),
        ("longest", ("How", "Looks"), {(how, count) for how, _, count in by_hand}),
        ("reasons", ("Outcome", "Reason", "Resources", "Looks"), {("pending", "locked", 1, 1)}),
        ("pending", ("Resource",), set()),
        ("looks", ("Function", "Outcome", "Reason"), looks),
    ]
    for name, columns, expected in told:
        checks.same(f"workbook {name}, of the real handler", expected, read, items[name], schema, night, columns)
    checks.same("workbook parts, of the real handler: none is negative", set(), negative, items, schema, night)
    checks.same("workbook trace, of the real handler: one root", {"seal_on_write"}, roots, items, schema, night)
    for name in ("free", "locked"):
        night.add("AzureActivity", 60, CategoryValue="Administrative", OperationNameValue="MICROSOFT.COMPUTE/DISKS/WRITE",
                  ActivityStatusValue="Success", SubscriptionId=SUBSCRIPTION, _ResourceId=resource("disks", name).lower())  # fmt: skip
    night.host("seal_on_write")
    for name in ("failing", "slow", "blind", "silent", "sweep-missing"):
        checks.same(f"alert {name} is quiet, of the real handler", False, fires, alerts[name], schema, night)
    sys.exit(checks.faults > 0)


def negative(items, schema, night):
    """The parts of a seal with a negative duration."""
    return {row for row in read(items["parts"], schema, night, ("Who", "p50")) if row[1] < 0}


def roots(items, schema, night):
    """The spans of the trace without a parent."""
    return {name for name, parent in read(items["trace"], schema, night, ("Name", "ParentSpanId")) if parent == ""}


if __name__ == "__main__":
    main(sys.argv[1])

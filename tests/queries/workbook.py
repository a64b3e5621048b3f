"""Runs the workbook's queries on test data, and checks the results."""

import re
import sys
from datetime import timedelta

from night import NOW, Checks, Night, ask, disk, monitoring

SEALED = "AzureActiveDirectory"
SOON = (NOW + timedelta(days=10)).date()
LATER = (NOW + timedelta(days=100)).date()

ESTATE = (
    Night()
    .resource("a", mode=SEALED)
    .resource("b")
    .resource("c", exemption=f"until={SOON}; INC-1")
    .resource("d", exemption=f"until={LATER}; INC-2")
    .resource("s", "snapshots", SEALED)
)


def waited():
    """A disk that was locked at its event, and sealed by the queue ten minutes later, in one trace."""
    night = Night()
    locked = {"diskseal.resource_id": disk("w"), "diskseal.outcome": "pending", "diskseal.reason": "locked"}
    told = {"diskseal.event_age_seconds": 2.0, "cloudevents.event_subject": disk("w")}
    event = night.span("seal_on_write", 40, 3000, told, "t", "host")
    night.span("enforce", 40, 3000, locked, "t", event, success=False)
    message = night.span("seal_queued", 30, 3000, {}, "t", event)
    night.span("enforce", 30, 3000, {"diskseal.resource_id": disk("w"), "diskseal.outcome": "sealed"}, "t", message)
    return night


def divided():
    """A seal of ten seconds: two in Event Grid, one in the host, and seven in the handler, three of them for responses
    and two for a wait. The host's requests are the webhook and, below it, the Event Grid extension's processing. The
    parent of the handler's span is the span of the host's request to it, a dependency."""
    night = Night()
    night.add("AppRequests", 30 + 1 / 60, OperationId="t")
    night.add("AppRequests", 30 + 0.8 / 60, OperationId="t")
    night.add("AppRequests", 40, OperationId="of another event")
    event = night.span("seal_on_write", 30, 7000, {"diskseal.event_age_seconds": 3.0, "faas.coldstart": True}, "t", "POST")
    look = night.span("enforce", 30, 7000, {"diskseal.resource_id": disk("x"), "diskseal.outcome": "sealed"}, "t", event)
    night.span("wait for operation", 30, 2000, {"diskseal.wait.for": "operation"}, "t", look)
    return night.request("t", look, 1000).request("t", look, 2000, 429)


SWEPT = Night().sweep().look("q", "sealed", age=None, function="seal_queued")
CASES = [
    # Item, scenario, night, expected rows and their columns.
    ("coverage", "the estate", ESTATE, {("disks", 0.25, 1, 3), ("snapshots", 1.0, 1, 0)}, ("Kind", "Coverage", "Sealed", "Unsealed")),
    (
        "open",
        "the estate",
        ESTATE,
        {(disk("b"), ""), (disk("c"), f"until={SOON}; INC-1"), (disk("d"), f"until={LATER}; INC-2")},
        ("id", "Exemption"),
    ),
    ("exemptions", "the estate", ESTATE, {(disk("c"),)}, ("id",)),
    (
        "life",
        "a sweep, and a look of the queue",
        SWEPT,
        {("sweep", 1, 0), ("seal_queued", 1, 0)},
        ("Function", "Invocations", "Failed"),
    ),
    ("outcomes", "one was locked, and sealed later", waited(), {("pending", 1), ("sealed", 1)}, ("Outcome", "Looks")),
    ("time-to-seal", "by the queue alone", waited(), set(), ("p50",)),
    (
        "time-to-seal",
        "two seconds of Event Grid and three of work",
        Night().looks(3, "sealed"),
        {(5.0, 5.0, 5.0)},
        ("p50", "p95", "p99"),
    ),
    ("time-to-seal-how", "by the queue", waited(), {("by the queue, after its event", 1, 605.0)}, ("How", "Resources", "p50")),
    ("time-to-seal-how", "by a sweep", SWEPT, {("found by a sweep", 1, 3.0)}, ("How", "Resources", "p50")),
    ("time-to-seal-how", "by its event", Night().looks(3, "sealed"), {("by its event", 3, 5.0)}, ("How", "Resources", "p50")),
    ("longest", "by the queue", waited(), {(disk("w").lower(), 605.0, 2)}, ("Resource", "Seconds", "Looks")),
    ("reasons", "one was locked", waited(), {("pending", "locked", 1, 1)}, ("Outcome", "Reason", "Resources", "Looks")),
    ("pending", "it was sealed later", waited(), set(), ("Resource",)),
    (
        "pending",
        "one is locked, one fails",
        Night().look("l", "pending", reason="locked").look("f", "failed", reason="no_token").look("s", "sealed"),
        {(disk("l").lower(), "pending", "locked"), (disk("f").lower(), "failed", "no_token")},
        ("Resource", "Outcome", "Reason"),
    ),
    (
        "parts",
        "a seal of ten seconds",
        divided(),
        {
            ("1. Event Grid", 2.0),
            ("2. Functions host", 1.0),
            ("3. Resource Manager", 3.0),
            ("4. Waits", 2.0),
            ("5. Diskseal", 2.0),
        },
        ("Who", "p50"),
    ),
    (
        "parts",
        "a seal whose host exports nothing",
        Night().looks(1, "sealed"),
        {
            ("1. Event Grid", 2.0),
            ("2. Functions host", 0.0),
            ("3. Resource Manager", 0.0),
            ("4. Waits", 0.0),
            ("5. Diskseal", 3.0),
        },
        ("Who", "p50"),
    ),
    ("calls", "a seal of ten seconds", divided(), {("GET /disks/{name}", 2, 1, 1)}, ("Call", "Attempts", "Throttled", "Failed")),
    ("waits", "a seal of ten seconds", divided(), {("wait for operation", 1, 2.0)}, ("What", "Waits", "Seconds")),
    ("cold", "a cold start", divided(), {(1, 0)}, ("Cold", "Warm")),
    ("throttled", "one answer of 429", divided(), {("GET /disks/{name}", 1)}, ("Call", "Answers")),
    ("dead-letters", "three", Night().event_grid("DeadLetteredCount", 3), {("DeadLetteredCount", 3.0)}, ("MetricName", "Events")),
    ("poison", "one", Night().put("diskseal-pending-poison").put("diskseal-pending"), {(1,)}, ("Resources",)),
    (
        "looks",
        "a disk that was locked",
        waited(),
        {("seal_on_write", "pending", "locked"), ("seal_queued", "sealed", "")},
        ("Function", "Outcome", "Reason"),
    ),
    (
        "trace",
        "a disk that was locked",
        waited(),
        {
            ("seal_on_write", "", "s1", ""),
            ("enforce", "pending", "s2", "s1"),
            ("seal_queued", "", "s3", "s1"),
            ("enforce", "sealed", "s4", "s3"),
        },
        ("Name", "Outcome", "SpanId", "ParentSpanId"),
    ),
    (
        "writes",
        "a disk that was written",
        Night().write("w", 30).write("v", 30),
        {("MICROSOFT.COMPUTE/DISKS/WRITE", "Success")},
        ("OperationNameValue", "ActivityStatusValue"),
    ),
]
PARAMETERS = {"TimeRange:grain": "1d", "ExemptTag": "diskseal-exempt", "Disk": f" {disk('w')} ", "Trace": "t"}


def read(item, schema, night, columns):
    """The rows of an item."""
    query = re.sub(r"\{([A-Z][\w:]*)\}", lambda match: PARAMETERS[match[1]], item["content"]["query"])
    return {tuple(rounded(row[column]) for column in columns) for row in ask(night, schema, query)}


def runs(item, schema):
    """Whether the query runs without data, as on the first day."""
    return isinstance(read(item, schema, Night(), ()), set)


def rounded(value):
    """Rounds times to milliseconds."""
    return round(value, 3) if isinstance(value, float) else value


def main(root, only=None):
    """Runs every case, and every query without data."""
    checks = Checks()
    schema = monitoring(root, "schema.json")
    items = {item["name"]: item for item in monitoring(root, "workbook.json")["items"] if item["type"] == 3}
    for name, what, night, expected, columns in CASES:
        if only not in (None, name):
            continue
        checks.same(f"workbook {name}: {what}", expected, read, items[name], schema, night, columns)
    for name, item in items.items():
        if only not in (None, name):
            continue
        checks.same(f"workbook {name} runs on an empty workspace", True, runs, item, schema)
    sys.exit(checks.faults > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

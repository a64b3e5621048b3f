"""Nights: test data for the workspace, and queries over it.

DuckDB runs the unchanged queries through duckdb-kql, on tables of the schema.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import duckdb_kql

TYPES = {"string": "VARCHAR", "datetime": "TIMESTAMP", "real": "DOUBLE", "bool": "BOOLEAN", "dynamic": "JSON"}
NOW = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
# The words of the handler's lines that alerts look for; check.js compares them with the code.
REMOVED = {
    "sealed": "its seal had been removed",
    "would_seal": "its seal was removed",
    "pending": "its seal was removed repeatedly; the next write is due in 30 s",
}
MISSED = "it is new, and no event had sealed it"
UNSURE = "Diskseal cannot read whether a vault protects it"
TRACES = ("OTelSpans", "OTelLogs")
SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"


def disk(name):
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/disks/{name}"


@dataclass
class Night:
    """The rows of the workspace, by table."""

    rows: dict = field(default_factory=dict)
    spans: int = 0

    def add(self, table, minutes_ago, **columns):
        """Adds a row that is this many minutes old."""
        at = NOW - timedelta(minutes=minutes_ago)
        self.rows.setdefault(table, []).append({"TimeGenerated": at, **columns})
        return self

    def span(self, name, minutes_ago, ms, attributes, trace, parent=None, success=True):
        """Adds a span; returns its ID."""
        self.spans += 1
        self.add(
            "OTelSpans",
            minutes_ago,
            Name=name,
            DurationMs=ms,
            Success=success,
            Attributes=json.dumps(attributes),
            TraceId=trace,
            SpanId=f"s{self.spans}",
            ParentSpanId=parent,
        )
        return f"s{self.spans}"

    def look(self, name, outcome, minutes_ago=30, reason=None, seconds=3.0, age=2.0, function="seal_on_write"):
        """Adds an invocation and its look at a disk: the spans, and the line in the host's log."""
        self.line(name, outcome, minutes_ago, reason)
        trace = f"{name}-{self.spans}"
        attributes = {"cloudevents.event_subject": disk(name), "diskseal.event_age_seconds": age}
        invocation = self.span(
            function,
            minutes_ago,
            seconds * 1000,
            attributes if function == "seal_on_write" else {},
            trace,
            success=not (function == "seal_queued" and outcome in ("pending", "failed")),
        )
        self.span(
            "enforce",
            minutes_ago,
            seconds * 1000,
            {
                "diskseal.resource_id": disk(name).lower(),
                "diskseal.outcome": outcome,
                **({"diskseal.reason": reason} if reason else {}),
            },
            trace,
            invocation,
            outcome not in ("pending", "failed"),
        )
        return self

    def line(self, name, outcome, minutes_ago, reason=None):
        """Adds the handler's line about a disk to the host's log."""
        # Results are in the answer, without a level; the host discards those of a failed invocation, which are printed.
        level = "error: " if outcome == "failed" else ""
        known = {("protected", "guard_unknown"): UNSURE, ("sealed", "event_missed"): MISSED}
        why = known.get((outcome, reason), REMOVED.get(outcome) if reason == "seal_removed" else reason)
        return self.add("AppTraces", minutes_ago, Message=f"{level}{outcome} {disk(name)}{f': {why}' if why else ''}")

    def looks(self, count, outcome, **more):
        """Adds looks at this many disks."""
        for number in range(count):
            self.look(f"{outcome}-{number}", outcome, **more)
        return self

    def write(self, name, minutes_ago, status="Success", client="00000000-0000-0000-0000-00000000beef"):
        """Adds a finished write to the activity log; `client` is the application that wrote."""
        return self.add(
            "AzureActivity",
            minutes_ago,
            CategoryValue="Administrative",
            OperationNameValue="MICROSOFT.COMPUTE/DISKS/WRITE",
            ActivityStatusValue=status,
            SubscriptionId=SUBSCRIPTION,
            Claims=json.dumps({"appid": client, "idtyp": "app"}),
            _ResourceId=disk(name).lower(),
        )

    def own_write(self, name, minutes_ago):
        """Adds a write by the handler, whose client ID the deployment puts into the queries."""
        return self.write(name, minutes_ago, client="__HANDLER_CLIENT_ID__")

    def switch(self, minutes_ago, table="AppTraces", column="Message", prefix="warning: "):
        """Adds the handler's warning of a switch that cannot be read."""
        text = "the switch at /subscriptions/s/resourceGroups/rg-diskseal cannot be read, and counts as on: AuthorizationFailed"
        return self.add(table, minutes_ago, **{column: f"{prefix}{text}"})

    def event_grid(self, metric, total, minutes_ago=5):
        """Adds a minute of a metric of the system topic."""
        return self.add("AzureMetrics", minutes_ago, MetricName=metric, Total=total, ResourceProvider="MICROSOFT.EVENTGRID")

    def put(self, queue, minutes_ago=5, status="201", operation="PutMessage"):
        """Adds a put of a message into a queue."""
        return self.add(
            "StorageQueueLogs",
            minutes_ago,
            OperationName=operation,
            StatusCode=status,
            Uri=f"https://account.queue.core.windows.net:443/{queue}/messages?visibilitytimeout=0",
        )

    def host(self, function, minutes_ago=30, end="Succeeded"):
        """Adds the log lines of the host about an invocation; `end` is how it ended."""
        self.add("AppTraces", minutes_ago, Message=f"Executing 'Functions.{function}' (Reason='(null)', Id=0)")
        return self.add("AppTraces", minutes_ago, Message=f"Executed 'Functions.{function}' ({end}, Id=0, Duration=9ms)")

    def sweep(self, minutes_ago=60, success=True, reason=None):
        """Adds an invocation of the sweep."""
        attributes = {} if success else {"error.type": "throttled"}
        if reason:
            attributes["diskseal.reason"] = reason
        self.span("sweep", minutes_ago, 4000, attributes, f"sweep-{self.spans}", success=success)
        unsure = ", the backup guard is unsure of 2" if reason == "guard_unknown" else ""
        end = "Succeeded" if success else "Failed"
        self.add("AppTraces", minutes_ago, Message="Executing 'Functions.sweep' (Reason='Timer fired', Id=0)")
        if success:
            self.add("AppTraces", minutes_ago, Message=f"sweep: 0 unsealed, 0 pending, 9 sealed, 0 exempt, 2 protected, 0 unreadable{unsure}, 0 left to the next run")
        self.add("AppTraces", minutes_ago, Message=f"Executed 'Functions.sweep' ({end}, Id=0, Duration=4000ms)")
        return self

    def warning(self, name, days, table="OTelLogs", column="Body", prefix=""):
        """Adds a sweep's warning of an exemption that expires in this many days."""
        until = (NOW + timedelta(days=days)).date()
        text = f"the exemption of {disk(name)} ends on {until}"
        if table == "OTelLogs":
            self.add("AppTraces", 60, Message=f"warning: {text}")
        return self.add(table, 60, **{column: f"{prefix}{text}"})

    def request(self, trace, look, ms, status=200, call="GET /disks/{name}"):
        """Adds one attempt of a request within a look."""
        self.span(call, 30, ms, {"http.request.method": "GET", "http.response.status_code": status}, trace, look, status < 400)
        return self

    def resource(self, name, kind="disks", mode=None, exemption=None):
        """Adds a resource to Resource Graph."""
        properties = {
            "timeCreated": "2026-01-01T00:00:00Z",
            "diskState": "Unattached",
            **({"dataAccessAuthMode": mode} if mode else {}),
        }
        tags = {"diskseal-exempt": exemption} if exemption else {}
        self.rows.setdefault("Resources", []).append(
            {
                "id": disk(name),
                "type": f"microsoft.compute/{kind}",
                "location": "westeurope",
                "tags": json.dumps(tags),
                "properties": json.dumps(properties),
            }
        )
        return self


def ask(night, schema, query, since=timedelta(days=30), missing=()):
    """The rows of a query's result, by column name. The query sees nothing older than `since`, and none of the tables
    `missing`, which the workspace does not have: it creates a table with its first row."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    for table, shape in schema["tables"].items():
        if table in missing:
            continue
        columns = ", ".join(f'"{name}" {TYPES[column["type"]]}' for name, column in shape["columns"].items())
        con.execute(f'CREATE TABLE "{table}" ({columns})')
        for row in night.rows.get(table, []):
            if row.get("TimeGenerated", NOW) >= NOW - since:
                names = ", ".join(f'"{name}"' for name in row)
                con.execute(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(row))})', list(row.values()))
    result = duckdb_kql.execute(con, query)
    names = [name for name, *_ in result.description]
    return [dict(zip(names, row)) for row in result.fetchall()]


def monitoring(root, name):
    """Reads a file of infra/monitoring."""
    return json.loads((Path(root) / "infra" / "monitoring" / name).read_text())


class Checks:
    """Prints one line per check, and counts the faults."""

    faults = 0

    def same(self, what, expected, find, *arguments):
        """Compares the result of `find`, or its exception, with the expected value."""
        try:
            actual = find(*arguments)
        except Exception as error:  # whatever is thrown is what is wrong with the query
            actual = f"{type(error).__name__}: {error}"
        if actual == expected:
            print(f"ok   queries: {what}")
        else:
            self.faults += 1
            print(f"FAIL queries: {what} — expected {expected} got {actual}")

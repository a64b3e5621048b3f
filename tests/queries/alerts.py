"""Runs the alerts of Azure Monitor on test data: each fires when it should, and not otherwise.

Aggregation and threshold, which Azure Monitor applies to the result of a query, are applied here.
"""

import re
import sys
from datetime import timedelta

from night import TRACES, Checks, Night, ask, monitoring

AGGREGATIONS = {"Total": sum, "Maximum": max, "Minimum": min, "Average": lambda values: sum(values) / len(values)}
OPERATORS = {
    "GreaterThan": lambda value, threshold: value > threshold,
    "GreaterThanOrEqual": lambda value, threshold: value >= threshold,
    "LessThan": lambda value, threshold: value < threshold,
    "LessThanOrEqual": lambda value, threshold: value <= threshold,
}
QUIET = Night().looks(20, "sealed").looks(5, "already_sealed").looks(2, "exempt", reason="tag").sweep().host("seal_on_write")
CASES = [
    # Alert, scenario, night, whether it fires.
    (
        "dead-lettered",
        "every event was delivered",
        Night().event_grid("DeliverySuccessCount", 40).event_grid("DeadLetteredCount", 0),
        False,
    ),
    ("dead-lettered", "one event was dead-lettered", Night().event_grid("DeadLetteredCount", 1), True),
    ("dead-lettered", "one was dropped, without a container", Night().event_grid("DroppedEventCount", 1), True),
    ("dead-lettered", "one was dead-lettered yesterday", Night().event_grid("DeadLetteredCount", 1, 1500), False),
    ("poisoned", "messages are pending", Night().put("diskseal-pending"), False),
    ("poisoned", "a message is poisoned", Night().put("diskseal-pending-poison"), True),
    ("poisoned", "a put was refused", Night().put("diskseal-pending-poison", status="404"), False),
    (
        "poisoned",
        "a person reads the poison queue",
        Night().put("diskseal-pending-poison", operation="PeekMessages", status="200"),
        False,
    ),
    ("seal-removed", "all is well", QUIET, False),
    ("seal-removed", "a disk is locked", Night().looks(3, "pending", minutes_ago=5, reason="locked"), False),
    ("seal-removed", "a seal was removed and set again", Night().look("d", "sealed", 5, reason="seal_removed"), True),
    ("seal-removed", "its next write has to wait", Night().look("d", "pending", 5, reason="seal_removed"), True),
    ("seal-removed", "audit mode saw it", Night().look("d", "would_seal", 5, reason="seal_removed"), True),
    ("seal-removed", "it was an hour ago", Night().look("d", "sealed", 60, reason="seal_removed"), False),
    ("event-missed", "all is well", QUIET, False),
    ("event-missed", "a sweep sealed what is older", Night().looks(5, "sealed", function="seal_queued").sweep(), False),
    ("event-missed", "a sweep sealed a new disk", Night().looks(40, "sealed").look("d", "sealed", 900, "event_missed", function="seal_queued"), True),
    ("event-missed", "it was two days ago", Night().look("d", "sealed", 2900, "event_missed", function="seal_queued"), False),
    ("failing", "all is well", QUIET, False),
    ("failing", "nothing happened", Night(), False),
    ("failing", "one of two is locked", Night().looks(1, "sealed").looks(1, "pending", reason="locked"), False),
    ("failing", "three of ten are locked", Night().looks(7, "sealed").looks(3, "pending", reason="locked"), True),
    ("failing", "three of forty are locked", Night().looks(37, "sealed").looks(3, "pending", reason="locked"), False),
    (
        "failing",
        "five were pending, and are sealed now",
        Night()
        .looks(5, "pending", minutes_ago=40)
        .looks(5, "sealed")
        .look("pending-0", "sealed", 5)
        .look("pending-1", "sealed", 5)
        .look("pending-2", "sealed", 5),
        False,
    ),
    (
        "failing",
        "one locked disk is retried repeatedly",
        Night()
        .looks(3, "sealed", minutes_ago=10)
        .look("d", "pending", 30)
        .look("d", "pending", 25)
        .look("d", "pending", 20)
        .look("d", "pending", 15),
        False,
    ),
    ("slow", "seals take five seconds", QUIET, False),
    ("slow", "nothing was sealed", Night().looks(9, "pending"), False),
    ("slow", "Event Grid is two minutes late", Night().looks(9, "sealed", age=120.0), True),
    ("slow", "Resource Manager takes a minute and a half", Night().looks(9, "sealed", seconds=90.0), True),
    ("slow", "one in forty was slow", Night().looks(39, "sealed").look("late", "sealed", age=300.0), False),
    (
        "slow",
        "a locked disk was sealed by the queue an hour later",
        Night().looks(9, "sealed").look("d", "sealed", age=3600.0, function="seal_queued"),
        False,
    ),
    ("slow", "an event of long ago met a sealed disk", Night().looks(3, "already_sealed", age=3600.0), False),
    ("blind", "the written disk was looked at", Night().look("a", "sealed", 60).write("a", 60), False),
    ("blind", "a written disk is exempt", Night().look("a", "exempt", 60).write("a", 60), False),
    ("blind", "the write is a minute old", Night().write("a", 1), False),
    ("blind", "a write has failed", Night().write("a", 60, status="Failure"), False),
    ("blind", "its event did not arrive", Night().write("a", 60), True),
    (
        "blind",
        "one of many was lost",
        Night().look("a", "sealed", 60).look("b", "sealed", 60).write("a", 60).write("b", 60).write("c", 60),
        False,
    ),
    ("blind", "nothing was written", Night().sweep(), False),
    ("unhandled", "the host handled it", Night().write("a", 60).host("seal_on_write", 59), False),
    ("unhandled", "Event Grid delivered it", Night().write("a", 60).event_grid("DeliverySuccessCount", 1, 59), False),
    ("unhandled", "nothing was written", QUIET, False),
    ("unhandled", "the write is a minute old", Night().write("a", 1), False),
    ("unhandled", "a write has failed", Night().write("a", 60, status="Failure"), False),
    ("unhandled", "no event was delivered", Night().write("a", 60).event_grid("DeliverySuccessCount", 0, 59), True),
    ("unhandled", "the handler cannot be started", Night().write("a", 60).host("seal_on_write", 59, "Failed"), True),
    ("unhandled", "only the sweep runs", Night().write("a", 60).sweep(50), True),
    ("unhandled", "the handler's own writes raise no event", Night().own_write("a", 60).sweep(50), False),
    ("unhandled", "somebody else wrote as well", Night().own_write("a", 60).write("b", 60).sweep(50), True),
    ("switch-unreadable", "all is well", QUIET, False),
    ("switch-unreadable", "one read failed, many times within a minute", Night().switch(30).switch(30.2).switch(30.4), False),
    ("switch-unreadable", "reads fail all the time", Night().switch(30).switch(20).switch(10), True),
    (
        "switch-unreadable",
        "two reads failed, and both logs have them",
        Night().switch(50).switch(30).switch(50, "OTelLogs", "Body", "").switch(30, "OTelLogs", "Body", ""),
        False,
    ),
    ("switch-unreadable", "it was yesterday", Night().switch(1500).switch(1490).switch(1480), False),
    ("guard-unknown", "all is well", QUIET, False),
    ("guard-unknown", "vaults protect disks", Night().looks(3, "protected", reason="vault").sweep(), False),
    ("guard-unknown", "Azure does not answer, and the queue waits", Night().looks(3, "pending", reason="guard_unknown"), False),
    ("guard-unknown", "a disk was left", Night().look("a", "protected", reason="guard_unknown"), True),
    ("guard-unknown", "a sweep left some", Night().sweep(reason="guard_unknown"), True),
    ("exemptions-expiring", "none expires", Night().sweep(), False),
    ("exemptions-expiring", "one expires in four weeks", Night().warning("a", 28), False),
    ("exemptions-expiring", "one expires in three days", Night().warning("a", 28).warning("b", 3), True),
    ("exemptions-expiring", "only the host logged it", Night().warning("b", 3, "AppTraces", "Message", "warning: "), True),
    ("silent", "the host runs it and its spans arrive", QUIET, False),
    ("silent", "the host runs it and nothing arrives", Night().host("seal_on_write"), True),
    (
        "silent",
        "only a share of what changed nothing is traced, and all records arrive",
        Night().host("seal_on_write").line("a", "already_sealed", 30).add("OTelLogs", 30, Body="already_sealed"),
        False,
    ),
    (
        "silent",
        "a seal has no trace, and its record arrives",
        Night().host("seal_on_write").line("a", "sealed", 30).add("OTelLogs", 30, Body="sealed"),
        True,
    ),
    ("silent", "it was run a minute ago", Night().host("seal_queued", 1), False),
    ("silent", "it does not run", Night(), False),
    ("silent", "another app runs", Night().host("invoices"), False),
    ("sweep-missing", "one has succeeded", QUIET, False),
    ("sweep-missing", "there was none", Night().looks(3, "sealed", minutes_ago=2700), True),
    ("sweep-missing", "there was none, and the host has no log", Night().write("a", 2700), True),
    ("sweep-missing", "the installation is an hour old", Night().looks(3, "sealed").write("a", 60), False),
    ("sweep-missing", "nothing is known of the last two days", Night(), False),
    ("sweep-missing", "all have failed", Night().sweep(success=False).sweep(2800, success=False), True),
    ("sweep-missing", "the last one was three days ago", Night().sweep(3 * 1440).write("a", 2700), True),
]


def window(alert):
    """The window of an alert, from its ISO 8601 duration."""
    days, hours, minutes = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", alert["windowSize"]).groups(default="0")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes))


def fires(alert, schema, night, missing=()):
    """Whether the alert would fire now. The query only sees its window, and not the tables `missing`."""
    answer = ask(night, schema, alert["query"], window(alert), missing)
    values = [row[alert["metricMeasureColumn"]] for row in answer if row[alert["metricMeasureColumn"]] is not None]
    if not values:
        return False
    return OPERATORS[alert["operator"]](AGGREGATIONS[alert["timeAggregation"]](values), alert["threshold"])


def answers(alert, schema, missing):
    """The types of the alert's answers on all its nights, in a workspace without a table."""
    return {type(fires(alert, schema, night, (missing,))) for name, _, night, _ in CASES if name == alert["name"]}


def main(root, only=None):
    """Runs every case with and without traces, and without each table; and checks that every alert has a night on which
    it fires and one on which it does not."""
    checks = Checks()
    alerts = {alert["name"]: alert for alert in monitoring(root, "alerts.json")}
    schema = monitoring(root, "schema.json")
    for name, what, night, expected in CASES:
        if only not in (None, name):
            continue
        alert, verb = alerts[name], "fires" if expected else "is quiet"
        checks.same(f"alert {name} {verb}: {what}", expected, fires, alert, schema, night)
        if not alert["needsTraces"]:
            checks.same(f"alert {name} {verb}: {what}; no traces", expected, fires, alert, schema, night, TRACES)
    for name, alert in alerts.items():
        if only not in (None, name):
            continue
        nights = [expected for case, _, _, expected in CASES if case == name]
        checks.same(f"alert {name} has nights of both kinds", {True, False}, set, nights)
        checks.same(f"alert {name} is quiet: no table exists", False, fires, alert, schema, Night(), tuple(schema["tables"]))
        for table in (table for table in schema["tables"] if table in alert["query"]):
            checks.same(f"alert {name} has an answer: no table {table}", {bool}, answers, alert, schema, table)
    sys.exit(checks.faults > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The alerts of Azure Monitor on made-up nights: each fires when it should, and not when it should not.

What Azure Monitor does with a query's answer, aggregation and threshold, is done here.
"""

import re
import sys
from datetime import timedelta

from night import Checks, Night, ask, monitoring

AGGREGATIONS = {"Total": sum, "Maximum": max, "Minimum": min, "Average": lambda values: sum(values) / len(values)}
OPERATORS = {
    "GreaterThan": lambda value, threshold: value > threshold,
    "GreaterThanOrEqual": lambda value, threshold: value >= threshold,
    "LessThan": lambda value, threshold: value < threshold,
    "LessThanOrEqual": lambda value, threshold: value <= threshold,
}
QUIET = Night().looks(20, "sealed").looks(5, "already_sealed").looks(2, "exempt", reason="tag").sweep().host("seal-on-write")
CASES = [
    # alert, what the night is like, whether it fires
    (
        "dead-lettered",
        "nothing was given up",
        Night().event_grid("DeliverySuccessCount", 40).event_grid("DeadLetteredCount", 0),
        False,
    ),
    ("dead-lettered", "one event was dead-lettered", Night().event_grid("DeadLetteredCount", 1), True),
    ("dead-lettered", "one was dropped, for want of a container", Night().event_grid("DroppedEventCount", 1), True),
    ("dead-lettered", "one was dead-lettered yesterday", Night().event_grid("DeadLetteredCount", 1, 1500), False),
    ("poisoned", "messages wait", Night().put("diskseal-pending"), False),
    ("poisoned", "one was given up", Night().put("diskseal-pending-poison"), True),
    ("poisoned", "a put was refused", Night().put("diskseal-pending-poison", status="404"), False),
    (
        "poisoned",
        "a person looks into the poison queue",
        Night().put("diskseal-pending-poison", operation="PeekMessages", status="200"),
        False,
    ),
    ("failing", "all is well", QUIET, False),
    ("failing", "nothing happened", Night(), False),
    ("failing", "one of two is locked", Night().looks(1, "sealed").looks(1, "pending", reason="locked"), False),
    ("failing", "three of ten are locked", Night().looks(7, "sealed").looks(3, "pending", reason="locked"), True),
    ("failing", "three of forty are locked", Night().looks(37, "sealed").looks(3, "pending", reason="locked"), False),
    (
        "failing",
        "five were pending, and are sealed by now",
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
        "one locked disk is tried again and again",
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
        Night().looks(9, "sealed").look("d", "sealed", age=3600.0, function="seal-queued"),
        False,
    ),
    ("slow", "an event of long ago met a sealed disk", Night().looks(3, "already_sealed", age=3600.0), False),
    ("blind", "what was written was looked at", Night().look("a", "sealed", 60).write("a", 60), False),
    ("blind", "a written disk is exempt", Night().look("a", "exempt", 60).write("a", 60), False),
    ("blind", "the write is a minute old", Night().write("a", 1), False),
    ("blind", "a write has failed", Night().write("a", 60, status="Failure"), False),
    ("blind", "nobody heard of it", Night().write("a", 60), True),
    (
        "blind",
        "one of many was lost",
        Night().look("a", "sealed", 60).look("b", "sealed", 60).write("a", 60).write("b", 60).write("c", 60),
        False,
    ),
    ("blind", "nothing was written", Night().sweep(), False),
    ("exemptions-expiring", "none ends", Night().sweep(), False),
    ("exemptions-expiring", "one ends in four weeks", Night().warning("a", 28), False),
    ("exemptions-expiring", "one ends in three days", Night().warning("a", 28).warning("b", 3), True),
    ("exemptions-expiring", "the host alone has told of it", Night().warning("b", 3, "AppTraces", "Message", "warning: "), True),
    ("silent", "the host runs it and its spans arrive", QUIET, False),
    ("silent", "the host runs it and nothing arrives", Night().host("seal-on-write"), True),
    ("silent", "it was run a minute ago", Night().host("seal-queued", 1), False),
    ("silent", "nobody runs it", Night(), False),
    ("silent", "another app runs", Night().host("invoices"), False),
    ("sweep-missing", "one has succeeded", QUIET, False),
    ("sweep-missing", "there was none", Night().looks(3, "sealed"), True),
    ("sweep-missing", "all have failed", Night().sweep(success=False).sweep(200, success=False), True),
    ("sweep-missing", "the last one was three days ago", Night().sweep(3 * 1440), True),
]


def window(alert):
    """Its ISO 8601 duration."""
    days, hours, minutes = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", alert["windowSize"]).groups(default="0")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes))


def fires(alert, schema, night):
    """Whether the alert would fire now. Azure Monitor shows its query nothing but its window."""
    answer = ask(night, schema, alert["query"], window(alert))
    values = [row[alert["metricMeasureColumn"]] for row in answer if row[alert["metricMeasureColumn"]] is not None]
    if not values:
        return False
    return OPERATORS[alert["operator"]](AGGREGATIONS[alert["timeAggregation"]](values), alert["threshold"])


def main(root, only=None):
    """Every case, and that every alert has a night on which it fires and one on which it does not."""
    checks = Checks()
    alerts = {alert["name"]: alert for alert in monitoring(root, "alerts.json")}
    schema = monitoring(root, "schema.json")
    for name, what, night, expected in CASES:
        if only not in (None, name):
            continue
        verb = "fires" if expected else "is quiet"
        checks.same(f"alert {name} {verb}: {what}", expected, fires, alerts[name], schema, night)
    for name in alerts:
        nights = [expected for case, _, _, expected in CASES if case == name]
        checks.same(f"alert {name} has nights of both kinds", {True, False}, set, nights)
    sys.exit(checks.faults > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Runs the alerts and the runbook's queries on what the real handler leaves on a bad day, under a local Azure: each alert
fires, with and without traces, and the queries of its section find the disk.

The bad day: the event of one disk is lost and a sweep finds it, three disks are locked until their messages are
poisoned, one seal is removed, the event of another disk is lost, that of a third is five minutes late, the last sweep
fails. On the deaf day nobody hears the handler's telemetry, and a
sweep finds an exemption by tag and one of the settings that end soon. What the handler does not write (the activity log, the host's own lines, metrics
of Event Grid, logs of the queue service) is added as Azure writes it.
"""

import json
import os
import re
import ssl
import sys
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

from alerts import fires
from handler import BODY, Receiver, send
from judge import SUBSCRIPTION, emulator, resource, soon
from night import NOW, TRACES, Checks, Night, ask, monitoring

LOCKED = ["locked-1", "locked-2", "locked-3"]
SWITCH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-diskseal"
HOUR = timedelta(hours=3)
# The disk that the section's queries must find, in any of its rows; None for a section that is about no disk.
FINDS = {
    "poisoned": "locked-1",
    "failing": None,
    "seal-removed": "opened",
    "event-missed": "missed",
    "slow": "late",
    "blind": "lost",
    "unhandled": None,
    "dead-lettered": None,
    "silent": None,
    "sweep-missing": None,
    "guard-unknown": "guarded",
    "switch-unreadable": None,
    "exemptions-expiring": "lent",
}
# The sections whose queries are asked on the deaf day.
DEAF = ["silent", "exemptions-expiring"]
# Alerts that this day must raise. The others have their nights in alerts.py.
RAISED = ["poisoned", "failing", "seal-removed", "event-missed", "slow", "blind", "dead-lettered", "guard-unknown"]
# How long the trouble has lasted when nobody can overlook that sweeps are missing.
OLD = timedelta(hours=40)
# A connection to it is refused.
NOBODY = "http://127.0.0.1:9"


def snapshot_of(source):
    creation = {"createOption": "Copy", "sourceResourceId": source}
    return {"location": "westeurope", "properties": {"creationData": creation}}


def get(url):
    with urlopen(url, timeout=60) as answer:
        return json.load(answer)


def day(root):
    """The spans and the host's log of the bad day, and the poison queue."""
    with Receiver() as receiver:
        settings = [f"OTEL_EXPORTER_OTLP_ENDPOINT={receiver.endpoint}", "OTEL_BSP_SCHEDULE_DELAY=50", f"DISKSEAL_SWITCH={SWITCH}"]
        os.environ["APP"] = str(Path(root).resolve())
        # Five minutes between two receipts are 100 milliseconds.
        options = ("--subscription", SUBSCRIPTION, "--retry-after", "1", "--speed", "3000")
        with emulator(*options, handler=True, settings=settings) as azure:
            control = azure["controlUrl"]
            trusted = ssl.create_default_context(cafile=azure["caPem"])

            def change(method, name, body, kind="disks"):
                url = f"{azure['armHttps']}{resource(kind, name)}?api-version=2024-03-02"
                send(method, url, body, {"Authorization": f"Bearer {azure['userToken']}"}, trusted)

            def made(name):
                url = f"{azure['armHttps']}{resource('disks', name)}?api-version=2024-03-02"
                with urlopen(Request(url, headers={"Authorization": f"Bearer {azure['userToken']}"}), timeout=60, context=trusted) as answer:
                    return json.load(answer)["properties"]["provisioningState"] == "Succeeded"

            def removed():
                return sum('"seal_removed"' in row["Attributes"] for row in list(receiver.rows))

            # No event names this disk. A sweep hands it over once it is made.
            send("POST", f"{control}/events/missed", {"lost": True})
            change("PUT", "missed", BODY)
            soon(lambda: made("missed"), bool)
            send("POST", f"{control}/timer/sweep", None)
            soon(lambda: '"event_missed"' in str(receiver.rows), bool)
            # Nor can the switch be read.
            refused = {"action": {"refuse": "authorizationFailed"}, "kind": "tagsRead", "times": "always"}
            send("POST", f"{control}/faults", refused)
            # What vaults protect is not visible all day, which concerns no new disk but each snapshot.
            hidden = {"action": {"refuse": "authorizationFailed"}, "kind": "query", "times": "always"}
            send("POST", f"{control}/faults", hidden)
            change("PUT", "guarded", snapshot_of(resource("disks", "source")), "snapshots")
            soon(lambda: '"guard_unknown"' in str(receiver.rows), bool)
            for name in LOCKED:
                locked = {"action": {"refuse": "scopeLocked"}, "kind": "patch", "resource": name, "times": "always"}
                send("POST", f"{control}/faults", locked)
                change("PUT", name, BODY)
            change("PUT", "opened", BODY)
            soon(lambda: '"sealed"' in str(receiver.rows), bool)
            send("POST", f"{control}/events/lost", {"lost": True})
            change("PUT", "lost", BODY)
            send("POST", f"{control}/events/late", {"lateSeconds": 300})
            change("PUT", "late", BODY)
            soon(lambda: sum("/disks/late" in row["Attributes"] and '"sealed"' in row["Attributes"] for row in list(receiver.rows)), bool)
            soon(lambda: get(f"{control}/queue").get("diskseal-pending-poison", []), lambda found: len(found) == 3)
            change("PATCH", "opened", {"properties": {"dataAccessAuthMode": "None"}})
            soon(removed, bool)
            refused = {"action": {"refuse": "authorizationFailed"}, "kind": ["query", "list"], "times": "always"}
            send("POST", f"{control}/faults", refused)
            send("POST", f"{control}/timer/sweep", None)
            soon(lambda: receiver.of("sweep") > 1, bool)
            poison = get(f"{control}/queue")["diskseal-pending-poison"]
            # The host logs what the handler prints, and what a successful answer carries.
            console = get(f"{control}/console") + [line for one in get(f"{control}/invocations") for line in one["logs"]]
        return receiver.rows, console, poison


def deaf_day(root):
    """The host's log of a day on which the collector does not answer: the handler's lines, and the host's invocations."""
    until = (NOW + timedelta(days=3)).date()
    listed = json.dumps([{"names": ["asr-*"], "until": str(until), "reason": "INC-2 restores"}])
    settings = [
        f"OTEL_EXPORTER_OTLP_ENDPOINT={NOBODY}",
        "OTEL_BSP_SCHEDULE_DELAY=50",
        "DISKSEAL_EXEMPT_TAG=diskseal-exempt",
        f"DISKSEAL_EXEMPTIONS={listed}",
    ]
    os.environ["APP"] = str(Path(root).resolve())
    with emulator("--subscription", SUBSCRIPTION, "--retry-after", "1", handler=True, settings=settings) as azure:
        control = azure["controlUrl"]
        trusted = ssl.create_default_context(cafile=azure["caPem"])
        for name, tags in (("plain", {}), ("lent", {"diskseal-exempt": f"until={until}; INC-1 export"})):
            url = f"{azure['armHttps']}{resource('disks', name)}?api-version=2024-03-02"
            send("PUT", url, {**BODY, "tags": tags}, {"Authorization": f"Bearer {azure['userToken']}"}, trusted)
        # The echo of the seal is an invocation as well.
        soon(lambda: get(f"{control}/invocations"), lambda found: len(found) >= 3)
        send("POST", f"{control}/timer/sweep", None)
        soon(lambda: get(f"{control}/console"), lambda found: "not exported" in str(found) and str(found).count("the exemption of") > 1)
        invocations = get(f"{control}/invocations")
        return get(f"{control}/console") + [line for one in invocations for line in one["logs"]], invocations


def deaf_night_of(console, invocations):
    """The workspace after the deaf day, an hour later. There are no tables of spans."""
    night = Night()
    for text in lines(console):
        night.add("AppTraces", 60, Message=text)
    for one in invocations:
        night.host(one["function"], 60, "Succeeded" if one["verdict"] == "succeeded" else "Failed")
    return night


def aged(spans, by):
    """The same spans, but older."""
    return [{**row, "TimeGenerated": row["TimeGenerated"] - by} for row in spans]


def lines(console):
    """The lines of the handler in the host's log."""
    for line in console:
        yield line["text"] if isinstance(line, dict) and "text" in line else str(line)


def night_of(spans, console):
    """The workspace after the bad day."""
    night = Night({"OTelSpans": spans})
    for text in lines(console):
        night.add("AppTraces", 1, Message=text)
        if text.startswith("warning: "):
            night.add("OTelLogs", 1, Body=text.removeprefix("warning: "))
    for _ in LOCKED:
        night.put("diskseal-pending-poison", 1)
    for name in (*LOCKED, "opened", "missed"):
        night.rows.setdefault("AzureActivity", []).append(activity(resource("disks", name).lower()))
    for name in ("lost", *(f"lost-{number}" for number in range(1, 5))):
        night.rows["AzureActivity"].append(activity(resource("disks", name).lower()))
    night.event_grid("DeadLetteredCount", 1).event_grid("DeliveryFailedCount", 3)
    night.add("AegDeliveryFailureLogs", 5, EventSubscriptionName="diskseal", Message="outcome=InternalServerError")
    night.add("AppTraces", 5, Message="Failed to start Worker Channel. Process fileName: /home/site/wwwroot/diskseal")
    night.add("AppTraces", 5, Message="Executed 'Functions.sweep' (Failed, Id=0, Duration=9ms)")
    night.add("AppTraces", 5, Message="warning: traces are not exported to Azure Monitor")
    return night


def activity(name):
    return {
        "TimeGenerated": NOW - timedelta(minutes=60),
        "CategoryValue": "Administrative",
        "OperationNameValue": "MICROSOFT.COMPUTE/DISKS/WRITE",
        "ActivityStatusValue": "Success",
        "SubscriptionId": SUBSCRIPTION,
        "_ResourceId": name,
        "CorrelationId": "00000000-0000-4000-8000-000000000001",
    }


def sections(root):
    """The Kusto queries of each section of the runbook, by its anchor."""
    text = (Path(root) / "docs" / "runbook.md").read_text()
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        name = section.split("\n")[0].lower().replace(" ", "-")
        yield name, re.findall(r"^```kusto\n(.*?)^```$", section, flags=re.M | re.S)


def found(night, schema, queries):
    """The rows of a section's queries. Each must have some."""
    answers = [ask(night, schema, query, HOUR) for query in queries]
    return "" if all(answers) else f"no row of query {[bool(one) for one in answers].index(False) + 1}", str(answers).lower()


def main(root):
    checks = Checks()
    schema = monitoring(root, "schema.json")
    alerts = {alert["name"]: alert for alert in monitoring(root, "alerts.json")}
    spans, console, poison = day(root)
    bad = night_of(spans, console)
    checks.same("runbook: three messages are poisoned on the bad day", 3, len, poison)
    for name in RAISED:
        checks.same(f"alert {name} fires, of the real handler", True, fires, alerts[name], schema, bad)
        if not alerts[name]["needsTraces"]:
            checks.same(f"alert {name} fires, of the real handler, no traces", True, fires, alerts[name], schema, bad, TRACES)
    # Without the first sweep, the spans have the one that failed, and no other; the host has no log.
    failing = [row for row in spans if not (row["Name"] == "sweep" and row["Success"])]
    for name, by, expected in (("of a new installation", timedelta(), False), ("two days later", OLD, True)):
        since = Night({"OTelSpans": aged(failing, by)})
        checks.same(f"alert sweep-missing, of the real handler, {name}", expected, fires, alerts["sweep-missing"], schema, since)
    console, invocations = deaf_day(root)
    deaf = deaf_night_of(console, invocations)
    for name in DEAF:
        checks.same(f"alert {name} fires, of the real handler", True, fires, alerts[name], schema, deaf)
        checks.same(f"alert {name} fires, of the real handler, no tables of traces", True, fires, alerts[name], schema, deaf, TRACES)
    known = dict(sections(root))
    for name, disk_name in FINDS.items():
        night = deaf if name in DEAF else bad
        checks.same(f"runbook {name}: each query finds something", "", lambda name=name, night=night: found(night, schema, known[name])[0])
        if disk_name is not None:
            checks.same(f"runbook {name}: a query finds {disk_name}", True, lambda name=name, night=night, wanted=disk_name: f"/{wanted}" in found(night, schema, known[name])[1])
    checks.same("runbook exemptions-expiring: a query finds the entry of the setting", True, lambda: "diskseal_exemptions[1]" in found(deaf, schema, known["exemptions-expiring"])[1])
    looks = ask(bad, schema, known["poisoned"][0], HOUR)
    checks.same("runbook poisoned: six looks at each disk", {6}, lambda: {row["Looks"] for row in looks})
    sys.exit(checks.faults > 0)


if __name__ == "__main__":
    main(sys.argv[1])

"""Compares telemetry that passed from the handler through a collector to a backend with the tables of
docs/telemetry.md: the trace of a disk that was locked, went to the queue, and was sealed from there; and metrics."""

import json
import logging
import os
import sysconfig
import urllib.request

from azure.identity import ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient, models

import tables
from judge import ARM_SCOPE, SUBSCRIPTION, check, emulator, free_ports, listens, process, resource, soon
from otlp import Receiver

logging.disable(logging.CRITICAL)

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
TEMPLATE = "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}"
GRAPH = "POST /providers/Microsoft.ResourceGraph/resources"
TAGS = "PATCH /{scope}/providers/Microsoft.Resources/tags/default"
GET, PATCH = f"GET {TEMPLATE}", f"PATCH {TEMPLATE}"
# The first look reads which virtual machines are protected, fails once with an error that is retried, and then because
# of a lock; the second is the queue's, in a process of its own, which reads it as well. A GET proves each of its writes.
SPANS = [
    *["seal_on_write", "enforce", GET, GRAPH, PATCH, "wait for retry", PATCH, "send diskseal-pending"],
    *["seal_queued", "enforce", GET, GRAPH, PATCH, "wait for proof", GET, TAGS, "wait for proof", GET],
]
# Attributes that are in the tables but not in this trace: those of a batch, of a failed invocation, of one that
# changed nothing, or of a setting that is off.
ELSEWHERE = {
    ("enforce", "diskseal.revoked"),
    ("seal_on_write", "diskseal.unchanged"),
    ("seal_on_write", "error.type"),
    ("seal_on_write", "messaging.batch.message_count"),
    ("seal_queued", "error.type"),
    ("send diskseal-pending", "messaging.batch.message_count"),
}


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def post(url, body=None):
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()


def make_disk(azure):
    client = ComputeManagementClient(
        ManagedIdentityCredential(), SUBSCRIPTION, base_url=azure["armHttps"], credential_scopes=[ARM_SCOPE]
    )
    creation = models.CreationData(create_option="Empty")
    disk = models.Disk(
        location="westeurope", properties=models.DiskProperties(creation_data=creation, disk_size_gb=8)
    )
    client.disks.begin_create_or_update("rg-data", "traced", disk).result()


def of_seal(spans):
    """The complete trace in which the disk was sealed: the invocation of the queue ends last."""
    sealed = [span for span in spans if span["attributes"].get("diskseal.outcome") == "sealed"]
    traces = {span["trace"] for span in sealed}
    trace = [span for span in spans if span["trace"] in traces]
    ids = {span["id"] for span in trace}
    return trace if sealed and all(span["parent"] in ids for span in sealed) else []


def documented_name(span):
    return "request" if span["attributes"].get("http.request.method") else span["name"]


def look_at(spans, where):
    """Compares the trace with the tables. The spans have name, id, parent, trace and attributes."""
    trace = of_seal(spans)
    check(f"every span of the seal is there, in {where}", sorted(SPANS), sorted(span["name"] for span in trace))
    by_id = {span["id"]: span for span in trace}
    parents, unknown = tables.spans(), []
    for span in trace:
        parent = documented_name(by_id[span["parent"]]) if span["parent"] in by_id else "remote"
        if parent not in parents[documented_name(span)][1]:
            unknown.append((span["name"], parent))
    check(f"every parent is one of the table's, in {where}", [], unknown)
    found = {(documented_name(span), attribute) for span in trace for attribute in span["attributes"]}
    names = {documented_name(span) for span in trace}
    table = {(name, attribute) for name in names for attribute in tables.span_attributes()[name]}
    check(f"no attribute is missing in the table, in {where}", [], sorted(found - table))
    check(f"every attribute of the table is there, in {where}", [], sorted(table - found - ELSEWHERE))
    outcomes = [
        (span["attributes"]["diskseal.outcome"], span["attributes"].get("diskseal.reason"))
        for span in trace
        if span["name"] == "enforce"
    ]
    check(f"it was pending and then sealed, in {where}", [("pending", "locked"), ("sealed", None)], sorted(
        outcomes, key=lambda outcome: outcome[0]
    ))


def look_at_links(trace):
    sent = next((span for span in trace if span["name"] == "send diskseal-pending"), {})
    queued = next((span for span in trace if span["name"] == "seal_queued"), {})
    check("the queue's seal is a child of the send span", sent.get("id"), queued.get("parent"))
    check("and links it, and the host's own", (2, True), (
        len(queued.get("links", [])), sent.get("id") in queued.get("links", [])
    ))
    kinds = {documented_name(span): KINDS[span["kind"]] for span in trace}
    table = tables.spans()
    check("kinds match the table", {name: table[name][0] for name in kinds}, kinds)


def look_at_metrics(metrics):
    """Compares the metrics with the tables: all received ones are in them, and all expected ones have arrived."""
    table = tables.metrics()
    found = {}
    for metric in metrics:
        kind, unit, attributes = found.setdefault(metric["name"], (metric["kind"], metric["unit"], set()))
        attributes.update(metric["attributes"])
    check("every metric is in the table", [], sorted(set(found) - set(table)))
    same = {name: found[name][:2] for name in found if name in table}
    check("with its kind and unit", {name: table[name][:2] for name in same}, same)
    more = sorted((name, sorted(found[name][2] - table[name][2])) for name in same if found[name][2] - table[name][2])
    check("and no other attributes", [], more)
    expected = {
        "diskseal.time_to_seal", "diskseal.outcomes", "diskseal.failures", "diskseal.events.received",
        "http.client.request.duration", "diskseal.arm.quota.remaining", "diskseal.queue.age",
        "diskseal.sweep.resources", "diskseal.sweep.coverage", "diskseal.sweep.runs",
        "diskseal.exemptions.expiring", "diskseal.enforce.active",
    }
    check("every expected metric has arrived", [], sorted(expected - set(found)))


def main():
    phoenix, grpc, http, own = free_ports(4)
    tmp = os.environ["JUDGE_TMP"]
    backend = f"http://127.0.0.1:{phoenix}"
    phoenix_settings = {
        "PHOENIX_WORKING_DIR": os.path.join(tmp, "phoenix"),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(phoenix),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with (
        Receiver(onward=backend) as receiver,
        process(os.environ["PHOENIX"], "serve", log="phoenix.log", env=os.environ | phoenix_settings),
    ):
        collector = os.path.join(sysconfig.get_paths()["purelib"], "rotel", "rotel-agent")
        collector_settings = {
            "ROTEL_EXPORTER": "otlp",
            "ROTEL_OTLP_EXPORTER_ENDPOINT": receiver.endpoint,
            "ROTEL_OTLP_EXPORTER_PROTOCOL": "http",
            "ROTEL_PID_FILE": os.path.join(tmp, "rotel.pid"),
            "ROTEL_LOG_FILE": os.path.join(tmp, "rotel.log"),
            "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{own}",
            "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{http}",
        }
        check("the backend is up", True, soon(lambda: listens(phoenix), bool))
        with process(collector, "start", log="collector.log", env=os.environ | collector_settings):
            check("the collector is up", True, soon(lambda: listens(http), bool))
            settings = [
                f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{http}",
                "OTEL_BSP_SCHEDULE_DELAY=50",
                "OTEL_METRIC_EXPORT_INTERVAL=200",
            ]
            with emulator("--subscription", SUBSCRIPTION, "--retry-after", "1", handler=True, settings=settings) as azure:
                look_at_a_day(azure, receiver, backend)


def look_at_a_day(azure, receiver, backend):
    for refusal in ({"as": "serverError"}, "scopeLocked"):
        post(f"{azure['controlUrl']}/faults", {"action": {"refuse": refusal}, "kind": "patch", "resource": "traced"})
    make_disk(azure)
    spans = soon(lambda: list(receiver.spans), of_seal)
    look_at(spans, "what the collector passes on")
    look_at_links(of_seal(spans))
    instances = {span["resource"].get("service.instance.id") for span in of_seal(spans)}
    check("the events and the queue have a process each", 2, len(instances))
    own = {"service.instance.id", "faas.instance"}
    without = {name for span in spans for name in span["resource"]} - own
    resources = {tuple(sorted((name, span["resource"].get(name)) for name in without)) for span in spans}
    check("but for the instance, all spans have one resource", 1, len(resources))
    found = dict(next(iter(resources), ())) | dict.fromkeys(own, next(iter(instances), None))
    check("which has the attributes of the table", sorted(tables.resource()), sorted(found))
    expected = {
        "service.name": "func-seal",
        "cloud.provider": "azure",
        "cloud.platform": "azure.functions",
        "cloud.region": "West Europe",
        "cloud.account.id": SUBSCRIPTION,
    }
    check("and identifies the service", expected, {name: found.get(name) for name in expected})
    functions = {span["name"]: span["attributes"].get("faas.name") for span in of_seal(spans)}
    check("an invocation names its function", "func-seal/seal_queued", functions.get("seal_queued"))
    subjects = {span["attributes"].get("diskseal.resource_id") for span in of_seal(spans)} - {None}
    check("a seal names its disk", {resource("disks", "traced")}, subjects)

    post(f"{azure['controlUrl']}/timer/sweep")
    swept = soon(
        lambda: list(receiver.metrics),
        lambda metrics: any(metric["name"] == "diskseal.sweep.coverage" for metric in metrics),
    )
    look_at_metrics(swept)

    look_at(soon(lambda: from_backend(backend), of_seal), "the backend")


def from_backend(backend):
    if not get(f"{backend}/v1/projects")["data"]:
        return []
    return [
        {
            "name": span["name"],
            "trace": span["context"]["trace_id"],
            "id": span["context"]["span_id"],
            "parent": span["parent_id"],
            "attributes": span["attributes"],
        }
        for span in get(f"{backend}/v1/projects/default/spans?limit=1000")["data"]
    ]


main()

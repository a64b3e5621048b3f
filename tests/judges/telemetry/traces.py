"""The trace of a seal, on its way from the handler through a collector to a backend, and read back from there."""

import json
import logging
import os
import sysconfig
import urllib.request

from azure.identity import ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient, models

from judge import ARM_SCOPE, SUBSCRIPTION, check, emulator, free_ports, listens, process, resource, soon
from otlp import Receiver

logging.disable(logging.CRITICAL)

TEMPLATE = "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}"
POLL = "/subscriptions/{id}/providers/Microsoft.Compute/locations/{location}/DiskOperations/{id}"
TAGS = "PATCH /{scope}/providers/Microsoft.Resources/tags/default"


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def make_disk(azure):
    client = ComputeManagementClient(
        ManagedIdentityCredential(), SUBSCRIPTION, base_url=azure["armHttps"], credential_scopes=[ARM_SCOPE]
    )
    creation = models.CreationData(create_option="Empty")
    disk = models.Disk(
        location="westeurope", properties=models.DiskProperties(creation_data=creation, disk_size_gb=8)
    )
    client.disks.begin_create_or_update("rg-data", "traced", disk).result()


def is_whole(spans):
    """Whether the invocation of the seal is there: it ends last."""
    parents = {span["parent"] for span in spans if span["name"] == "enforce"}
    return bool(parents & {span["id"] for span in spans})


def look_at(spans, where):
    """The checks of the seal's trace. The spans have name, id, parent, trace and attributes."""
    enforce = next((span for span in spans if span["name"] == "enforce"), None)
    trace = [span for span in spans if enforce and span["trace"] == enforce["trace"]]
    invocation = next((span for span in trace if span["name"] == "seal-on-write"), {})
    # The last GET proves the tags, whose write has no answer of its own.
    requests = [*[f"GET {TEMPLATE}"] * 2, f"PATCH {TEMPLATE}", *[f"GET {POLL}"] * 2, TAGS]
    check(
        f"the trace is whole, in {where}", sorted(["seal-on-write", "enforce", *requests]),
        sorted(span["name"] for span in trace),
    )
    if not enforce:
        return
    check(f"the invocation is the parent of the seal, in {where}", invocation.get("id"), enforce["parent"])
    check(
        f"the seal is the parent of every request, in {where}", {enforce["id"]},
        {span["parent"] for span in trace if span["attributes"].get("http.request.method")},
    )
    check(f"the invocation has a parent, which is the host's, in {where}", 16, len(invocation.get("parent") or ""))
    check(
        f"the seal says what it sealed, in {where}", (resource("disks", "traced"), "sealed"),
        (enforce["attributes"].get("diskseal.resource_id"), enforce["attributes"].get("diskseal.outcome")),
    )


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
            settings = [f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{http}", "OTEL_BSP_SCHEDULE_DELAY=50"]
            with emulator("--subscription", SUBSCRIPTION, "--retry-after", "1", handler=True, settings=settings) as azure:
                make_disk(azure)
                spans = soon(lambda: list(receiver.spans), is_whole)
                look_at(spans, "what the collector passes on")
                resources = {tuple(sorted(span["resource"].items())) for span in spans}
                check("every span is of one resource", 1, len(resources))
                expected = {
                    "service.name": "func-seal",
                    "faas.name": "func-seal",
                    "cloud.provider": "azure",
                    "cloud.platform": "azure.functions",
                    "cloud.region": "West Europe",
                    "cloud.account.id": SUBSCRIPTION,
                }
                found = dict(next(iter(resources), ()))
                check("the resource says who we are", expected, {name: found.get(name) for name in expected})

                stored = soon(lambda: from_backend(backend), is_whole)
                look_at(stored, "the backend")


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
        for span in get(f"{backend}/v1/projects/default/spans?limit=100")["data"]
    ]


main()

"""The Functions host's queues and Event Grid's dead letters in a real storage account, read with Microsoft's
clients."""

import json
import logging
import os
import re
import sys
import urllib.request
from datetime import datetime, timedelta, timezone

from azure.identity import ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient, models
from azure.storage.blob import BlobServiceClient, ResourceTypes, Services, generate_account_sas
from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy, TextBase64EncodePolicy

from judge import ARM_SCOPE, SUBSCRIPTION, check, emulator, free_ports, resource, soon
from otlp import Receiver

logging.disable(logging.CRITICAL)

QUEUE, POISON, CONTAINER = "diskseal-pending", "diskseal-pending-poison", "dead-letters"
BLOB = f"http://127.0.0.1:{os.environ['BLOB_PORT']}/judge"
QUEUES = f"http://127.0.0.1:{os.environ['QUEUE_PORT']}/judge"
KEY = os.environ["STORAGE_KEY"]


def connection():
    now = datetime.now(timezone.utc)
    signature = generate_account_sas(
        "judge", KEY, ResourceTypes(service=True, container=True, object=True), "rwdlacup",
        now + timedelta(hours=1), start=now - timedelta(minutes=5), services=Services(blob=True, queue=True), protocol="https,http",
    )
    return f"BlobEndpoint={BLOB};QueueEndpoint={QUEUES};SharedAccessSignature={signature}"


def queue(name):
    service = QueueServiceClient(QUEUES, credential={"account_name": "judge", "account_key": KEY})
    return service.get_queue_client(
        name, message_encode_policy=TextBase64EncodePolicy(), message_decode_policy=TextBase64DecodePolicy()
    )


def names():
    service = QueueServiceClient(QUEUES, credential={"account_name": "judge", "account_key": KEY})
    return [found.name for found in service.list_queues()]


def count(name):
    return queue(name).get_queue_properties().approximate_message_count


def peek(name):
    """Waits for visible messages, and returns them."""
    return soon(lambda: queue(name).peek_messages() if name in names() else [], bool, limit=30)


def make_disk(azure, name):
    client = ComputeManagementClient(
        ManagedIdentityCredential(), SUBSCRIPTION, base_url=azure["armHttps"], credential_scopes=[ARM_SCOPE]
    )
    creation = models.CreationData(create_option="Empty")
    disk = models.Disk(location="westeurope", properties=models.DiskProperties(creation_data=creation, disk_size_gb=8))
    # A client that honours Retry-After waits ten seconds; the disk exists after 0.1 s.
    client.disks.begin_create_or_update("rg-data", name, disk, polling=False)
    return client


def lock(azure, name):
    """Refuses the next write of the disk's mode because of a lock."""
    body = json.dumps({"action": {"refuse": "scopeLocked"}, "kind": "patch", "resource": name}).encode()
    request = urllib.request.Request(f"{azure['controlUrl']}/faults", data=body, headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()


def tags(client, name):
    return (client.disks.get("rg-data", name).tags or {}).get("diskseal-auth-mode")


def host(receiver, *settings, options=()):
    """A Functions host on the account."""
    all_settings = [
        f"OTEL_EXPORTER_OTLP_ENDPOINT={receiver.endpoint}", "OTEL_BSP_SCHEDULE_DELAY=50", *settings,
    ]
    return emulator(
        "--subscription", SUBSCRIPTION, "--storage", os.environ["STORAGE"], "--dead-letters", CONTAINER, *options,
        handler=True, settings=all_settings,
    )


def queued_spans(receiver):
    return [span for span in list(receiver.spans) if span["name"] == "seal_queued"]


def output_and_trigger(receiver):
    with host(receiver, "AzureWebJobs.seal_queued.Disabled=true") as azure:
        lock(azure, "locked")
        make_disk(azure, "locked")
        found = peek(QUEUE)
        check("an output-binding message is on the queue, in base64", 1, len(found))
        if not found:
            return
        message = json.loads(found[0].content)
        check("it names the disk and why", (resource("disks", "locked"), "locked"), (message.get("resource"), message.get("reason")))
        check("it has not been received", 0, found[0].dequeue_count)
        lifetime = found[0].expires_on - found[0].inserted_on
        check("it lives for seven days", timedelta(days=7), lifetime)

    # The account and the message outlive the host: the listener of the next host receives it.
    with host(receiver, "AzureFunctionsJobHost__extensions__queues__visibilityTimeout=00:00:20") as azure:
        spans = soon(lambda: queued_spans(receiver), bool)
        trace = message["traceparent"].split("-")[1]
        check("another host's queue trigger receives the message, in the same trace", [trace], [span["trace"] for span in spans])
        check("it comes from diskseal-pending", {QUEUE}, {span["attributes"].get("messaging.destination.name") for span in spans})
        # A disk whose write is younger than a minute may only be not visible yet, so a later receipt decides.
        left = soon(lambda: count(QUEUE), lambda left: left == 0, limit=150)
        check("it is deleted at a later receipt, because the disk is gone", 0, left)

        lock(azure, "late")
        client = make_disk(azure, "late")
        check(
            "a seal that a lock refused is finished from the queue", "AzureActiveDirectory",
            soon(lambda: tags(client, "late"), bool),
        )
        check("and the queue is empty", 0, soon(lambda: count(QUEUE), lambda left: left == 0))
        check("nothing has gone to the poison queue", True, lambda: POISON not in names() or count(POISON) == 0)


def poison(receiver):
    settings = [
        f"DISKSEAL_ARM_ENDPOINT=https://127.0.0.1:{free_ports(1)[0]}",
        "AzureFunctionsJobHost__extensions__queues__maxDequeueCount=4",
        "AzureFunctionsJobHost__extensions__queues__visibilityTimeout=00:00:01",
    ]
    with host(receiver, *settings) as azure:
        content = json.dumps({"resource": resource("disks", "unreachable"), "reason": "locked", "firstSeen": "2026-11-24T01:02:03Z"})
        before = len(queued_spans(receiver))
        soon(lambda: QUEUE in names(), bool)
        sent = queue(QUEUE).send_message(content)
        # The lease hides the message as soon as it is received.
        soon(lambda: queue(QUEUE).peek_messages(), lambda found: not found)
        check("a message in progress is invisible, but exists", 1, count(QUEUE))
        found = peek(POISON)
        check("after maxDequeueCount it is on the poison queue, unchanged", [content], [one.content for one in found])
        check("and no longer on its own queue", 0, soon(lambda: count(QUEUE), lambda left: left == 0))
        check("as another message", True, bool(found) and found[0].id != sent.id)
        tries = soon(lambda: queued_spans(receiver)[before:], lambda spans: len(spans) >= 3)
        check("the handler looks at three of four receipts: the first, second and fourth", 3, len(tries))
        starts = sorted(span["start"] for span in tries)
        waits = [(after - before) / 1e9 for before, after in zip(starts, starts[1:])]
        check("the receipts are one visibility timeout apart", True, all(wait >= 1 for wait in waits))
        queue(POISON).clear_messages()


def dead_letters(receiver):
    blobs = BlobServiceClient(BLOB, credential={"account_name": "judge", "account_key": KEY})
    container = blobs.create_container(CONTAINER)
    settings = [f"DISKSEAL_ARM_ENDPOINT=https://127.0.0.1:{free_ports(1)[0]}"]
    with host(receiver, *settings, options=["--speed", "300", "--delivery-attempts", "2"]) as azure:
        make_disk(azure, "undelivered")
        found = soon(lambda: list(container.list_blobs()), bool)
        check("an undelivered event is one blob", 1, len(found))
        if not found:
            return
        form = r"DISKSEAL/\d{4}/[1-9]\d?/[1-9]\d?/(0|[1-9]\d?)/[0-9a-f-]{36}\.json"
        check("its name consists of the subscription, the hour, and a GUID", True, bool(re.fullmatch(form, found[0].name)))
        letters = json.loads(container.download_blob(found[0].name).readall())
        check("it holds an array of one event", 1, len(letters))
        letter = letters[0]
        expected = {
            "deadletterreason": "MaxDeliveryAttemptsExceeded",
            "deliveryattempts": 2,
            "lastdeliveryoutcome": "GenericError",
            "lasthttpstatuscode": 500,
            "subject": resource("disks", "undelivered"),
            "type": "Microsoft.Resources.ResourceWriteSuccess",
        }
        check("with the result of its delivery", expected, {name: letter.get(name) for name in expected})
        check("and the times", {"publishtime", "lastdeliveryattempttime"}, {"publishtime", "lastdeliveryattempttime"} & letter.keys())


def main():
    if sys.argv[1:] == ["connection"]:
        print(connection())
        return
    with Receiver() as receiver:
        output_and_trigger(receiver)
        poison(receiver)
        dead_letters(receiver)


main()

"""azure-eventgrid publishes batches of both schemas to the topic; the handler's trace shows that they arrive."""

import logging
import uuid

from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from judge import SUBSCRIPTION, check, emulator, refuses, resource, skip, soon
from otlp import Receiver

logging.disable(logging.CRITICAL)

TYPE = "Microsoft.Resources.ResourceWriteSuccess"
DATA = {"operationName": "Microsoft.Compute/disks/write", "status": "Succeeded"}


def event_grid_events(subjects):
    return [EventGridEvent(subject, TYPE, DATA, "2", id=str(uuid.uuid4())) for subject in subjects]


def cloud_events(subjects):
    source = f"/subscriptions/{SUBSCRIPTION}"
    return [CloudEvent(source, TYPE, data=DATA, subject=subject, id=str(uuid.uuid4())) for subject in subjects]


def arrived(spans):
    """The handler's result for each event id."""
    outcomes = {span["parent"]: span["attributes"].get("diskseal.outcome") for span in spans if span["name"] == "enforce"}
    return {
        span["attributes"]["cloudevents.event_id"]: (span["attributes"].get("cloudevents.event_subject"), outcomes.get(span["id"]))
        for span in spans
        if span["attributes"].get("cloudevents.event_id")
    }


def publish(azure, receiver):
    for schema, make in [("Event Grid's schema", event_grid_events), ("CloudEvents", cloud_events)]:
        client = EventGridPublisherClient(azure["topicEndpoint"], AzureKeyCredential(azure["topicKey"]))
        events = make(resource("disks", f"published-{number}") for number in range(5))
        client.send(events)
        ids = {event.id for event in events}
        found = soon(lambda: arrived(list(receiver.spans)), lambda found: ids <= found.keys())
        # None of those disks exists. The handler looked at each, and leaves the second look to its queue.
        expected = {event.id: (event.subject, "pending") for event in events}
        check(f"a batch in {schema} arrives at the handler", expected, {id: found.get(id) for id in ids})
        wrong = EventGridPublisherClient(azure["topicEndpoint"], AzureKeyCredential("d3Jvbmc="))
        refuses(f"a wrong key is refused, in {schema}", ClientAuthenticationError, lambda: wrong.send(events))
    large = EventGridEvent(resource("disks", "large"), TYPE, {"text": "x" * (1 << 20)}, "2")
    refuses("an event of more than 1 MB is refused", HttpResponseError, lambda: client.send([large]))


def main():
    with Receiver() as receiver:
        settings = [f"OTEL_EXPORTER_OTLP_ENDPOINT={receiver.endpoint}", "OTEL_BSP_SCHEDULE_DELAY=50"]
        with emulator("--subscription", SUBSCRIPTION, "--immediate", handler=True, settings=settings) as azure:
            if azure.get("topicEndpoint"):
                publish(azure, receiver)
            else:
                skip("batches in both schemas arrive at the handler", "this emulator has no topic endpoint")


main()

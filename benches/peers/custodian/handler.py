"""Cloud Custodian's own function for Azure, behind the server of the others.

Custodian's is everything from `main(QueueMessage)` on: policy, filters, actions, the Azure SDK. Its actions set no
`dataAccessAuthMode`, so the action below adds that, as its plugins do. What differs from a deployment: a server in
place of the Functions host and of the storage queue, the address of Azure Resource Manager, a token that never
changes, and the SDK's check that a token only goes over HTTPS.
"""

import importlib.util
import json
import os
import shutil
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import azure.core.pipeline.policies._authentication as authentication
from azure.functions.queue import QueueMessage
from msrestazure.azure_cloud import AZURE_PUBLIC_CLOUD

AZURE_PUBLIC_CLOUD.endpoints.resource_manager = os.environ["ARM_ENDPOINT"]
authentication._enforce_https = lambda request: request.context.options.pop("enforce_https", None)

SEALED = "AzureActiveDirectory"
POLICY = {
    "name": "seal",
    "resource": "azure.disk",
    "mode": {"type": "azure-event-grid", "events": ["DiskWrite"]},
    "filters": [{"type": "value", "key": "properties.dataAccessAuthMode", "op": "ne", "value": SEALED}],
    "actions": [{"type": "set-access-mode", "mode": SEALED}, {"type": "tag", "tag": "sealed-by", "value": "custodian"}],
}


def function():
    """The module that Custodian deploys, beside its two files, as in a function app."""
    deployed = importlib.util.find_spec("c7n_azure.function").origin
    folder = Path(tempfile.mkdtemp(prefix="custodian-"))
    shutil.copy(deployed, folder / "function.py")
    (folder / "config.json").write_text(json.dumps({"policies": [POLICY]}))
    subscription = "00000000-0000-4000-8000-000000000001"
    (folder / "auth.json").write_text(json.dumps({"access_token": "constant", "subscription_id": subscription, "tenant_id": "tenant"}))
    spec = importlib.util.spec_from_file_location("function", folder / "function.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def add_action():
    """The action that Custodian lacks."""
    from c7n.utils import type_schema
    from c7n_azure.actions.base import AzureBaseAction
    from c7n_azure.resources.disk import Disk

    @Disk.action_registry.register("set-access-mode")
    class SetAccessMode(AzureBaseAction):
        schema = type_schema("set-access-mode", mode={"type": "string"})

        def _prepare_processing(self):
            self.client = self.manager.get_client("azure.mgmt.compute.ComputeManagementClient")

        def _process_resource(self, resource):
            change = {"properties": {"dataAccessAuthMode": self.data["mode"]}}
            self.client.disks.begin_update(resource["resourceGroup"], resource["name"], change, polling_interval=1).result()


def clean_up_after_each_event():
    """Custodian leaves a folder for each event, which would fill the disk during a race."""
    from c7n_azure import handler

    made = handler.get_tmp_output_dir
    before = []

    def removing():
        # Those of other threads may be in use, but not one that is this old.
        if len(before) > 512:
            shutil.rmtree(before.pop(0), ignore_errors=True)
        before.append(made())
        return before[-1]

    handler.get_tmp_output_dir = removing


class Invocations(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Data"]["event"]
        seal.main(QueueMessage(id=event["id"], body=json.dumps(event), dequeue_count=1))
        body = b'{"Outputs": {}, "Logs": [], "ReturnValue": null}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


seal = function()
add_action()
clean_up_after_each_event()
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])), Invocations)
server.daemon_threads = True
server.serve_forever()

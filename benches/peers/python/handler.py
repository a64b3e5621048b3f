"""The usual answer in Python: aiohttp as the server, Azure's own packages for the two requests of an event.

The SDK refuses to send a token over plain HTTP, so each call allows it. No token is fetched: it never changes.
"""

import os
import time
from datetime import datetime, timezone
from functools import cache

from aiohttp import web
from azure.core.credentials import AccessToken
from azure.identity.aio import ManagedIdentityCredential  # noqa: F401  A real handler has to load it.
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.compute.models import DiskUpdate, SnapshotUpdate

SEALED = "AzureActiveDirectory"


class Constant:
    """A credential whose token never changes."""

    async def get_token(self, *_scopes, **_options):
        return AccessToken("constant", int(time.time()) + 3_600)

    async def close(self):
        pass


@cache
def compute(subscription):
    scopes = ["https://management.azure.com/.default"]
    return ComputeManagementClient(Constant(), subscription, base_url=os.environ["ARM_ENDPOINT"], credential_scopes=scopes)


async def seal(event):
    if event["eventType"] != "Microsoft.Resources.ResourceWriteSuccess":
        return "ignored"
    _, _, subscription, _, group, _, _, kind, name = event["subject"].split("/")
    client = compute(subscription)
    resources, update = (client.disks, DiskUpdate) if kind == "disks" else (client.snapshots, SnapshotUpdate)
    found = await resources.get(group, name, enforce_https=False)
    if found.data_access_auth_mode == SEALED:
        return "already sealed"
    tags = {**(found.tags or {}), "sealed-at": datetime.now(timezone.utc).isoformat()}
    change = update(data_access_auth_mode=SEALED, tags=tags)
    writing = await resources.begin_update(group, name, change, enforce_https=False, polling_interval=1)
    await writing.result()
    return "sealed"


async def seal_on_write(request):
    line = await seal((await request.json())["Data"]["event"])
    return web.json_response({"Outputs": {}, "Logs": [line], "ReturnValue": None})


app = web.Application()
app.router.add_post("/seal_on_write", seal_on_write)
web.run_app(app, host="127.0.0.1", port=int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"]), access_log=None, print=None)

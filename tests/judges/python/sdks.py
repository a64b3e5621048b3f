"""azure-mgmt-compute, azure-mgmt-resource, azure-mgmt-subscription and azure-mgmt-resourcegraph."""

import logging

from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient, models
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.resources.models import Tags, TagsPatchResource, TagsResource
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions
from azure.mgmt.subscription import SubscriptionClient

from judge import ARM_SCOPE, SUBSCRIPTION, check, emulator, refuses, resource, soon

logging.disable(logging.CRITICAL)

GROUP = "rg-data"


def options(azure):
    # Without a wait from Azure, as for deletions, the SDK's default is half a minute.
    return {"base_url": azure["armHttps"], "credential_scopes": [ARM_SCOPE], "polling_interval": 1}


def compute(azure):
    return ComputeManagementClient(ManagedIdentityCredential(), SUBSCRIPTION, **options(azure))


def disk(size=64, **more):
    creation = models.CreationData(create_option="Empty")
    properties = models.DiskProperties(creation_data=creation, disk_size_gb=size, **more.pop("properties", {}))
    return models.Disk(location="westeurope", properties=properties, **more)


def snapshot(source):
    creation = models.CreationData(create_option="Copy", source_resource_id=source)
    return models.Snapshot(location="westeurope", properties=models.SnapshotProperties(creation_data=creation))


def mode(found):
    return found.properties.data_access_auth_mode


def disks_and_snapshots(azure):
    client = compute(azure)
    made = client.disks.begin_create_or_update(GROUP, "data-1", disk(tags={"env": "prod", "owner": "jane"}))
    result = made.result()
    check("disks.begin_create_or_update ends", ("Succeeded", True), (made.status(), made.done()))
    check("disks.begin_create_or_update gives the whole disk", client.disks.get(GROUP, "data-1"), result)
    check(
        "disks.get",
        ("data-1", "Microsoft.Compute/disks", 64, "Unattached", "AllowAll", None, {"env": "prod", "owner": "jane"}),
        lambda: (
            result.name,
            result.type,
            result.properties.disk_size_gb,
            result.properties.disk_state,
            result.properties.network_access_policy,
            mode(result),
            dict(result.tags),
        ),
    )
    update = models.DiskUpdate(
        properties=models.DiskUpdateProperties(data_access_auth_mode="AzureActiveDirectory")
    )
    updated = client.disks.begin_update(GROUP, "data-1", update).result()
    check(
        "disks.begin_update of the mode alone leaves the tags",
        ("AzureActiveDirectory", {"env": "prod", "owner": "jane"}),
        (mode(updated), dict(updated.tags)),
    )
    updated = client.disks.begin_update(GROUP, "data-1", models.DiskUpdate(tags={"only": "this"})).result()
    check("disks.begin_update of tags replaces all of them", {"only": "this"}, dict(updated.tags))
    check("and leaves the mode", "AzureActiveDirectory", mode(updated))

    made = client.snapshots.begin_create_or_update(GROUP, "snap-1", snapshot(updated.id)).result()
    check("snapshots.begin_create_or_update", ("snap-1", 64, None), (made.name, made.properties.disk_size_gb, mode(made)))
    update = models.SnapshotUpdate(
        properties=models.SnapshotUpdateProperties(data_access_auth_mode="AzureActiveDirectory")
    )
    made = client.snapshots.begin_update(GROUP, "snap-1", update).result()
    check("snapshots.begin_update", "AzureActiveDirectory", mode(made))
    check("snapshots.list", ["snap-1"], [found.name for found in client.snapshots.list()])

    access = models.GrantAccessData(access="Read", duration_in_seconds=300)
    uri = client.disks.begin_grant_access(GROUP, "data-1", access).result()
    check("disks.begin_grant_access", True, lambda: uri.access_sas.startswith("https://"))
    check("the disk is ActiveSAS meanwhile", "ActiveSAS", client.disks.get(GROUP, "data-1").properties.disk_state)
    client.disks.begin_revoke_access(GROUP, "data-1").result()
    check("disks.begin_revoke_access", "Unattached", client.disks.get(GROUP, "data-1").properties.disk_state)

    check("snapshots.begin_delete", None, client.snapshots.begin_delete(GROUP, "snap-1").result())
    check("snapshots.begin_delete of a missing snapshot", None, client.snapshots.begin_delete(GROUP, "snap-1").result())
    client.disks.begin_delete(GROUP, "data-1").result()
    refuses("disks.get of what is gone", ResourceNotFoundError, lambda: client.disks.get(GROUP, "data-1"), "ResourceNotFound")


def lists(azure):
    client = compute(azure)
    names = [f"page-{number}" for number in range(7)]
    pollers = [client.disks.begin_create_or_update(GROUP, name, disk(8)) for name in names]
    for poller in pollers:
        poller.result()
    client.disks.begin_create_or_update("RG-Other", "page-x", disk(8)).result()
    pages = [[found.name for found in page] for page in client.disks.list_by_resource_group(GROUP).by_page()]
    check("disks.list_by_resource_group, by page", [names[:3], names[3:6], names[6:]], pages)
    check("disks.list has every group's", [*names, "page-x"], [found.name for found in client.disks.list()])
    token = client.disks.list_by_resource_group(GROUP).by_page()
    next(token)
    resumed = client.disks.list_by_resource_group(GROUP).by_page(continuation_token=token.continuation_token)
    check("a list goes on from a continuation token", names[3:6], [found.name for found in next(resumed)])

    graph = ResourceGraphClient(ManagedIdentityCredential(), **options(azure))
    query = "resources | where type =~ 'microsoft.compute/disks' | project id, name | order by name asc"
    found, token = [], None
    while True:
        wanted = QueryRequestOptions(top=3, skip_token=token, result_format="objectArray")
        answer = graph.resources(QueryRequest(subscriptions=[SUBSCRIPTION], query=query, options=wanted))
        found.append([row["name"] for row in answer.data])
        token = answer.skip_token
        if not token:
            break
    check("resources of Resource Graph, by skip token", [names[:3], names[3:6], [names[6], "page-x"]], found)
    check("its totals", (8, 2, "false"), (answer.total_records, answer.count, answer.result_truncated))
    refuses(
        "a query that is none",
        HttpResponseError,
        lambda: graph.resources(QueryRequest(subscriptions=[SUBSCRIPTION], query="resources | wear hats")),
        "BadRequest",
    )
    subscriptions = SubscriptionClient(ManagedIdentityCredential(), **options(azure))
    check("subscriptions.list", [SUBSCRIPTION], [found.subscription_id for found in subscriptions.subscriptions.list()])
    check("tenants.list", 1, len(list(subscriptions.tenants.list())))


def tags_at_scope(azure):
    compute(azure).disks.begin_create_or_update(GROUP, "tagged", disk(8, tags={"env": "prod", "keep": "me"})).result()
    client = ResourceManagementClient(ManagedIdentityCredential(), SUBSCRIPTION, **options(azure))
    scope = resource("disks", "tagged")

    def write(operation, **tags):
        patch = TagsPatchResource(operation=operation, properties=Tags(tags=tags))
        return dict(client.tags.begin_update_at_scope(scope, patch).result().properties.tags)

    merged = {"env": "test", "keep": "me", "owner": "jane"}
    check("tags.begin_update_at_scope Merge", merged, lambda: write("Merge", env="test", owner="jane"))
    check("tags.begin_update_at_scope Delete", {"keep": "me", "owner": "jane"}, lambda: write("Delete", env="test"))
    check("tags.begin_update_at_scope Replace", {"only": "this"}, lambda: write("Replace", only="this"))
    check("tags.get_at_scope", {"only": "this"}, lambda: dict(client.tags.get_at_scope(scope).properties.tags))
    whole = TagsResource(properties=Tags(tags={"a": "b"}))
    check(
        "tags.begin_create_or_update_at_scope",
        {"a": "b"},
        lambda: dict(client.tags.begin_create_or_update_at_scope(scope, whole).result().properties.tags),
    )
    refuses("an operation that there is not", HttpResponseError, lambda: write("Mix", a="b"), "InvalidTagsPatchOperation")
    refuses("51 tags", HttpResponseError, lambda: write("Merge", **{f"t{n}": "v" for n in range(51)}), "InvalidResourceTags")
    refuses(
        "tags of a disk that is not there",
        ResourceNotFoundError,
        lambda: client.tags.get_at_scope(resource("disks", "none")),
        "ResourceNotFound",
    )
    check("resource_groups.get", ("rg-data", "westeurope"), lambda: (client.resource_groups.get(GROUP).name, client.resource_groups.get(GROUP).location))


class Fixed:
    """A credential with a given token."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **_):
        return AccessToken(self.token, 4_000_000_000)


def typed_errors(azure):
    client = compute(azure)
    client.disks.begin_create_or_update(GROUP, "busy", disk(8)).result()
    get = client.disks.get
    refuses("a disk that is not there", ResourceNotFoundError, lambda: get(GROUP, "none"), "'Microsoft.Compute/disks/none'")
    for what, version, code in [
        ("a version that is too old", "2019-01-01", "NoRegisteredProviderFound"),
        ("a version that is none", "yesterday", "InvalidApiVersionParameter"),
    ]:
        refuses(what, HttpResponseError, lambda: get(GROUP, "busy", params={"api-version": version}), code)
    foreign = ComputeManagementClient(ManagedIdentityCredential(), "99999999-2222-4333-8444-555555555555", **options(azure))
    refuses("another subscription", ResourceNotFoundError, lambda: foreign.disks.get(GROUP, "busy"), "SubscriptionNotFound")
    malformed = ComputeManagementClient(ManagedIdentityCredential(), "mine", **options(azure))
    refuses("a subscription that is no GUID", HttpResponseError, lambda: malformed.disks.get(GROUP, "busy"), "InvalidSubscriptionId")
    forged = ComputeManagementClient(Fixed("a.b.c"), SUBSCRIPTION, **options(azure))
    refuses("a token that is none", ClientAuthenticationError, lambda: forged.disks.get(GROUP, "busy"), "InvalidAuthenticationToken")
    vault = ManagedIdentityCredential().get_token("https://vault.azure.net/.default").token
    strange = ComputeManagementClient(Fixed(vault), SUBSCRIPTION, **options(azure))
    refuses(
        "a token for somebody else", ClientAuthenticationError, lambda: strange.disks.get(GROUP, "busy"),
        "InvalidAuthenticationTokenAudience",
    )
    wrong = models.DiskUpdate(properties=models.DiskUpdateProperties(data_access_auth_mode="Entra"))
    refuses(
        "a mode that there is not", HttpResponseError, lambda: client.disks.begin_update(GROUP, "busy", wrong).result(),
        "InvalidParameter",
    )
    refuses(
        "a name that is none", HttpResponseError,
        lambda: client.disks.begin_create_or_update(GROUP, "a b", disk(8)).result(), "InvalidResourceName",
    )
    # While a disk is being created, only its creator can change it.
    first = client.disks.begin_create_or_update(GROUP, "new", disk(8))
    update = models.DiskUpdate(tags={"a": "b"})
    refuses(
        "a write of a disk that is being made", ResourceExistsError,
        lambda: client.disks.begin_update(GROUP, "new", update), "Conflict",
    )
    first.result()


def preempted(azure):
    client = compute(azure)
    client.disks.begin_create_or_update(GROUP, "race", disk(8)).result()
    first = client.disks.begin_update(GROUP, "race", models.DiskUpdate(tags={"writer": "first"}))
    second = client.disks.begin_update(GROUP, "race", models.DiskUpdate(tags={"writer": "second"}))
    refuses("the older of two writes is preempted", HttpResponseError, first.result, "OperationPreempted")
    check("the newer one takes effect", {"writer": "second"}, lambda: dict(second.result().tags))


def sealed(azure):
    client = compute(azure)

    def state(get, name):
        found = get(GROUP, name)
        return mode(found), (found.tags or {}).get("diskseal-auth-mode")

    goal = ("AzureActiveDirectory", "AzureActiveDirectory")
    made = client.disks.begin_create_or_update(GROUP, "new", disk(8)).result()
    check(
        "a disk made by the SDK is sealed", goal,
        soon(lambda: state(client.disks.get, "new"), lambda found: found == goal),
    )
    client.snapshots.begin_create_or_update(GROUP, "snap", snapshot(made.id)).result()
    check(
        "a snapshot made by the SDK is sealed", goal,
        soon(lambda: state(client.snapshots.get, "snap"), lambda found: found == goal),
    )
    machine = client.virtual_machines.begin_create_or_update(GROUP, "vm-2", virtual_machine()).result()
    def machine_state():
        return [(mode(found), (found.tags or {}).get("diskseal-auth-mode")) for found in disks_of(client, machine)]

    check(
        "the disks that a virtual machine makes are sealed, of which no event tells", [goal, goal],
        soon(machine_state, lambda found: found == [goal, goal]),
    )
    # What a client writes that read the disk before our seal; `made` may have been read after it. The seal has a time
    # stamp.
    def sealed_at():
        return (client.disks.get(GROUP, "new").tags or {}).get("diskseal-sealed-at")

    before = sealed_at()
    client.disks.begin_create_or_update(GROUP, "new", disk(8)).result()
    check(
        "a full PUT of what was read before the seal is answered by the next event", goal,
        soon(lambda: state(client.disks.get, "new"), lambda found: found == goal and sealed_at() != before),
    )
    check("which leads to another seal", True, sealed_at() not in (None, before))


def storage_profile(of=models.StorageProfile, os_disk=models.OSDisk, data_disk=models.DataDisk):
    return of(
        os_disk=os_disk(create_option="FromImage", os_type="Linux"),
        data_disks=[data_disk(lun=0, create_option="Empty", disk_size_gb=8)],
    )


def virtual_machine():
    properties = models.VirtualMachineProperties(storage_profile=storage_profile())
    return models.VirtualMachine(location="westeurope", tags={"owner": "jane"}, properties=properties)


def scale_set(mode, capacity):
    profile = models.VirtualMachineScaleSetVMProfile(
        storage_profile=storage_profile(
            models.VirtualMachineScaleSetStorageProfile,
            models.VirtualMachineScaleSetOSDisk,
            models.VirtualMachineScaleSetDataDisk,
        )
    )
    properties = models.VirtualMachineScaleSetProperties(orchestration_mode=mode, virtual_machine_profile=profile)
    return models.VirtualMachineScaleSet(
        location="westeurope", sku=models.Sku(name="Standard_B1s", capacity=capacity), properties=properties
    )


def disks_of(client, machine):
    profile = machine.properties.storage_profile
    ids = [profile.os_disk.managed_disk.id] + [disk.managed_disk.id for disk in profile.data_disks]
    return [client.disks.get(id.split("/")[4], id.split("/")[-1]) for id in ids]


def machines(azure):
    client = compute(azure)
    made = client.virtual_machines.begin_create_or_update(GROUP, "vm-1", virtual_machine()).result()
    check("virtual_machines.get", made, client.virtual_machines.get(GROUP, "vm-1"))
    disks = disks_of(client, made)
    check(
        "a virtual machine comes with disks that it holds",
        [(made.id, "Attached", "FromImage", {"owner": "jane"}), (made.id, "Attached", "Empty", {})],
        [
            (disk.managed_by, disk.properties.disk_state, disk.properties.creation_data.create_option, dict(disk.tags or {}))
            for disk in disks
        ],
    )
    check("which have no mode", [None, None], [mode(disk) for disk in disks])
    client.virtual_machine_scale_sets.begin_create_or_update(GROUP, "uniform", scale_set("Uniform", 5)).result()
    instances = list(client.virtual_machine_scale_set_vms.list(GROUP, "uniform"))
    check("virtual_machine_scale_set_vms.list, all pages", list("01234"), [one.instance_id for one in instances])
    check("each with its disks", 10, sum(len(disks_of(client, one)) for one in instances))
    flexible = client.virtual_machine_scale_sets.begin_create_or_update(GROUP, "flex", scale_set("Flexible", 4)).result()
    condition = f"'virtualMachineScaleSet/id' eq '{flexible.id}'"
    found = list(client.virtual_machines.list(GROUP, filter=condition))
    check("virtual_machines.list of a flexible scale set, all pages", 4, len(found))
    check("whose machines name it", {flexible.id}, {one.properties.virtual_machine_scale_set.id for one in found})
    refuses(
        "a virtual machine that is not there", ResourceNotFoundError,
        lambda: client.virtual_machines.get(GROUP, "nobody"), "ResourceNotFound",
    )


def main():
    with emulator("--subscription", SUBSCRIPTION, "--retry-after", "1", "--page-size", "3") as azure:
        disks_and_snapshots(azure)
        lists(azure)
        typed_errors(azure)
        preempted(azure)
        machines(azure)
    with emulator("--subscription", SUBSCRIPTION, "--immediate") as azure:
        tags_at_scope(azure)
    with emulator("--subscription", SUBSCRIPTION, "--retry-after", "1", handler=True) as azure:
        sealed(azure)


main()

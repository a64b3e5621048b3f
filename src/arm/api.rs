//! Every call that Diskseal makes to Azure Resource Manager, as one constant each.
//!
//! Sources: the REST API reference of each provider, for template and version; "Azure resource provider
//! operations", for the action that a role must allow.

mod monitor;

use azure_core::http::Method;

pub use monitor::{ACTIVITY_LOG, COMPONENTS, LOGS};

/// One operation of a resource provider's REST API.
#[derive(Debug, PartialEq, Eq)]
pub struct Api {
    /// What it does, for messages: `reading the resource`.
    pub what: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The template of its path, for the span's attribute `url.template`.
    pub template: &'static str,
    /// The value of the query parameter `api-version`.
    pub version: &'static str,
    /// The action that the identity's role must allow. None if ARM requires no action.
    pub action: Option<&'static str>,
    /// The resource provider, for the span's attribute `azure.resource_provider.namespace`.
    pub provider: &'static str,
}

/// The longest answer about one resource, in bytes. A disk with all its tags has about 40 KB.
const RESOURCE_BYTES_MAX: usize = 1024 * 1024;
/// The longest page of a list, in bytes. Resource Graph itself refuses answers over 16 MiB
/// (`ResponsePayloadTooLarge`), and a page has at most 1,000 rows.
const PAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

impl Api {
    /// How many bytes of an answer are read. Whatever answers in ARM's place may send without end.
    pub fn answer_bytes_max(&self) -> usize {
        let is_one = ["}", "/tags/default", "/endGetAccess"].iter().any(|end| self.template.ends_with(end));
        if is_one { RESOURCE_BYTES_MAX } else { PAGE_BYTES_MAX }
    }

    /// Whether the answer lists what there is in whole subscriptions, which takes Azure long.
    pub(super) fn is_list(&self) -> bool {
        [&DISKS, &SNAPSHOTS, &QUERY, &SUBSCRIPTIONS, &DESCENDANTS].contains(&self)
    }
}

const AUTHORIZATION: &str = "Microsoft.Authorization";
const COMPUTE: &str = "Microsoft.Compute";
const EVENT_GRID: &str = "Microsoft.EventGrid";
const MANAGEMENT: &str = "Microsoft.Management";
const RESOURCE_GRAPH: &str = "Microsoft.ResourceGraph";
const RESOURCES: &str = "Microsoft.Resources";
const STORAGE: &str = "Microsoft.Storage";
const WEB: &str = "Microsoft.Web";

/// Available in every cloud. Later versions lack members that are used here.
const DISKS_VERSION: &str = "2024-03-02";
/// Available in every cloud, and newer than the filter by scale set.
const MACHINES_VERSION: &str = "2024-03-01";
const TAGS_VERSION: &str = "2024-07-01";
const EVENT_GRID_VERSION: &str = "2025-02-15";

/// "Disks - Get".
pub const DISK: Api = Api {
    what: "reading the resource",
    method: Method::Get,
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}",
    version: DISKS_VERSION,
    action: Some("Microsoft.Compute/disks/read"),
    provider: COMPUTE,
};

/// "Snapshots - Get".
pub const SNAPSHOT: Api = Api {
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/snapshots/{name}",
    action: Some("Microsoft.Compute/snapshots/read"),
    ..DISK
};

/// "Disks - Update", for `properties.dataAccessAuthMode` and the network settings.
pub const DISK_UPDATE: Api = Api {
    what: "setting dataAccessAuthMode",
    method: Method::Patch,
    action: Some("Microsoft.Compute/disks/write"),
    ..DISK
};

/// "Snapshots - Update", for the same properties.
pub const SNAPSHOT_UPDATE: Api = Api {
    what: "setting dataAccessAuthMode",
    method: Method::Patch,
    action: Some("Microsoft.Compute/snapshots/write"),
    ..SNAPSHOT
};

/// "Disks - Revoke Access".
pub const DISK_END_ACCESS: Api = Api {
    what: "revoking the SAS URLs",
    method: Method::Post,
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}/endGetAccess",
    action: Some("Microsoft.Compute/disks/endGetAccess/action"),
    ..DISK
};

/// "Snapshots - Revoke Access".
pub const SNAPSHOT_END_ACCESS: Api = Api {
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/snapshots/{name}/endGetAccess",
    action: Some("Microsoft.Compute/snapshots/endGetAccess/action"),
    ..DISK_END_ACCESS
};

/// "Disks - Create Or Update".
pub const DISK_CREATE: Api = Api { what: "creating the disk", method: Method::Put, ..DISK_UPDATE };

/// "Snapshots - Create Or Update".
pub const SNAPSHOT_CREATE: Api =
    Api { what: "creating the snapshot", method: Method::Put, ..SNAPSHOT_UPDATE };

/// "Disks - List".
pub const DISKS: Api =
    Api { what: "listing disks", template: "/subscriptions/{id}/providers/Microsoft.Compute/disks", ..DISK };

/// "Snapshots - List".
pub const SNAPSHOTS: Api = Api {
    what: "listing snapshots",
    template: "/subscriptions/{id}/providers/Microsoft.Compute/snapshots",
    ..SNAPSHOT
};

/// The state of a long-running operation, at the URL that ARM returned ("Track asynchronous Azure operations").
/// The URL is signed, so no action is needed.
pub const OPERATION: Api = Api {
    what: "waiting for the operation",
    template: "/subscriptions/{id}/providers/Microsoft.Compute/locations/{location}/DiskOperations/{id}",
    action: None,
    ..DISK
};

/// "Tags - Get At Scope".
pub const TAGS: Api = Api {
    what: "reading tags",
    method: Method::Get,
    template: "/{scope}/providers/Microsoft.Resources/tags/default",
    version: TAGS_VERSION,
    action: Some("Microsoft.Resources/tags/read"),
    provider: RESOURCES,
};

/// "Tags - Update At Scope", operation `Merge`.
pub const TAGS_MERGE: Api = Api {
    what: "merging the tags",
    method: Method::Patch,
    action: Some("Microsoft.Resources/tags/write"),
    ..TAGS
};

/// "Tags - Update At Scope", operation `Delete`.
pub const TAGS_DELETE: Api = Api { what: "removing the tags", ..TAGS_MERGE };

/// "Virtual Machines - Get".
pub const MACHINE: Api = Api {
    what: "reading the machine",
    method: Method::Get,
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines/{name}",
    version: MACHINES_VERSION,
    action: Some("Microsoft.Compute/virtualMachines/read"),
    provider: COMPUTE,
};

/// "Virtual Machines - List", of a scale set with flexible orchestration.
pub const MACHINES: Api = Api {
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines",
    ..MACHINE
};

/// "Virtual Machine Scale Set VMs - Get".
pub const INSTANCE: Api = Api {
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute\
               /virtualMachineScaleSets/{name}/virtualMachines/{id}",
    action: Some("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read"),
    ..MACHINE
};

/// "Virtual Machine Scale Set VMs - List".
pub const INSTANCES: Api = Api {
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute\
               /virtualMachineScaleSets/{name}/virtualMachines",
    ..INSTANCE
};

/// "Resources - Resources", a query of Azure Resource Graph.
pub const QUERY: Api = Api {
    what: "querying Resource Graph",
    method: Method::Post,
    template: "/providers/Microsoft.ResourceGraph/resources",
    version: "2024-04-01",
    action: Some("Microsoft.ResourceGraph/resources/read"),
    provider: RESOURCE_GRAPH,
};

/// "Subscriptions - List".
pub const SUBSCRIPTIONS: Api = Api {
    what: "listing subscriptions",
    method: Method::Get,
    template: "/subscriptions",
    version: "2022-12-01",
    action: Some("Microsoft.Resources/subscriptions/read"),
    provider: RESOURCES,
};

/// "Management Groups - Get Descendants".
pub const DESCENDANTS: Api = Api {
    what: "listing the management group's subscriptions",
    method: Method::Get,
    template: "/providers/Microsoft.Management/managementGroups/{id}/descendants",
    version: "2020-05-01",
    action: Some("Microsoft.Management/managementGroups/descendants/read"),
    provider: MANAGEMENT,
};

/// "Permissions - List" at a subscription.
pub const PERMISSIONS: Api = Api {
    what: "reading the permissions",
    method: Method::Get,
    template: "/subscriptions/{id}/providers/Microsoft.Authorization/permissions",
    version: "2022-04-01",
    action: Some("Microsoft.Authorization/permissions/read"),
    provider: AUTHORIZATION,
};

/// "Role Assignments - List For Scope", with the filter `assignedTo`.
pub const ROLE_ASSIGNMENTS: Api = Api {
    what: "listing the role assignments",
    template: "/{scope}/providers/Microsoft.Authorization/roleAssignments",
    action: Some("Microsoft.Authorization/roleAssignments/read"),
    ..PERMISSIONS
};

/// "Role Definitions - Get By ID".
pub const ROLE_DEFINITION: Api = Api {
    what: "reading the role",
    template: "/{scope}/providers/Microsoft.Authorization/roleDefinitions/{id}",
    action: Some("Microsoft.Authorization/roleDefinitions/read"),
    ..PERMISSIONS
};

/// "System Topics - List By Subscription".
pub const SYSTEM_TOPICS: Api = Api {
    what: "listing the system topics",
    method: Method::Get,
    template: "/subscriptions/{id}/providers/Microsoft.EventGrid/systemTopics",
    version: EVENT_GRID_VERSION,
    action: Some("Microsoft.EventGrid/systemTopics/read"),
    provider: EVENT_GRID,
};

/// "System Topic Event Subscriptions - List By System Topic".
pub const TOPIC_EVENT_SUBSCRIPTIONS: Api = Api {
    what: "listing the topic's event subscriptions",
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.EventGrid/systemTopics/{name}\
               /eventSubscriptions",
    action: Some("Microsoft.EventGrid/systemTopics/eventSubscriptions/read"),
    ..SYSTEM_TOPICS
};

/// "Event Subscriptions - List Global By Subscription".
pub const EVENT_SUBSCRIPTIONS: Api = Api {
    what: "listing the subscription's event subscriptions",
    template: "/subscriptions/{id}/providers/Microsoft.EventGrid/eventSubscriptions",
    action: Some("Microsoft.EventGrid/eventSubscriptions/read"),
    ..SYSTEM_TOPICS
};

/// "Web Apps - Get".
pub const SITE: Api = Api {
    what: "reading the function app",
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Web/sites/{name}",
    action: Some("Microsoft.Web/sites/read"),
    ..FUNCTIONS
};

/// "Web Apps - List Functions".
pub const FUNCTIONS: Api = Api {
    what: "listing the app's functions",
    method: Method::Get,
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Web/sites/{name}/functions",
    version: "2024-04-01",
    action: Some("Microsoft.Web/sites/functions/read"),
    provider: WEB,
};

/// "Web Apps - List Application Settings". A POST, because the answer holds secrets.
pub const APP_SETTINGS: Api = Api {
    what: "reading the app's settings",
    method: Method::Post,
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Web/sites/{name}/config/appsettings/list",
    action: Some("Microsoft.Web/sites/config/list/action"),
    ..FUNCTIONS
};

/// "Blob Containers - Get".
pub const CONTAINER: Api = Api {
    what: "reading the container",
    method: Method::Get,
    template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Storage/storageAccounts/{name}\
               /blobServices/default/containers/{name}",
    version: "2024-01-01",
    action: Some("Microsoft.Storage/storageAccounts/blobServices/containers/read"),
    provider: STORAGE,
};

/// "Resource Groups - Get".
pub const GROUP: Api = Api {
    what: "reading the resource group",
    method: Method::Get,
    template: "/subscriptions/{id}/resourceGroups/{name}",
    version: "2021-04-01",
    action: Some("Microsoft.Resources/subscriptions/resourceGroups/read"),
    provider: RESOURCES,
};

/// "Resource Groups - Create Or Update".
pub const GROUP_CREATE: Api = Api {
    what: "creating the resource group",
    method: Method::Put,
    action: Some("Microsoft.Resources/subscriptions/resourceGroups/write"),
    ..GROUP
};

/// "Resource Groups - Delete".
pub const GROUP_DELETE: Api = Api {
    what: "deleting the resource group",
    method: Method::Delete,
    action: Some("Microsoft.Resources/subscriptions/resourceGroups/delete"),
    ..GROUP
};

/// Every call.
pub const ALL: [&Api; 37] = [
    &DISK,
    &SNAPSHOT,
    &DISK_UPDATE,
    &SNAPSHOT_UPDATE,
    &DISK_END_ACCESS,
    &SNAPSHOT_END_ACCESS,
    &DISK_CREATE,
    &SNAPSHOT_CREATE,
    &DISKS,
    &SNAPSHOTS,
    &OPERATION,
    &TAGS,
    &TAGS_MERGE,
    &TAGS_DELETE,
    &MACHINE,
    &MACHINES,
    &INSTANCE,
    &INSTANCES,
    &QUERY,
    &SUBSCRIPTIONS,
    &DESCENDANTS,
    &PERMISSIONS,
    &ROLE_ASSIGNMENTS,
    &ROLE_DEFINITION,
    &SYSTEM_TOPICS,
    &TOPIC_EVENT_SUBSCRIPTIONS,
    &EVENT_SUBSCRIPTIONS,
    &SITE,
    &FUNCTIONS,
    &APP_SETTINGS,
    &CONTAINER,
    &GROUP,
    &GROUP_CREATE,
    &GROUP_DELETE,
    &COMPONENTS,
    &ACTIVITY_LOG,
    &LOGS,
];

#[cfg(test)]
mod tests;

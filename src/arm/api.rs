//! Every call that Diskseal makes to Azure Resource Manager, as one constant each.
//!
//! Sources: the REST API reference of each provider, for template and version; "Azure resource provider
//! operations", for the action that a role must allow.

use azure_core::http::Method;

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
}

impl Api {
    /// The resource provider, for the span's attribute `azure.resource_provider.namespace`: the last in the path, or
    /// that of subscriptions.
    pub fn provider(&self) -> &'static str {
        let rest = self.template.rsplit_once("/providers/").map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split('/').next()).unwrap_or("Microsoft.Resources")
    }
}

/// Declares the calls, and the list of all.
macro_rules! apis {
    ($($(#[$meta:meta])* $name:ident = $api:expr;)*) => {
        $($(#[$meta])* pub const $name: Api = $api;)*

        /// Every call.
        pub const ALL: &[&Api] = &[$(&$name),*];
    };
}

apis! {
    /// "Disks - Get".
    DISK = Api {
        what: "reading the resource",
        method: Method::Get,
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}",
        // Available in every cloud. Later versions lack members that are used here.
        version: "2024-03-02",
        action: Some("Microsoft.Compute/disks/read"),
    };

    /// "Snapshots - Get".
    SNAPSHOT = Api {
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/snapshots/{name}",
        action: Some("Microsoft.Compute/snapshots/read"),
        ..DISK
    };

    /// "Disks - Update", for `properties.dataAccessAuthMode`.
    DISK_UPDATE = Api {
        what: "setting dataAccessAuthMode",
        method: Method::Patch,
        action: Some("Microsoft.Compute/disks/write"),
        ..DISK
    };

    /// "Snapshots - Update", for `properties.dataAccessAuthMode`.
    SNAPSHOT_UPDATE = Api {
        what: "setting dataAccessAuthMode",
        method: Method::Patch,
        action: Some("Microsoft.Compute/snapshots/write"),
        ..SNAPSHOT
    };

    /// "Disks - List".
    DISKS = Api { what: "listing disks", template: "/subscriptions/{id}/providers/Microsoft.Compute/disks", ..DISK };

    /// "Snapshots - List".
    SNAPSHOTS = Api {
        what: "listing snapshots",
        template: "/subscriptions/{id}/providers/Microsoft.Compute/snapshots",
        ..SNAPSHOT
    };

    /// The state of a long-running operation, at the URL that ARM returned ("Track asynchronous Azure operations").
    /// The URL is signed, so no action is needed.
    OPERATION = Api {
        what: "waiting for the operation",
        template: "/subscriptions/{id}/providers/Microsoft.Compute/locations/{location}/DiskOperations/{id}",
        action: None,
        ..DISK
    };

    /// "Tags - Get At Scope".
    TAGS = Api {
        what: "reading tags",
        method: Method::Get,
        template: "/{scope}/providers/Microsoft.Resources/tags/default",
        version: "2024-07-01",
        action: Some("Microsoft.Resources/tags/read"),
    };

    /// "Tags - Update At Scope", operation `Merge`.
    TAGS_MERGE = Api {
        what: "merging the tags",
        method: Method::Patch,
        action: Some("Microsoft.Resources/tags/write"),
        ..TAGS
    };

    /// "Tags - Update At Scope", operation `Delete`.
    TAGS_DELETE = Api { what: "removing the tags", ..TAGS_MERGE };

    /// "Virtual Machines - Get".
    MACHINE = Api {
        what: "reading the machine",
        method: Method::Get,
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines/{name}",
        // Available in every cloud, and newer than the filter by scale set.
        version: "2024-03-01",
        action: Some("Microsoft.Compute/virtualMachines/read"),
    };

    /// "Virtual Machines - List", of a scale set with flexible orchestration.
    MACHINES = Api {
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines",
        ..MACHINE
    };

    /// "Virtual Machine Scale Set VMs - Get".
    INSTANCE = Api {
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute\
                   /virtualMachineScaleSets/{name}/virtualMachines/{id}",
        action: Some("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read"),
        ..MACHINE
    };

    /// "Virtual Machine Scale Set VMs - List".
    INSTANCES = Api {
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute\
                   /virtualMachineScaleSets/{name}/virtualMachines",
        ..INSTANCE
    };

    /// "Resources - Resources", a query of Azure Resource Graph.
    QUERY = Api {
        what: "querying Resource Graph",
        method: Method::Post,
        template: "/providers/Microsoft.ResourceGraph/resources",
        version: "2024-04-01",
        action: Some("Microsoft.ResourceGraph/resources/read"),
    };

    /// "Subscriptions - List".
    SUBSCRIPTIONS = Api {
        what: "listing subscriptions",
        method: Method::Get,
        template: "/subscriptions",
        version: "2022-12-01",
        action: Some("Microsoft.Resources/subscriptions/read"),
    };

    /// "Management Groups - Get Descendants".
    DESCENDANTS = Api {
        what: "listing the management group's subscriptions",
        method: Method::Get,
        template: "/providers/Microsoft.Management/managementGroups/{id}/descendants",
        version: "2020-05-01",
        action: Some("Microsoft.Management/managementGroups/descendants/read"),
    };

    /// "Permissions - List" at a subscription.
    PERMISSIONS = Api {
        what: "reading the permissions",
        method: Method::Get,
        template: "/subscriptions/{id}/providers/Microsoft.Authorization/permissions",
        version: "2022-04-01",
        action: Some("Microsoft.Authorization/permissions/read"),
    };

    /// "System Topics - List By Subscription".
    SYSTEM_TOPICS = Api {
        what: "listing the system topics",
        method: Method::Get,
        template: "/subscriptions/{id}/providers/Microsoft.EventGrid/systemTopics",
        version: "2025-02-15",
        action: Some("Microsoft.EventGrid/systemTopics/read"),
    };

    /// "System Topic Event Subscriptions - List By System Topic".
    TOPIC_EVENT_SUBSCRIPTIONS = Api {
        what: "listing the topic's event subscriptions",
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.EventGrid/systemTopics/{name}\
                   /eventSubscriptions",
        action: Some("Microsoft.EventGrid/systemTopics/eventSubscriptions/read"),
        ..SYSTEM_TOPICS
    };

    /// "Event Subscriptions - List Global By Subscription".
    EVENT_SUBSCRIPTIONS = Api {
        what: "listing the subscription's event subscriptions",
        template: "/subscriptions/{id}/providers/Microsoft.EventGrid/eventSubscriptions",
        action: Some("Microsoft.EventGrid/eventSubscriptions/read"),
        ..SYSTEM_TOPICS
    };

    /// "Web Apps - List Functions".
    FUNCTIONS = Api {
        what: "listing the app's functions",
        method: Method::Get,
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Web/sites/{name}/functions",
        version: "2024-04-01",
        action: Some("Microsoft.Web/sites/functions/read"),
    };

    /// "Blob Containers - Get".
    CONTAINER = Api {
        what: "reading the container",
        method: Method::Get,
        template: "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Storage/storageAccounts/{name}\
                   /blobServices/default/containers/{name}",
        version: "2024-01-01",
        action: Some("Microsoft.Storage/storageAccounts/blobServices/containers/read"),
    };
}

#[test]
fn the_action_is_one_of_the_templates_provider() {
    for api in ALL {
        let is_of_provider = |action: &str| action.starts_with(&format!("{}/", api.provider()));
        assert!(api.action.is_none_or(is_of_provider), "{}", api.template);
    }
    assert_eq!((DISK.provider(), SUBSCRIPTIONS.provider()), ("Microsoft.Compute", "Microsoft.Resources"));
}

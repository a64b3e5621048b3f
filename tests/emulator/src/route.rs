//! The part of Azure that a path belongs to, regardless of case.

use percent_encoding::percent_decode_str;

use crate::{
    machine::{MachineId, MachineKind},
    resource_id::{ResourceId, ResourceKind},
};

/// The subject of a request to Resource Manager.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// A disk or snapshot.
    Resource(ResourceId),
    /// `beginGetAccess` (true) or `endGetAccess` of a disk or snapshot.
    Access(ResourceId, bool),
    /// All resources of a type in a resource group.
    GroupList { subscription: String, group: String, kind: ResourceKind },
    /// All resources of a type in a subscription.
    SubscriptionList { subscription: String, kind: ResourceKind },
    /// A virtual machine, a scale set or an instance of one.
    Machine(MachineId),
    /// The instances of a scale set.
    Instances(MachineId),
    /// The virtual machines of a resource group.
    Machines { subscription: String, group: String },
    /// The tags of a disk or snapshot.
    Tags(ResourceId),
    /// The tags of any other resource in a subscription, or of the subscription.
    ScopeTags { subscription: String, scope: String },
    /// The state of an operation of the Compute provider.
    Operation { subscription: String, name: String },
    /// A query of Resource Graph.
    Graph,
    /// What is below a management group.
    Descendants(String),
    /// All subscriptions.
    Subscriptions,
    /// One subscription.
    Subscription(String),
    /// A resource group.
    Group { subscription: String, group: String },
    /// All tenants.
    Tenants,
    /// The metadata of this cloud.
    Endpoints,
    /// A function app, by its id.
    Site(String),
    /// The app settings of a function app, by its id.
    SiteSettings(String),
    /// The function apps of a subscription.
    Sites(String),
    /// The query of a Log Analytics workspace, by its id.
    Logs(String),
    /// The Application Insights components of a subscription.
    Components(String),
    /// The activity log of a subscription.
    ActivityLog(String),
    /// A resource type that is not emulated.
    UnknownType { subscription: String, namespace: String, type_name: String },
    /// Not a path of Resource Manager.
    Unknown,
}

impl Route {
    pub(crate) fn of(path: &str) -> Self {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let path = decoded.trim_end_matches('/');
        if let Some(scope) = strip_suffix(path, "/providers/Microsoft.Resources/tags/default") {
            return ResourceId::parse(scope).map_or_else(|| Self::of_scope_tags(scope), Self::Tags);
        }
        for (verb, begin) in [("/beginGetAccess", true), ("/endGetAccess", false)] {
            if let Some(id) = strip_suffix(path, verb).and_then(ResourceId::parse) {
                return Self::Access(id, begin);
            }
        }
        if let Some(id) = MachineId::parse(path) {
            return Self::Machine(id);
        }
        let scale_set = strip_suffix(path, "/virtualMachines").and_then(MachineId::parse);
        if let Some(id) = scale_set.filter(|id| id.kind == MachineKind::ScaleSet) {
            return Self::Instances(id);
        }
        ResourceId::parse(path).map_or_else(|| Self::of_segments(path), Self::Resource)
    }

    fn of_scope_tags(scope: &str) -> Self {
        let mut segments = scope.split('/').skip(1);
        match (segments.next(), segments.next()) {
            (Some(keyword), Some(id)) if keyword.eq_ignore_ascii_case("subscriptions") => {
                Self::ScopeTags { subscription: id.to_owned(), scope: scope.to_owned() }
            }
            _ => Self::Unknown,
        }
    }

    fn of_segments(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let folded: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let folded: Vec<&str> = folded.iter().map(String::as_str).collect();
        let given = |index: usize| segments.get(index).copied().unwrap_or_default().to_owned();
        match folded[..] {
            ["subscriptions"] => Self::Subscriptions,
            ["subscriptions", _] => Self::Subscription(given(1)),
            ["subscriptions", _, "resourcegroups", _] => {
                Self::Group { subscription: given(1), group: given(3) }
            }
            ["tenants"] => Self::Tenants,
            ["providers", "microsoft.resourcegraph", "resources"] => Self::Graph,
            ["providers", "microsoft.management", "managementgroups", _, "descendants"] => {
                Self::Descendants(given(3))
            }
            ["metadata", "endpoints"] => Self::Endpoints,
            [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.compute",
                "virtualmachines",
            ] => Self::Machines { subscription: given(1), group: given(3) },
            ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.compute", kind]
                if let Some(kind) = ResourceKind::from_segment(kind) =>
            {
                Self::GroupList { subscription: given(1), group: given(3), kind }
            }
            ["subscriptions", _, "providers", "microsoft.compute", kind]
                if let Some(kind) = ResourceKind::from_segment(kind) =>
            {
                Self::SubscriptionList { subscription: given(1), kind }
            }
            ["subscriptions", _, "providers", "microsoft.compute", "locations", _, "diskoperations", _] => {
                Self::Operation { subscription: given(1), name: given(7) }
            }
            ["subscriptions", _, "providers", "microsoft.web", "sites"] => Self::Sites(given(1)),
            ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.web", "sites", _] => {
                Self::Site(path.to_owned())
            }
            [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.web",
                "sites",
                _,
                "config",
                "appsettings",
                "list",
            ] => Self::SiteSettings(segments.iter().take(8).fold(String::new(), |id, name| id + "/" + name)),
            ["subscriptions", _, "providers", "microsoft.insights", "components"] => {
                Self::Components(given(1))
            }
            [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.operationalinsights",
                "workspaces",
                _,
                "query",
            ] => Self::Logs(segments.iter().take(8).fold(String::new(), |id, name| id + "/" + name)),
            ["subscriptions", _, "providers", "microsoft.insights", "eventtypes", "management", "values"] => {
                Self::ActivityLog(given(1))
            }
            ["subscriptions", _, "providers", _, _, ..] => {
                Self::UnknownType { subscription: given(1), namespace: given(3), type_name: given(4) }
            }
            ["subscriptions", _, "resourcegroups", _, "providers", _, _, ..] => {
                Self::UnknownType { subscription: given(1), namespace: given(5), type_name: given(6) }
            }
            _ => Self::Unknown,
        }
    }

    /// The subscription whose limits the request counts against.
    pub(crate) fn subscription(&self) -> Option<&str> {
        match self {
            Self::Resource(id) | Self::Access(id, _) | Self::Tags(id) => Some(&id.subscription),
            Self::Machine(id) | Self::Instances(id) => Some(&id.subscription),
            Self::GroupList { subscription, .. }
            | Self::Machines { subscription, .. }
            | Self::SubscriptionList { subscription, .. }
            | Self::Operation { subscription, .. }
            | Self::Group { subscription, .. }
            | Self::UnknownType { subscription, .. }
            | Self::ScopeTags { subscription, .. }
            | Self::Sites(subscription)
            | Self::Components(subscription)
            | Self::ActivityLog(subscription)
            | Self::Subscription(subscription) => Some(subscription),
            Self::Site(id) | Self::SiteSettings(id) | Self::Logs(id) => id.split('/').nth(2),
            Self::Graph
            | Self::Descendants(_)
            | Self::Subscriptions
            | Self::Tenants
            | Self::Endpoints
            | Self::Unknown => None,
        }
    }

    /// Whether the Compute provider answers.
    pub(crate) fn is_of_compute(&self) -> bool {
        matches!(
            self,
            Self::Resource(_)
                | Self::Access(..)
                | Self::GroupList { .. }
                | Self::SubscriptionList { .. }
                | Self::Operation { .. }
                | Self::Machine(_)
                | Self::Instances(_)
                | Self::Machines { .. }
        )
    }

    /// The type of the machines that the request is about.
    pub(crate) fn machine_type(&self) -> Option<&'static str> {
        match self {
            Self::Machine(id) => Some(id.type_name()),
            Self::Instances(_) => Some("Microsoft.Compute/virtualMachineScaleSets/virtualMachines"),
            Self::Machines { .. } => Some("Microsoft.Compute/virtualMachines"),
            _ => None,
        }
    }

    /// The disk or snapshot that the request is about.
    pub(crate) fn resource(&self) -> Option<&ResourceId> {
        match self {
            Self::Resource(id) | Self::Access(id, _) | Self::Tags(id) => Some(id),
            _ => None,
        }
    }
}

fn strip_suffix<'a>(path: &'a str, suffix: &str) -> Option<&'a str> {
    let (head, tail) = path.split_at_checked(path.len().checked_sub(suffix.len())?)?;
    tail.eq_ignore_ascii_case(suffix).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_routed_in_any_case() {
        let disk = "/Subscriptions/s/RESOURCEGROUPS/g/Providers/microsoft.compute/Disks/d";
        assert!(matches!(Route::of(disk), Route::Resource(id) if id.kind == ResourceKind::Disk));
        let tags = format!("{disk}/PROVIDERS/microsoft.resources/TAGS/Default");
        assert!(matches!(Route::of(&tags), Route::Tags(id) if id.name == "d"));
        assert!(matches!(Route::of(&format!("{disk}/begingetaccess")), Route::Access(_, true)));
        let poll = "/subscriptions/s/providers/Microsoft.Compute/locations/westeurope/diskOperations/OP";
        assert!(matches!(Route::of(poll), Route::Operation { name, .. } if name == "OP"));
        assert!(matches!(
            Route::of("/subscriptions/s/providers/microsoft.compute/SNAPSHOTS"),
            Route::SubscriptionList { kind: ResourceKind::Snapshot, .. }
        ));
        assert!(matches!(Route::of("/subscriptions/s/providers/A.B/c"), Route::UnknownType { .. }));
        assert!(matches!(Route::of("/"), Route::Unknown));
    }
}

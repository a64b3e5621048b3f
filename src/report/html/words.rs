//! The parts that the page's sections share: states, resources and reasons.

use maud::{Markup, html as markup};

use crate::report::{Row, Status};

pub(super) fn swatch(status: Status) -> Markup {
    markup! {
        svg.swatch width="12" height="12" aria-hidden="true" focusable="false" {
            rect class=(status.label()) width="12" height="12" {}
        }
    }
}

/// A resource's name, with its resource group and subscription below.
pub(super) fn name(row: &Row) -> Markup {
    markup! {
        span.resource { (row.name) }
        span.place { (row.resource_group) }
        span.place {
            @if let Some(title) = &row.subscription_name { (title) " " }
            code { (row.subscription_id) }
        }
    }
}

/// The resource group and subscription of an ID.
pub(super) fn place(id: &str) -> Markup {
    let mut parts = id.split('/').skip(2).step_by(2);
    let (subscription, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    markup! {
        span.place { (group) " · " code { (subscription) } }
    }
}

/// A reason for people.
pub(super) fn reason(word: &str) -> &str {
    match word {
        "sealed" => "Sealed",
        "auth_mode" => "Mode not set",
        "network_access" => "Network settings",
        "tags" => "Tags missing",
        "provisioning" => "Write in progress",
        "ready_to_upload" => "Ready for upload",
        "active_upload" => "Upload in progress",
        "import" => "Import in progress",
        "empty_snapshot" => "Empty snapshot",
        "network_only" => "Network settings only",
        "network_unknown" => "Network settings unknown",
        "active_sas" => "URL in use",
        "attached" => "Attached",
        "out_of_scope" => "Out of scope",
        "subscription" => "Subscription rule",
        "resource_group" => "Resource group rule",
        "name" => "Name rule",
        "listed" => "Listed exemption",
        "tag" => "Exemption tag",
        "in_force" => "In force",
        "ended" => "Ended",
        "unreadable" => "Unreadable",
        other => other,
    }
}

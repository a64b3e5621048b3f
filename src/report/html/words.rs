//! The parts that the page's sections share: states, resources and reasons.

use maud::{Markup, html as markup};

use crate::{report::Status, resource_id::ResourceId};

pub(super) fn swatch(status: Status) -> Markup {
    markup! {
        svg.swatch width="12" height="12" aria-hidden="true" focusable="false" {
            rect class=(status.label()) width="12" height="12" {}
        }
    }
}

/// A resource's name, with its resource group and subscription below.
pub(super) fn name(id: &ResourceId) -> Markup {
    markup! {
        span.resource { (id.name()) }
        span.place { (id.resource_group()) }
        span.place { code { (id.subscription_id()) } }
    }
}

/// A reason for people.
pub(super) fn reason(word: &str) -> &str {
    match word {
        "sealed" => "Sealed",
        "auth_mode" => "Mode not set",
        "tags" => "Tags missing",
        "provisioning" => "Write in progress",
        "ready_to_upload" => "Ready for upload",
        "active_upload" => "Upload in progress",
        "import" => "Import in progress",
        "empty_snapshot" => "Empty snapshot",
        "active_sas" => "URL in use",
        "attached" => "Attached",
        "out_of_scope" => "Out of scope",
        "subscription" => "Subscription rule",
        "resource_group" => "Resource group rule",
        "name" => "Name rule",
        "tag" => "Exemption tag",
        other => other,
    }
}

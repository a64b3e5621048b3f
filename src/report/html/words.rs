//! How the page's parts show a state, a resource and a reason.

use maud::{Markup, html as markup};

use crate::report::{Entry, Status};

pub(super) fn swatch(status: Status) -> Markup {
    markup! {
        svg.swatch width="12" height="12" aria-hidden="true" focusable="false" {
            rect class=(status.label()) width="12" height="12" {}
        }
    }
}

/// A resource's name, and below it where it is.
pub(super) fn name(entry: &Entry) -> Markup {
    let id = &entry.id;
    markup! {
        span.resource { (id.name()) }
        span.place { (id.resource_group()) }
        span.place { code { (id.subscription_id()) } }
    }
}

/// The reasons, for people.
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

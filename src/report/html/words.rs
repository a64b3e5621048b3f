//! The parts that the page's sections share: states, resources and reasons.

use maud::{Markup, html as markup};

use crate::report::{Note, Report, Row, Status};

pub(super) fn swatch(status: Status) -> Markup {
    markup! {
        svg.swatch width="12" height="12" aria-hidden="true" focusable="false" {
            rect class=(status.label()) width="12" height="12" {}
        }
    }
}

/// A resource's name, which leads to its page in the portal, with its resource group, its subscription and its ID.
pub(super) fn name(row: &Row) -> Markup {
    markup! {
        a.resource href=(row.portal) rel="noreferrer noopener" { (row.name) }
        span.place {
            (row.resource_group) " · " (subscription_of(&row.subscription_id, row.subscription_name.as_deref()))
        }
        details.id {
            summary { "Resource ID" span.hidden { " of " (row.name) } }
            code { (row.id) }
        }
    }
}

/// The resource group and subscription of an ID.
pub(super) fn place(id: &str, report: &Report) -> Markup {
    let mut parts = id.split('/').skip(2).step_by(2);
    let (subscription, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    markup! { span.place { (group) " · " (subscription_of(subscription, report.subscription_name(subscription))) } }
}

/// A subscription by its name, if that is known. Paper has its ID, too, because no link leads to it there.
fn subscription_of(id: &str, name: Option<&str>) -> Markup {
    markup! {
        @match name {
            Some(name) => { (name) code.on-paper { " " (id) } }
            None => { code { (id) } }
        }
    }
}

/// Why Azure may refuse to change a resource that is in use.
pub(super) fn in_use(note: &Note) -> Markup {
    let text = match note.reason.as_ref() {
        "attached" => "Azure may refuse the change until it is detached.".to_owned(),
        _ => sentence(&note.text),
    };
    markup! { (text) }
}

/// A text with a capital at its beginning and a full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.is_empty() || text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", rest.as_str())
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

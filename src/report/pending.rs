//! Pending resources: those that are not sealed, in a state in which Azure refuses the change or may refuse it.
//!
//! The report reads the state from the resource. Management locks, policies and missing roles show only when the
//! change is tried, so they are in queue messages and traces, and not in the report.

use super::{Entry, entry::InUse, note::Note};
use crate::policy::decide::Decision;

/// Why a resource is pending, if it is.
pub(super) fn of(entry: &Entry) -> Option<Note> {
    let (reason, text) = match (&entry.decision, &entry.in_use) {
        (Decision::Pending(reason), _) => (reason.reason(), reason.to_string()),
        // Tags can be written in any state.
        (Decision::Seal(change), _) if !change.sets_properties() => return None,
        (Decision::Seal(_), Some(InUse::Sas)) => (
            "active_sas",
            "a SAS URL to its data is valid; Azure may refuse the change until the URL expires or is revoked"
                .to_owned(),
        ),
        (Decision::Seal(_), Some(InUse::Attached(machine))) => {
            let machine = machine.as_deref().unwrap_or("a virtual machine");
            ("attached", format!("attached to {machine}; Azure may refuse the change until it is detached"))
        }
        _ => return None,
    };
    Some(Note { reason: reason.into(), text })
}

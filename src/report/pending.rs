//! What is pending: resources that are not sealed and whose state makes Azure refuse the change, or may.
//!
//! The state is read from the resource. Management locks, policies and missing roles show only when the change
//! is tried, so queue messages and traces name them, and the report does not.

use super::{Entry, Remark, entry::InUse};
use crate::policy::decide::Decision;

/// Why a resource is pending, if it is.
pub(super) fn of(entry: &Entry) -> Option<Remark<'_>> {
    let (reason, text) = match (&entry.decision, &entry.in_use) {
        (Decision::Pending(reason), _) => (reason.reason(), reason.to_string()),
        // Tags can be written whatever holds the disk.
        (Decision::Seal(change), _) if change.data_access_auth_mode.is_none() => return None,
        (Decision::Seal(_), Some(InUse::Sas)) => (
            "active_sas",
            "a URL to its data is valid; Azure may refuse the change until the URL expires or is revoked"
                .to_owned(),
        ),
        (Decision::Seal(_), Some(InUse::Attached(machine))) => {
            let machine = machine.as_deref().unwrap_or("a virtual machine");
            ("attached", format!("attached to {machine}; Azure may refuse the change until it is detached"))
        }
        _ => return None,
    };
    Some(Remark { reason, text, id: &entry.id })
}

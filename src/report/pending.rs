//! What waits: resources that are not sealed, in a state in which Azure refuses the change or may.
//!
//! The state is what ARM says of the resource. Management locks, policies and missing roles show only when
//! the change is tried, so they are in the queue's messages and in the traces, and not here.

use super::{Finding, finding::InUse};
use crate::{
    policy::decide::{Decision, NotYet},
    resource_id::ResourceId,
};

/// One resource that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending<'a> {
    /// Which it is.
    pub id: &'a ResourceId,
    /// For what it waits: a word from a closed set.
    pub reason: &'static str,
    /// The same for people.
    pub text: String,
}

/// What a resource waits for, if it does.
pub(super) fn of(finding: &Finding) -> Option<Pending<'_>> {
    let (reason, text) = match (&finding.decision, &finding.in_use) {
        (Decision::NotYet(NotYet::Provisioning), _) => {
            ("provisioning", "Azure is still at work on an earlier write".to_owned())
        }
        (Decision::NotYet(NotYet::ActiveUpload), _) => {
            ("active_upload", "data is being uploaded to it; it is sealed when that has ended".to_owned())
        }
        // Tags can be written whatever holds the disk.
        (Decision::Seal(change), _) if change.data_access_auth_mode.is_none() => return None,
        (Decision::Seal(_), Some(InUse::Sas)) => (
            "active_sas",
            "a URL to its data is valid; Azure may refuse the change until it has expired or is revoked"
                .to_owned(),
        ),
        (Decision::Seal(_), Some(InUse::Attached(machine))) => {
            let machine = machine.as_deref().unwrap_or("a virtual machine");
            ("attached", format!("attached to {machine}; Azure may refuse the change until it is detached"))
        }
        _ => return None,
    };
    Some(Pending { id: &finding.id, reason, text })
}

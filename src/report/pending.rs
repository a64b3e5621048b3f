//! What waits: resources that are not sealed, in a state in which Azure refuses the change or may.
//!
//! The state is what ARM says of the resource. Management locks, policies and missing roles show only when
//! the change is tried, so they are in the queue's messages and in the traces, and not here.

use super::Finding;
use crate::{
    policy::decide::{Decision, NotYet},
    resource::Resource,
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

/// A use of a disk that may keep the auth mode from being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InUse {
    /// A URL to its data is valid just now.
    Sas,
    /// A virtual machine holds it, whose ID this is if Azure told it.
    Attached(Option<String>),
}

impl InUse {
    /// By `properties.diskState` and `managedBy` ("Disks - Get", `DiskState`).
    pub(super) fn of(resource: &Resource) -> Option<Self> {
        let is = |states: &[&str]| {
            let state = resource.disk_state.as_deref();
            state.is_some_and(|state| states.iter().any(|one| one.eq_ignore_ascii_case(state)))
        };
        if is(&["ActiveSAS", "ActiveSASFrozen"]) {
            return Some(Self::Sas);
        }
        let is_attached = resource.managed_by.is_some() || is(&["Attached", "Reserved", "Frozen"]);
        is_attached.then(|| Self::Attached(resource.managed_by.clone()))
    }
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

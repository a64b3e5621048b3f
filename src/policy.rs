//! The rules: which resources are in scope, which are exempt and for how long, and what the seal is.
//!
//! Architecture invariant: nothing in this room awaits, reads a clock or an environment, or logs.

pub mod decide;
mod exemption;
mod limits;
mod tag_rule;

pub use exemption::{Exemption, Exemptions, Patterns, TagExemption};
pub use limits::{Exceeded, Limits};
pub use tag_rule::{TagRule, TagRuleError};

use crate::resource_id::{Estate, ResourceId};

/// Whether to act or only to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Seal what is not sealed.
    Enforce,
    /// Say what would be sealed; never write.
    Audit,
}

/// What is to be done about disks of virtual machines that Azure Backup or Azure Site Recovery protects, neither
/// of which supports disks in this mode ("Secure downloads and uploads of Azure managed disks", restrictions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupGuard {
    /// Leave them as they are, and name them.
    Skip,
    /// Seal them, and name them.
    Warn,
    /// Do not ask which they are.
    Off,
}

/// Everything that decides about a resource, besides the resource itself.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether to act or only to tell.
    pub mode: Mode,
    /// The tags of the seal. Empty: the seal is the auth mode alone.
    pub tags: Vec<TagRule>,
    /// The subscriptions in scope.
    pub estate: Estate,
    /// What is left as it is.
    pub exemptions: Exemptions,
    /// How much one sweep may change.
    pub limits: Limits,
    /// What is to be done about disks of protected virtual machines.
    pub backup_guard: BackupGuard,
    /// The resource ID whose tag `diskseal = off` stops every write.
    pub switch: Option<String>,
}

impl Policy {
    /// The exemption that the ID alone decides, so that no look at the resource is needed. Whether it lies
    /// below a management group is more than an ID tells.
    pub fn exempt_by_id(&self, id: &ResourceId) -> Option<Exemption> {
        if self.estate.contains(id.subscription_id()) == Some(false) {
            return Some(Exemption::OutOfScope);
        }
        self.exemptions.by_id(id)
    }
}

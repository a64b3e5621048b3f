//! The rules: which resources are in scope, which are exempt and for how long, and what the seal is.
//!
//! Architecture invariant: nothing in this room awaits, reads a clock or an environment, or logs.

pub mod decide;
mod exemption;
mod limits;
mod pending;
mod protection;
mod removal;
mod tag_rule;

pub use exemption::{EXPIRING_WITHIN_DAYS, Exemption, Exemptions, Patterns, TagExemption, days_left};
pub use limits::{Exceeded, Limits};
pub use protection::{Doubt, Guarded, Protection};
pub use tag_rule::{TagRule, TagRuleError};

use crate::{resource_id::ResourceId, scope::Scope};

/// Whether to act or only to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Seal what is unsealed.
    #[default]
    Enforce,
    /// Report what would be sealed; never write.
    Audit,
}

/// What to do about disks and snapshots that belong to something that Azure Backup or Azure Site Recovery protects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupGuard {
    /// Leave them as they are, and name them.
    #[default]
    Skip,
    /// Seal them, and name them.
    Warn,
    /// Seal them without a query.
    Off,
}

/// Everything that decides about a resource, besides the resource itself. By default, everything visible is in
/// scope, nothing is exempt, and the seal is the auth mode without tags.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whether to act or only to report.
    pub mode: Mode,
    /// The tags of the seal. Empty: the seal is the auth mode alone.
    pub tags: Vec<TagRule>,
    /// The subscriptions in scope.
    pub scope: Scope,
    /// What is left as it is.
    pub exemptions: Exemptions,
    /// What to do about what backups protect.
    pub backup_guard: BackupGuard,
}

impl Policy {
    /// The exemption that the ID alone decides, so that no look at the resource is needed. Whether it lies
    /// below a management group is more than an ID tells.
    pub fn exempt_by_id(&self, id: &ResourceId) -> Option<Exemption> {
        if self.scope.contains(id.subscription_id()) == Some(false) {
            return Some(Exemption::OutOfScope);
        }
        self.exemptions.by_id(id)
    }
}

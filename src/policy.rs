//! The rules: which resources are in scope, which are exempt and until when, and what the seal consists of.
//!
//! Architecture invariant: nothing in this room awaits, reads a clock or an environment, or logs.

mod day;
pub mod decide;
mod demands;
mod exemption;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod limits;
mod listed;
mod named_by;
mod network;
mod patterns;
mod pending;
mod protection;
mod removal;
mod tag_rule;

pub use day::{EXPIRING_WITHIN_DAYS, days_left};
pub use demands::{Defect, Demands, Ticket};
pub use exemption::{Exemption, Exemptions, TagExemption};
pub use limits::{Exceeded, Limits};
pub use listed::{ListedExemption, ListedExemptions};
pub use named_by::NamedBy;
pub use network::{NETWORK_BEFORE, Network, restored};
pub use patterns::Patterns;
pub use protection::{Doubt, Guarded, Protection};
pub use removal::{SealedAt, sealed_at};
pub use tag_rule::{TagRule, TagRuleError};

use time::OffsetDateTime;

use crate::{resource::Resource, resource_id::ResourceId, scope::Scope};

/// Whether to seal or only to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Seal what is unsealed.
    #[default]
    Enforce,
    /// Report what would be sealed; never write.
    Audit,
}

/// What to do with disks and snapshots whose machine, cluster or own backup instance is protected by Azure Backup or
/// Azure Site Recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupGuard {
    /// Leave them as they are, and log them.
    #[default]
    Skip,
    /// Set their network settings alone, which break no backup as far as Microsoft documents it, and log them.
    Network,
    /// Seal them, and log them.
    Warn,
    /// Seal them without querying what is protected.
    Off,
}

/// Whether a seal ends the SAS URLs that were granted before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revoke {
    /// They stay valid until they expire.
    #[default]
    Off,
    /// They are revoked, once, after the seal.
    On,
}

/// The settings that decide about a resource. By default, everything visible is in scope, nothing is exempt, and the
/// seal is the auth mode without tags.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whether to seal or only to report.
    pub mode: Mode,
    /// The network settings of the seal.
    pub network: Network,
    /// The tags of the seal. If empty, the seal has none, and the network settings from before it are not kept.
    pub tags: Vec<TagRule>,
    /// The subscriptions in scope.
    pub scope: Scope,
    /// The resources that are left as they are.
    pub exemptions: Exemptions,
    /// The name of the tag whose value is the owner of a resource; its case does not matter. Without one, no owner is
    /// shown.
    pub owner_tag: Option<String>,
    /// What to do with protected resources.
    pub backup_guard: BackupGuard,
    /// Whether a seal ends the SAS URLs that were granted before it.
    pub revoke: Revoke,
}

impl Policy {
    /// The owner that a resource names in the owner tag.
    pub fn owner_of<'a>(&self, resource: &'a Resource) -> Option<&'a str> {
        self.owner_tag.as_deref().and_then(|tag| resource.tags.get(tag))
    }

    /// The exemption that follows from the ID, without a look at the resource. An ID does not show whether the
    /// resource is below a management group.
    pub fn exempt_by_id(&self, id: &ResourceId, now: OffsetDateTime) -> Option<Exemption> {
        if self.scope.contains(id.subscription_id()) == Some(false) {
            return Some(Exemption::OutOfScope);
        }
        self.exemptions.by_id(id, now)
    }
}

//! The rules: which resources are in scope, which are exempt and until when, and what the seal consists of.
//!
//! Architecture invariant: nothing in this room awaits, reads a clock or an environment, or logs.

mod before;
mod day;
pub mod decide;
mod demands;
mod exemption;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod limits;
mod listed;
mod named_by;
mod patterns;
mod pending;
mod protection;
mod removal;
mod ring;
mod selection;
mod tag_rule;

pub use before::{Before, Drift, Step};
pub use day::{EXPIRING_WITHIN_DAYS, days_left};
pub use demands::{Defect, Demands, Ticket};
pub use exemption::{Exemption, Exemptions, TagExemption};
pub use limits::{Exceeded, Limits};
pub use listed::{ListedExemption, ListedExemptions};
pub use named_by::NamedBy;
pub use patterns::Patterns;
pub use protection::{Doubt, Guarded, Protection};
pub use removal::{SealedAt, sealed_at};
pub use ring::Rings;
pub use selection::Selection;
pub use tag_rule::{TagRule, TagRuleError};

use time::OffsetDateTime;

use crate::{
    resource::{Resource, tags::Tags},
    resource_id::ResourceId,
    scope::Scope,
};

words! {
    /// Whether to seal or only to report.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Mode, label of labels {
        /// Seal what is unsealed.
        #[default]
        Enforce => "enforce",
        /// Report what would be sealed; never write.
        Audit => "audit",
    }
}

/// What to do with disks and snapshots whose machine, cluster or own backup instance is protected by Azure Backup or
/// Azure Site Recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupGuard {
    /// Leave them as they are, and log them.
    #[default]
    Skip,
    /// Seal them, and log them.
    Warn,
    /// Seal them without querying what is protected.
    Off,
}

/// The settings that decide about a resource. By default, everything visible is in scope, nothing is exempt, and the
/// seal is the auth mode without tags.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whether to seal or only to report.
    pub mode: Mode,
    /// In `Mode::Enforce`, the resources to seal; all others are in audit.
    pub rings: Rings,
    /// The tags of the seal. If empty, the seal is only the auth mode.
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
}

impl Policy {
    /// The owner that a resource names in the owner tag.
    pub fn owner_of<'a>(&self, resource: &'a Resource) -> Option<&'a str> {
        self.owner_tag.as_deref().and_then(|tag| resource.tags.get(tag))
    }

    /// The mode of one resource, which is its ring: audit where the mode is audit or no ring contains it.
    pub fn mode_of(&self, id: &ResourceId, tags: &Tags) -> Mode {
        match self.mode {
            Mode::Enforce if self.rings.contain(id, tags) => Mode::Enforce,
            Mode::Enforce | Mode::Audit => Mode::Audit,
        }
    }

    /// The same of a resource without tags.
    pub fn mode_of_untagged(&self, id: &ResourceId) -> Mode {
        self.mode_of(id, &Tags::default())
    }

    /// The same of a resource that was read.
    pub fn ring_of(&self, resource: &Resource) -> Mode {
        self.mode_of(&resource.id, &resource.tags)
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

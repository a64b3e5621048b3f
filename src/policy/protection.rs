//! What is known of the backups that a seal would break.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::resource::Resource;

/// How long a disk that no machine holds is so new that no backup has it yet.
const NEW_FOR: Duration = Duration::hours(1);

/// What Azure Backup and Azure Site Recovery have to do with a resource, neither of which supports disks in this mode
/// ("Secure downloads and uploads of Azure managed disks", restrictions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nothing protects it.
    Unprotected,
    /// The vault of this ID protects it, or the machine or cluster that it belongs to.
    By(String),
    /// Nobody knows.
    Unknown(Doubt),
}

impl Protection {
    /// The same, unless it is a doubt about a new disk that no machine holds: no backup was set up for it yet. A new
    /// snapshot may have been made by one.
    #[must_use]
    pub fn weighed(&self, resource: &Resource, now: OffsetDateTime) -> &Self {
        let is_new = || resource.time_created.is_some_and(|created| now - created < NEW_FOR);
        match self {
            Self::Unknown(_) if resource.is_free_disk() && is_new() => &Self::Unprotected,
            known => known,
        }
    }
}

/// Why it is not known what is protected, the lighter one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Azure has not answered; a later query may be answered.
    Passing,
    /// Azure refuses the query, or the answer cannot be read: a person has to look at it.
    Lasting,
}

words! {
    /// Why the backup guard leaves a resource as it is.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Guarded, reason of reasons {
        /// The vault of this ID protects it.
        Vault(String) => "vault",
        /// It is not known whether a vault protects it, and waiting would not help.
        Unknown => "guard_unknown",
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(vault) => write!(f, "{vault} protects it, and does not support sealed disks"),
            Self::Unknown => f.write_str("Diskseal cannot read whether a vault protects it"),
        }
    }
}

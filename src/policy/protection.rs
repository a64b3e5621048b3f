//! The backups that a seal would break, as far as they are known.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::resource::Resource;

/// The age below which a disk that no machine holds is too new to be in a backup.
const NEW_FOR: Duration = Duration::hours(1);

/// Whether Azure Backup or Azure Site Recovery protects a resource. Neither supports disks in this mode
/// ("Secure downloads and uploads of Azure managed disks", restrictions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nothing protects it.
    Unprotected,
    /// The vault with this ID protects it, or the machine or cluster that it belongs to.
    By(String),
    /// Unknown.
    Unknown(Doubt),
}

impl Protection {
    /// Returns `Unprotected` instead of `Unknown` for a new disk that no machine holds, because no backup is set up for
    /// it yet. A new snapshot stays unknown, because a backup may have made it.
    #[must_use]
    pub fn weighed(&self, resource: &Resource, now: OffsetDateTime) -> &Self {
        let is_new = || resource.time_created.is_some_and(|created| now - created < NEW_FOR);
        match self {
            Self::Unknown(_) if resource.is_free_disk() && is_new() => &Self::Unprotected,
            known => known,
        }
    }
}

/// Why it is unknown what is protected, in order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Azure has not answered; a later query may succeed.
    Passing,
    /// Azure refuses the query, or the answer cannot be read: an operator must check it.
    Lasting,
}

words! {
    /// Why the backup guard leaves a resource as it is.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Guarded, reason of reasons {
        /// The vault with this ID protects it.
        Vault(String) => "vault",
        /// The same, and its network settings restrict its exports.
        NetworkOnly(String) => "network_only",
        /// It is unknown whether a vault protects it, and a retry would not help.
        Unknown => "guard_unknown",
    }
}

impl Guarded {
    /// The same of a resource whose network settings restrict its exports.
    pub(super) fn with_network(self) -> Self {
        match self {
            Self::Vault(vault) => Self::NetworkOnly(vault),
            Self::NetworkOnly(_) | Self::Unknown => self,
        }
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(vault) => write!(f, "{vault} protects it, and does not support sealed disks"),
            Self::NetworkOnly(vault) => write!(
                f,
                "{vault} protects it, and does not support sealed disks; its network settings alone restrict exports"
            ),
            Self::Unknown => f.write_str("Diskseal cannot read whether a vault protects it"),
        }
    }
}

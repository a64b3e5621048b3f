//! The network side of the seal: which network settings are wanted, and what they were before.
//!
//! Sources: "Restrict import and export access to managed disks using Azure Private Link"; the built-in policies "Managed
//! disks should disable public network access" (8405fdab-1faf-48aa-b702-999c9c172094) and "Configure managed disk network
//! access policy to deny all" (f4273bc9-d20e-438d-ad30-b72221939edc).

use time::{UtcOffset, format_description::well_known::Rfc3339};

use crate::resource::{
    Resource,
    properties::{
        NETWORK_ACCESS_POLICY, NetworkAccess, NetworkAccessPolicy, PUBLIC_NETWORK_ACCESS, PublicNetworkAccess,
    },
    tags::Tags,
};

/// The tag with the network settings from before the seal.
pub const NETWORK_BEFORE: &str = "diskseal-network-before";
/// Names the resource in the value of that tag, because tags are copied to other resources.
const TIME_CREATED: &str = "timeCreated";

/// Which network settings belong to the seal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// None.
    #[default]
    Off,
    /// `publicNetworkAccess` is `Disabled`.
    DenyPublic,
    /// The same, and `networkAccessPolicy` is `DenyAll`.
    DenyAll,
}

/// How the network settings of a resource compare with those that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is nothing to set: they are as wanted, or private endpoints are chosen.
    Right,
    /// These are to be set.
    Lacks(NetworkAccess),
    /// A value is not known, and may be somebody's choice.
    Unknown,
}

impl Network {
    /// Compares. Where private endpoints are chosen, exports need them, so nothing is set; `DenyAll` would also conflict
    /// with the disk access resource (`ConflictingUserInput`).
    pub(super) fn standing(self, resource: &Resource) -> Standing {
        let now = NetworkAccess::of(resource);
        let (policy, public) = (now.network_access_policy, now.public_network_access);
        if resource.has_disk_access || policy == Some(NetworkAccessPolicy::AllowPrivate) {
            return Standing::Right;
        }
        let is_public_denied = public == Some(PublicNetworkAccess::Disabled);
        let is_all_denied = policy == Some(NetworkAccessPolicy::DenyAll);
        match self {
            Self::Off => Standing::Right,
            Self::DenyPublic if is_public_denied => Standing::Right,
            Self::DenyAll if is_public_denied && is_all_denied => Standing::Right,
            Self::DenyPublic | Self::DenyAll if policy.is_none() || public.is_none() => Standing::Unknown,
            Self::DenyPublic | Self::DenyAll => Standing::Lacks(NetworkAccess {
                network_access_policy: (self == Self::DenyAll && !is_all_denied)
                    .then_some(NetworkAccessPolicy::DenyAll),
                public_network_access: (!is_public_denied).then_some(PublicNetworkAccess::Disabled),
            }),
        }
    }
}

/// The tag with what `change` overwrites, and with what earlier changes of this resource have overwritten; none if it is
/// there already.
pub(super) fn before(resource: &Resource, change: NetworkAccess) -> Tags {
    let (now, kept) = (NetworkAccess::of(resource), kept(resource));
    let before = NetworkAccess {
        network_access_policy: change
            .network_access_policy
            .and(now.network_access_policy)
            .or(kept.network_access_policy),
        public_network_access: change
            .public_network_access
            .and(now.public_network_access)
            .or(kept.public_network_access),
    };
    let value = value(resource, before);
    let is_there = resource.tags.get(NETWORK_BEFORE) == Some(&value);
    (!before.is_empty() && !is_there).then_some((NETWORK_BEFORE, value)).into_iter().collect()
}

fn value(resource: &Resource, before: NetworkAccess) -> String {
    let pairs = before.pairs().map(|(name, value)| format!("{name}={value}, "));
    pairs.collect::<String>() + TIME_CREATED + "=" + &time_created(resource)
}

/// The network settings from before the seal, by the tag of this resource. A tag that was copied from another resource
/// has another time.
fn kept(resource: &Resource) -> NetworkAccess {
    let text = resource.tags.get(NETWORK_BEFORE).unwrap_or_default();
    let value = |name: &str| text.split(", ").find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if value(TIME_CREATED) != Some(&time_created(resource)) {
        return NetworkAccess::default();
    }
    NetworkAccess {
        network_access_policy: value(NETWORK_ACCESS_POLICY).and_then(NetworkAccessPolicy::of),
        public_network_access: value(PUBLIC_NETWORK_ACCESS).and_then(PublicNetworkAccess::of),
    }
}

/// `properties.timeCreated` in whole seconds, because lists and reads may differ in its fraction.
fn time_created(resource: &Resource) -> String {
    let time = resource.time_created.and_then(|created| created.checked_to_offset(UtcOffset::UTC));
    let time = time.and_then(|created| created.replace_nanosecond(0).ok());
    time.and_then(|created| created.format(&Rfc3339).ok()).unwrap_or_else(|| "unknown".to_owned())
}

/// Whether somebody has undone what the seal had set, by its tag, and what is to be set again.
pub(super) fn is_reopened(resource: &Resource, change: NetworkAccess) -> bool {
    let kept = kept(resource);
    (change.network_access_policy.is_some() && kept.network_access_policy.is_some())
        || (change.public_network_access.is_some() && kept.public_network_access.is_some())
}

/// The network settings to restore with the end of the seal. What has another value than the seal's is somebody's choice
/// since, and stays.
pub fn restored(resource: &Resource) -> NetworkAccess {
    let (now, kept) = (NetworkAccess::of(resource), kept(resource));
    if resource.has_disk_access {
        return NetworkAccess::default();
    }
    let is_denied = now.network_access_policy == Some(NetworkAccessPolicy::DenyAll);
    let is_disabled = now.public_network_access == Some(PublicNetworkAccess::Disabled);
    // `AllowPrivate` is never overwritten, so it is never restored.
    let policy = kept.network_access_policy.filter(|policy| *policy == NetworkAccessPolicy::AllowAll);
    let public = kept.public_network_access.filter(|public| *public == PublicNetworkAccess::Enabled);
    let is_private = now.network_access_policy == Some(NetworkAccessPolicy::AllowPrivate);
    NetworkAccess {
        network_access_policy: policy.filter(|_| is_denied),
        public_network_access: public.filter(|_| is_disabled && !is_private),
    }
}

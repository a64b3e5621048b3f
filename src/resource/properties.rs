//! The properties of a disk or snapshot that Diskseal sets, with a PATCH of their own.
//!
//! Source: "Disks - Update" and "Snapshots - Update", `NetworkAccessPolicy` and `PublicNetworkAccess`.

use serde::{Serialize, Serializer};

use super::{DataAccessAuthMode, Member, Resource};

words! {
    /// Who may export or upload through a SAS URL (`properties.networkAccessPolicy`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NetworkAccessPolicy, as_str of values {
        /// Any network. It is Azure's default.
        AllowAll => "AllowAll",
        /// The private endpoints of a disk access resource alone.
        AllowPrivate => "AllowPrivate",
        /// None: it cannot be exported.
        DenyAll => "DenyAll",
    }
}

words! {
    /// Whether it can be exported over the public network (`properties.publicNetworkAccess`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum PublicNetworkAccess, as_str of values {
        /// It can. It is Azure's default.
        Enabled => "Enabled",
        /// It cannot.
        Disabled => "Disabled",
    }
}

impl NetworkAccessPolicy {
    /// The one with this value, in any case.
    pub fn of(value: &str) -> Option<Self> {
        [Self::AllowAll, Self::AllowPrivate, Self::DenyAll]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(value))
    }
}

impl PublicNetworkAccess {
    /// The one with this value, in any case.
    pub fn of(value: &str) -> Option<Self> {
        [Self::Enabled, Self::Disabled].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(value))
    }
}

impl Serialize for NetworkAccessPolicy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(to)
    }
}

impl Serialize for PublicNetworkAccess {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(to)
    }
}

/// The two properties about the network, as far as they are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkAccess {
    /// `properties.networkAccessPolicy`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_access_policy: Option<NetworkAccessPolicy>,
    /// `properties.publicNetworkAccess`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_network_access: Option<PublicNetworkAccess>,
}

impl NetworkAccess {
    /// Those of a resource; a member that is absent from it has Azure's default. A member whose value is not known is
    /// not named.
    pub fn of(resource: &Resource) -> Self {
        if resource.cannot_read(Member::NetworkAccess) {
            return Self::default();
        }
        let policy = resource.network_access_policy.as_deref();
        let public = resource.public_network_access.as_deref();
        Self {
            network_access_policy: policy
                .map_or(Some(NetworkAccessPolicy::AllowAll), NetworkAccessPolicy::of),
            public_network_access: public.map_or(Some(PublicNetworkAccess::Enabled), PublicNetworkAccess::of),
        }
    }

    /// Whether neither is named.
    pub const fn is_empty(&self) -> bool {
        self.network_access_policy.is_none() && self.public_network_access.is_none()
    }

    /// Names and values, in Azure's spelling.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let policy = self.network_access_policy.map(|policy| (NETWORK_ACCESS_POLICY, policy.as_str()));
        let public = self.public_network_access.map(|public| (PUBLIC_NETWORK_ACCESS, public.as_str()));
        policy.into_iter().chain(public)
    }
}

/// The name of `properties.networkAccessPolicy`.
pub const NETWORK_ACCESS_POLICY: &str = "networkAccessPolicy";
/// The name of `properties.publicNetworkAccess`.
pub const PUBLIC_NETWORK_ACCESS: &str = "publicNetworkAccess";

/// The properties to set, in one PATCH.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Properties {
    /// `properties.dataAccessAuthMode`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_access_auth_mode: Option<DataAccessAuthMode>,
    /// The two about the network.
    #[serde(flatten)]
    pub network_access: NetworkAccess,
}

impl From<DataAccessAuthMode> for Properties {
    fn from(mode: DataAccessAuthMode) -> Self {
        Self { data_access_auth_mode: Some(mode), ..Self::default() }
    }
}

impl Properties {
    /// Whether there is nothing to set.
    pub const fn is_empty(&self) -> bool {
        self.data_access_auth_mode.is_none() && self.network_access.is_empty()
    }

    /// Whether a resource has all of them.
    pub fn are_of(&self, resource: &Resource) -> bool {
        let now = NetworkAccess::of(resource);
        let NetworkAccess { network_access_policy, public_network_access } = self.network_access;
        self.data_access_auth_mode.as_ref().is_none_or(|mode| resource.has(mode))
            && (network_access_policy.is_none() || network_access_policy == now.network_access_policy)
            && (public_network_access.is_none() || public_network_access == now.public_network_access)
    }
}

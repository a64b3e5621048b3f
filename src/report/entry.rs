//! One resource in the report.

use time::{Date, OffsetDateTime};

use super::NO_LOCATION;
use crate::{
    policy::{
        Exemption, Policy, Protection,
        decide::{Decision, Notice, Occasion, decide, notices},
    },
    resource::Resource,
    resource_id::ResourceId,
};

/// The tag that names the owner of a resource; its case does not matter.
const OWNER_TAG: &str = "owner";

words! {
    /// The state of a resource, in order from worst to best.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Status, label of labels {
        /// Not sealed.
        Unsealed => "unsealed",
        /// Not sealed, and cannot be sealed now.
        Pending => "pending",
        /// Left as it is, for a recorded reason.
        Exempt => "exempt",
        /// Sealed.
        Sealed => "sealed",
    }
}

impl Status {
    /// All states, from best to worst.
    pub const BEST_FIRST: [Self; 4] = [Self::Sealed, Self::Exempt, Self::Pending, Self::Unsealed];

    /// The state by a decision.
    pub const fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Compliant => Self::Sealed,
            Decision::Exempt(_) => Self::Exempt,
            Decision::Pending(_) => Self::Pending,
            Decision::Protected(_) | Decision::Seal(_) => Self::Unsealed,
        }
    }

    /// The word in headings.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Unsealed => "Unsealed",
            Self::Pending => "Pending",
            Self::Exempt => "Exempt",
            Self::Sealed => "Sealed",
        }
    }
}

/// A use of a disk during which Azure may refuse to change the auth mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InUse {
    /// A SAS URL to its data is valid.
    Sas,
    /// It is attached to a virtual machine; holds the machine's ID, if Azure returns it.
    Attached(Option<String>),
}

impl InUse {
    /// By `properties.diskState` and `managedBy` ("Disks - Get", `DiskState`).
    fn of(resource: &Resource) -> Option<Self> {
        if resource.is_in_state(&["ActiveSAS", "ActiveSASFrozen"]) {
            return Some(Self::Sas);
        }
        resource.is_held().then(|| Self::Attached(resource.held_by.first().cloned()))
    }
}

/// A resource, with what the policy decides about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The resource.
    pub id: ResourceId,
    /// The region's name in its normal form, if Azure returns one.
    pub location: Option<String>,
    /// The value of its tag `owner`.
    pub owner: Option<String>,
    /// The policy's decision.
    pub decision: Decision,
    /// What a person should look at.
    pub notices: Vec<Notice>,
    /// Its current use.
    pub in_use: Option<InUse>,
    /// The vault that protects it, or the machine or cluster that it belongs to.
    pub vault: Option<String>,
}

impl Entry {
    /// Decides about a resource, using the handler's own rules.
    pub fn new(policy: &Policy, resource: &Resource, protection: &Protection, now: OffsetDateTime) -> Self {
        let occasion = Occasion { now, event_time: None, trace_id: None };
        Self {
            id: resource.id.clone(),
            location: resource.location.as_deref().map(region).filter(|region| !region.is_empty()),
            owner: resource.tags.get(OWNER_TAG).map(str::to_owned),
            decision: decide(policy, resource, protection, &occasion),
            notices: notices(policy, resource, now),
            in_use: InUse::of(resource),
            vault: match protection {
                Protection::By(vault) => Some(vault.clone()),
                Protection::Unprotected | Protection::Unknown(_) => None,
            },
        }
    }

    /// Its state.
    pub fn status(&self) -> Status {
        Status::of(&self.decision)
    }

    /// The reason for its state: a word from a closed set.
    pub fn reason(&self) -> &'static str {
        match &self.decision {
            Decision::Compliant => "sealed",
            Decision::Exempt(exemption) => exemption.reason(),
            Decision::Protected(guarded) => guarded.reason(),
            Decision::Pending(pending) => pending.reason(),
            Decision::Seal(change) if change.data_access_auth_mode.is_some() => "auth_mode",
            Decision::Seal(_) => "tags",
        }
    }

    /// The reason for people, with details of this resource. Empty for a sealed one.
    pub fn detail(&self) -> String {
        match &self.decision {
            Decision::Compliant => String::new(),
            Decision::Exempt(Exemption::Tag { reason, .. }) => reason.clone(),
            Decision::Exempt(exemption) => exemption.to_string(),
            Decision::Protected(guarded) => guarded.to_string(),
            Decision::Pending(reason) => reason.to_string(),
            Decision::Seal(change) => {
                let mode = change.data_access_auth_mode.is_some().then(|| "the mode".to_owned());
                let names: Vec<_> = change.tags.iter().map(|(name, _)| name).collect();
                let s = if names.len() == 1 { "" } else { "s" };
                let tags = (!names.is_empty()).then(|| format!("the tag{s} {}", names.join(", ")));
                let lacking: Vec<_> = mode.into_iter().chain(tags).collect();
                format!("lacks {}", lacking.join(" and "))
            }
        }
    }

    /// The last day of its exemption, if it has one that ends.
    pub fn until(&self) -> Option<Date> {
        match self.decision {
            Decision::Exempt(Exemption::Tag { until, .. }) => Some(until),
            _ => None,
        }
    }

    /// `disk` or `snapshot`.
    pub fn kind(&self) -> &'static str {
        self.id.resource_type().label()
    }

    /// The region, or `unknown`.
    pub fn location(&self) -> &str {
        self.location.as_deref().unwrap_or(NO_LOCATION)
    }
}

/// `West Europe` and `westeurope` are one region ("Azure regions list": display name and name).
fn region(location: &str) -> String {
    location.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

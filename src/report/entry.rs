//! One resource, as the report shows it.

use time::{Date, OffsetDateTime};

use super::NO_LOCATION;
use crate::{
    policy::{
        Exemption, Policy,
        decide::{Decision, Notice, Occasion, decide, notices},
    },
    resource::Resource,
    resource_id::{ResourceId, ResourceType},
};

/// The tag that says whose a resource is, in any case.
const OWNER_TAG: &str = "owner";

/// The states of a resource, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Not sealed.
    Unsealed,
    /// Not sealed, and cannot be sealed now.
    Pending,
    /// Left as it is, for a recorded reason.
    Exempt,
    /// Under the seal.
    Sealed,
}

impl Status {
    /// All of them, the best first.
    pub const BEST_FIRST: [Self; 4] = [Self::Sealed, Self::Exempt, Self::Pending, Self::Unsealed];

    /// The state that a decision amounts to.
    pub const fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Compliant => Self::Sealed,
            Decision::Exempt(_) => Self::Exempt,
            Decision::Pending(_) => Self::Pending,
            Decision::Seal(_) => Self::Unsealed,
        }
    }

    /// A word from a closed set.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unsealed => "unsealed",
            Self::Pending => "pending",
            Self::Exempt => "exempt",
            Self::Sealed => "sealed",
        }
    }

    /// The same for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Unsealed => "Unsealed",
            Self::Pending => "Pending",
            Self::Exempt => "Exempt",
            Self::Sealed => "Sealed",
        }
    }
}

/// A use of a disk that may keep the auth mode from being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InUse {
    /// A URL to its data is valid.
    Sas,
    /// It is attached to a virtual machine, whose ID this is if Azure returns it.
    Attached(Option<String>),
}

impl InUse {
    /// By `properties.diskState` and `managedBy` ("Disks - Get", `DiskState`).
    fn of(resource: &Resource) -> Option<Self> {
        if resource.is_in_state(&["ActiveSAS", "ActiveSASFrozen"]) {
            return Some(Self::Sas);
        }
        resource.is_attached().then(|| Self::Attached(resource.managed_by.clone()))
    }
}

/// What was found about one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which it is.
    pub id: ResourceId,
    /// The region's name in the form in which regions are compared, if Azure returns one.
    pub location: Option<String>,
    /// The value of its tag `owner`.
    pub owner: Option<String>,
    /// What the policy decides.
    pub decision: Decision,
    /// What else a person should know.
    pub notices: Vec<Notice>,
    /// What uses it now.
    pub in_use: Option<InUse>,
    /// The vault by which Azure Backup or Azure Site Recovery protects its machine.
    pub vault: Option<String>,
}

impl Entry {
    /// Decides by the handler's own rules.
    pub fn new(policy: &Policy, resource: &Resource, now: OffsetDateTime) -> Self {
        let occasion = Occasion { now, event_time: None, trace_id: None };
        Self {
            id: resource.id.clone(),
            location: resource.location.as_deref().map(region).filter(|region| !region.is_empty()),
            owner: resource.tags.get(OWNER_TAG).map(str::to_owned),
            decision: decide(policy, resource, &occasion),
            notices: notices(policy, resource, now),
            in_use: InUse::of(resource),
            vault: None,
        }
    }

    /// The state that the decision amounts to.
    pub fn status(&self) -> Status {
        Status::of(&self.decision)
    }

    /// Why it is in that state: a word from a closed set.
    pub fn reason(&self) -> &'static str {
        match &self.decision {
            Decision::Compliant => "sealed",
            Decision::Exempt(exemption) => exemption.reason(),
            Decision::Pending(pending) => pending.reason(),
            Decision::Seal(change) if change.data_access_auth_mode.is_some() => "auth_mode",
            Decision::Seal(_) => "tags",
        }
    }

    /// The same for people, with what is particular to this resource. Nothing for one that is sealed.
    pub fn detail(&self) -> String {
        match &self.decision {
            Decision::Compliant => String::new(),
            Decision::Exempt(Exemption::Tag { reason, .. }) => reason.clone(),
            Decision::Exempt(exemption) => exemption.to_string(),
            Decision::Pending(reason) => reason.to_string(),
            Decision::Seal(change) => {
                let mode = change.data_access_auth_mode.is_some().then(|| "the mode".to_owned());
                let names: Vec<_> = change.tags.iter().map(|(name, _)| name).collect();
                let tags = match names.as_slice() {
                    [] => None,
                    [name] => Some(format!("the tag {name}")),
                    names => Some(format!("the tags {}", names.join(", "))),
                };
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

    /// Disk or snapshot, in a word.
    pub fn kind(&self) -> &'static str {
        match self.id.resource_type() {
            ResourceType::Disk => "disk",
            ResourceType::Snapshot => "snapshot",
        }
    }

    /// The region, or a word for none.
    pub fn location(&self) -> &str {
        self.location.as_deref().unwrap_or(NO_LOCATION)
    }
}

/// `West Europe` and `westeurope` are one region ("Azure regions list": display name and name).
fn region(location: &str) -> String {
    location.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

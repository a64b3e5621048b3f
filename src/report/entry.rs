//! One resource in the report.

use time::{Date, OffsetDateTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    NO_LOCATION,
    control::{Check, Verdict},
};
use crate::{
    policy::{
        Defect, Exemption, Mode, NamedBy, Policy, Protection, SealedAt, TagExemption,
        decide::{Change, Decision, Notice, Occasion, decide, notices},
        sealed_at,
    },
    resource::{DataAccessAuthMode, Member, Resource},
    resource_id::ResourceId,
};

/// The reason of what lacks network settings alone.
const NETWORK_ACCESS: &str = "network_access";

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

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.label().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        let found = Self::BEST_FIRST.into_iter().find(|one| one.label() == word);
        found.ok_or_else(|| de::Error::custom("not a status"))
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
        if resource.has_live_sas() {
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
    /// The value of its owner tag, or the owner of the listed exemption that decides.
    pub owner: Option<String>,
    /// Whether it is sealed, or only reported.
    pub ring: Mode,
    /// The policy's decision.
    pub decision: Decision,
    /// Its exemption tag, whether it decides or not.
    pub exemption_tag: Option<TagExemption>,
    /// What is wrong with that tag, if it is in force.
    pub defects: Vec<Defect>,
    /// What a person should look at.
    pub notices: Vec<Notice>,
    /// Its current use.
    pub in_use: Option<InUse>,
    /// The vault that protects it, or the machine or cluster that it belongs to.
    pub vault: Option<String>,
    /// What Azure says of it.
    pub facts: Facts,
}

/// What Azure says of a resource, as far as the report shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `properties.dataAccessAuthMode`, unless its properties cannot be read.
    pub auth_mode: Option<String>,
    /// Whether that is the seal's.
    pub has_mode: bool,
    /// `properties.networkAccessPolicy`
    pub network_access_policy: Option<String>,
    /// `properties.publicNetworkAccess`
    pub public_network_access: Option<String>,
    /// `properties.diskState`
    pub disk_state: Option<String>,
    /// `properties.timeCreated`
    pub time_created: Option<OffsetDateTime>,
    /// The time of the seal, of a resource that has the mode.
    pub sealed_at: Option<SealedAt>,
    /// What first named it, of a resource that has the mode.
    pub named_by: Option<NamedBy>,
}

impl Facts {
    fn of(policy: &Policy, resource: &Resource) -> Self {
        let has_mode = resource.has(&DataAccessAuthMode::AzureActiveDirectory);
        let is_known = !resource.cannot_read(Member::Properties);
        let named_by = |policy: &Policy| {
            policy.tags.iter().find_map(|rule| rule.named_by(resource.tags.get(rule.name())?))
        };
        Self {
            auth_mode: is_known.then(|| resource.data_access_auth_mode.as_str().to_owned()),
            has_mode,
            network_access_policy: resource.network_access_policy.clone(),
            public_network_access: resource.public_network_access.clone(),
            disk_state: resource.disk_state.clone(),
            time_created: resource.time_created,
            sealed_at: has_mode.then(|| sealed_at(policy, resource)).flatten(),
            named_by: has_mode.then(|| named_by(policy)).flatten(),
        }
    }
}

impl Entry {
    /// Decides about a resource, using the handler's own rules.
    pub fn new(policy: &Policy, resource: &Resource, protection: &Protection, now: OffsetDateTime) -> Self {
        let occasion = Occasion { now, event_time: None, trace_id: None, named_by: NamedBy::Sweep };
        let exemption_tag = policy.exemptions.by_tag(&resource.tags, now);
        let defects = match &exemption_tag {
            Some(TagExemption::Until { date, reason }) => {
                policy.exemptions.demands.defects(Some(*date), Some(reason), now)
            }
            Some(TagExemption::Expired(_) | TagExemption::Unreadable) | None => vec![],
        };
        let decision = decide(policy, resource, protection, &occasion);
        let owner = policy.owner_of(resource);
        Self {
            owner: owner.or_else(|| owner_of(policy, &decision)).map(str::to_owned),
            exemption_tag,
            defects,
            id: resource.id.clone(),
            location: resource.location.as_deref().map(region).filter(|region| !region.is_empty()),
            ring: policy.ring_of(resource),
            decision,
            notices: notices(policy, resource, now),
            in_use: InUse::of(resource),
            vault: match protection {
                Protection::By(vault) => Some(vault.clone()),
                Protection::Unprotected | Protection::Unknown(_) => None,
            },
            facts: Facts::of(policy, resource),
        }
    }

    /// Its state.
    pub fn status(&self) -> Status {
        Status::of(&self.decision)
    }

    /// The reason for its state: a word from a closed set.
    pub fn reason(&self) -> &'static str {
        reason(&self.decision)
    }

    /// The reason for people, with details of this resource. Empty for a sealed one.
    pub fn detail(&self) -> String {
        match &self.decision {
            Decision::Compliant => String::new(),
            Decision::Exempt(Exemption::Tag { reason, .. } | Exemption::Listed { reason, .. }) => {
                reason.clone()
            }
            Decision::Exempt(exemption) => exemption.to_string(),
            Decision::Protected(guarded) => guarded.to_string(),
            Decision::Pending(reason) => reason.to_string(),
            Decision::Seal(change) => {
                let mode = change.data_access_auth_mode.is_some().then(|| "the mode".to_owned());
                let network = change.network_access.pairs().map(|(name, value)| format!("{name}={value}"));
                let names: Vec<_> = change.tags.iter().map(|(name, _)| name).collect();
                let s = if names.len() == 1 { "" } else { "s" };
                let tags = (!names.is_empty()).then(|| format!("the tag{s} {}", names.join(", ")));
                let lacking: Vec<_> = mode.into_iter().chain(network).chain(tags).collect();
                let held_back = change.held_back.as_ref().map(|guarded| format!("{guarded}; it "));
                format!("{}lacks {}", held_back.unwrap_or_default(), lacking.join(" and "))
            }
        }
    }

    /// What a check finds. An absent property has Azure's default, which fails.
    pub fn verdict(&self, check: Check) -> Verdict {
        let is = |value: &Option<String>, known: &[&str]| {
            value.as_ref().is_some_and(|value| known.iter().any(|known| known.eq_ignore_ascii_case(value)))
        };
        let facts = &self.facts;
        let passes = match check {
            _ if facts.auth_mode.is_none() => return Verdict::Unknown,
            Check::DataAccessAuthMode => facts.has_mode,
            Check::NetworkAccess => {
                is(&facts.network_access_policy, &["DenyAll", "AllowPrivate"])
                    || is(&facts.public_network_access, &["Disabled"])
            }
        };
        let is_exempt = check == Check::DataAccessAuthMode && self.status() == Status::Exempt;
        match (passes, is_exempt) {
            (true, _) => Verdict::Pass,
            (false, true) => Verdict::Exempt,
            (false, false) => Verdict::Fail,
        }
    }

    /// Whether it is sealed and a SAS URL to its data is valid, which may be older than the seal.
    pub fn has_live_sas(&self) -> bool {
        self.facts.has_mode && self.in_use == Some(InUse::Sas)
    }

    /// The last day of its exemption, if it has one that ends.
    pub fn until(&self) -> Option<Date> {
        match &self.decision {
            Decision::Exempt(exemption) => exemption.until(),
            _ => None,
        }
    }

    /// The glob, or the entry of `DISKSEAL_EXEMPTIONS`, that exempts it together with others.
    pub fn rule(&self) -> Option<String> {
        match &self.decision {
            Decision::Exempt(
                Exemption::Subscription(glob) | Exemption::ResourceGroup(glob) | Exemption::Name(glob),
            ) => Some(glob.clone()),
            Decision::Exempt(Exemption::Listed { number, .. }) => {
                Some(format!("DISKSEAL_EXEMPTIONS[{number}]"))
            }
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

/// The reason for a decision: a word from a closed set.
pub fn reason(decision: &Decision) -> &'static str {
    match decision {
        Decision::Compliant => "sealed",
        Decision::Exempt(exemption) => exemption.reason(),
        Decision::Protected(guarded) | Decision::Seal(Change { held_back: Some(guarded), .. }) => {
            guarded.reason()
        }
        Decision::Pending(pending) => pending.reason(),
        Decision::Seal(change) if change.data_access_auth_mode.is_some() => "auth_mode",
        Decision::Seal(change) if !change.network_access.is_empty() => NETWORK_ACCESS,
        Decision::Seal(_) => "tags",
    }
}

/// The owner of the listed exemption that decides.
fn owner_of<'a>(policy: &'a Policy, decision: &Decision) -> Option<&'a str> {
    let Decision::Exempt(Exemption::Listed { number, .. }) = decision else { return None };
    let listed = policy.exemptions.listed.0.iter().find(|one| one.number == *number);
    listed.and_then(|one| one.owner.as_deref())
}

/// `West Europe` and `westeurope` are one region ("Azure regions list": display name and name).
fn region(location: &str) -> String {
    location.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

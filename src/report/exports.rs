//! Who takes SAS URLs of which resources, and whom a seal would break.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Entry, grouped, stamp::seconds};
use crate::{policy::decide::Decision, resource_id::folded};

/// Maximum number of pairs of a caller and a resource that are kept.
const PAIRS_MAX: usize = 20_000;

/// Applications of Microsoft, by their IDs ("Verify first-party Microsoft applications in sign-in reports"; "Configure a
/// vault to encrypt using customer-managed keys" for the last one).
const KNOWN: [(&str, &str); 4] = [
    ("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Azure CLI"),
    ("1950a258-227b-4e31-a9cf-717495945fc2", "Azure PowerShell"),
    ("c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure portal"),
    ("262044b1-e2ce-469f-a196-69ab7ada62d3", "Azure Backup"),
];

/// What the report says of them.
pub(super) const NOTE: &str = "A SAS URL of a sealed resource gives access only to a caller that signs in and has the right to its \
     data. Whoever took one of an unsealed resource may use it without, and stops working at the seal.";

words! {
    /// What kind of caller took a SAS URL.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Caller, label of labels {
        /// A service principal or managed identity.
        Application => "application",
        /// A person, by whatever application.
        Person => "person",
        /// Its claims cannot be read.
        Unknown => "unknown",
    }
}

words! {
    /// What was granted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Grant, label of labels {
        /// "Disks - Grant Access"
        Disk => "disk",
        /// "Snapshots - Grant Access"
        Snapshot => "snapshot",
        /// SAS URLs of a restore point, which no seal covers.
        RestorePoint => "restore_point",
    }
}

impl Grant {
    /// The grant of an operation of the activity log, if it is one.
    pub fn of_operation(name: &str) -> Option<Self> {
        [
            ("Microsoft.Compute/disks/beginGetAccess/action", Self::Disk),
            ("Microsoft.Compute/snapshots/beginGetAccess/action", Self::Snapshot),
            (
                "Microsoft.Compute/restorePointCollections/restorePoints/retrieveSasUris/action",
                Self::RestorePoint,
            ),
        ]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, grant)| grant)
    }
}

words! {
    /// What a seal means for whoever takes SAS URLs of a resource.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Effect, label of labels {
        /// It is sealed.
        Sealed => "sealed",
        /// Enforcement would seal it.
        WouldSeal => "would_seal",
        /// It is left as it is: exempt, protected or pending.
        Left => "left",
        /// No seal covers a restore point.
        NotCovered => "not_covered",
        /// It was not listed: deleted since, or not in what was read.
        NotListed => "not_listed",
    }
}

/// Who took a SAS URL. A person has no name here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct By {
    /// What kind of caller.
    pub caller: Caller,
    /// The application ID, a GUID.
    pub application_id: Option<String>,
    /// The application's name, if it is known.
    pub name: Option<String>,
}

impl By {
    /// A caller of whom nothing is known.
    pub fn unknown() -> Self {
        Self { caller: Caller::Unknown, application_id: None, name: None }
    }

    /// The name of an application of Microsoft.
    pub fn known_name(application_id: &str) -> Option<&'static str> {
        KNOWN.iter().find(|(id, _)| id.eq_ignore_ascii_case(application_id)).map(|(_, name)| *name)
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let application = match (&self.name, &self.application_id) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (Some(text), None) | (None, Some(text)) => text.clone(),
            (None, None) => String::new(),
        };
        match (self.caller, application.is_empty()) {
            (Caller::Application, _) => f.write_str(&application),
            (Caller::Person, true) => f.write_str("a person"),
            (Caller::Person, false) => write!(f, "a person, by {application}"),
            (Caller::Unknown, _) => f.write_str("unknown"),
        }
    }
}

/// One SAS URL that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// By whom.
    pub by: By,
    /// What was granted.
    pub grant: Grant,
    /// The ID of the resource, as the log has it.
    pub resource: String,
    /// When.
    pub at: OffsetDateTime,
}

/// What one caller took of one resource.
#[derive(Clone, Debug)]
struct Pair {
    id: String,
    grant: Grant,
    count: usize,
    last: OffsetDateTime,
    effect: Option<Effect>,
}

/// What one caller took.
#[derive(Clone, Debug)]
struct Sum {
    count: usize,
    last: OffsetDateTime,
}

/// The SAS URLs that were taken in a time.
#[derive(Clone, Debug)]
pub struct Exports {
    since: OffsetDateTime,
    until: OffsetDateTime,
    callers: BTreeMap<By, Sum>,
    /// By the ID of the resource without case, and by the caller.
    pairs: BTreeMap<(String, By), Pair>,
    left_out: usize,
}

impl Exports {
    /// None yet.
    pub fn new(since: OffsetDateTime, until: OffsetDateTime) -> Self {
        Self { since, until, callers: BTreeMap::new(), pairs: BTreeMap::new(), left_out: 0 }
    }

    /// The time.
    pub fn between(&self) -> (OffsetDateTime, OffsetDateTime) {
        (self.since, self.until)
    }

    /// The number of those that are counted by their caller alone, because there are too many.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Counts one.
    pub fn add(&mut self, export: Export) {
        let Export { by, grant, resource, at } = export;
        let sum = self.callers.entry(by.clone()).or_insert(Sum { count: 0, last: at });
        sum.count += 1;
        sum.last = sum.last.max(at);
        let key = (folded(&resource), by);
        let is_full = self.pairs.len() >= PAIRS_MAX;
        if is_full && !self.pairs.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let effect = (grant == Grant::RestorePoint).then_some(Effect::NotCovered);
        let pair = self.pairs.entry(key).or_insert(Pair { id: resource, grant, count: 0, last: at, effect });
        pair.count += 1;
        pair.last = pair.last.max(at);
    }

    /// Notes what a seal means for those who took SAS URLs of a listed resource, and returns what they took of it.
    pub(super) fn mark(&mut self, entry: &Entry) -> Option<OfResource> {
        let effect = match &entry.decision {
            Decision::Compliant => Effect::Sealed,
            decision if decision.sets_mode() => Effect::WouldSeal,
            // It has the mode, and lacks tags.
            Decision::Seal(_) => Effect::Sealed,
            Decision::Exempt(_) | Decision::Protected(_) | Decision::Pending(_) if entry.facts.has_mode => {
                Effect::Sealed
            }
            Decision::Exempt(_) | Decision::Protected(_) | Decision::Pending(_) => Effect::Left,
        };
        let id = folded(&entry.id.to_string());
        let first = (id.clone(), By { caller: Caller::Application, application_id: None, name: None });
        let mut found = OfResource { count: 0, last: String::new(), by: vec![] };
        let mut last = None;
        for ((_, by), pair) in self.pairs.range_mut(first..).take_while(|((key, _), _)| *key == id) {
            pair.effect = Some(effect);
            found.count += pair.count;
            last = last.max(Some(pair.last));
            found.by.push(by.to_string());
        }
        found.last = seconds(last?);
        Some(found)
    }

    fn effect(pair: &Pair) -> Effect {
        pair.effect.unwrap_or(Effect::NotListed)
    }

    /// What enforcement would break.
    pub(super) fn broken(&self) -> Broken {
        let broken = || self.pairs.iter().filter(|(_, pair)| Self::effect(pair) == Effect::WouldSeal);
        let distinct = |keys: Vec<&str>| keys.into_iter().collect::<std::collections::BTreeSet<_>>().len();
        Broken {
            exports: broken().map(|(_, pair)| pair.count).sum(),
            resources: distinct(broken().map(|((id, _), _)| id.as_str()).collect()),
            callers: broken().map(|((_, by), _)| by).collect::<std::collections::BTreeSet<_>>().len(),
        }
    }

    /// Each caller, those first that enforcement would break most, then by the number of exports.
    pub(super) fn callers(&self) -> Vec<OfCaller> {
        let mut all: BTreeMap<&By, OfCaller> =
            self.callers.iter().map(|(by, sum)| (by, OfCaller::new(by, sum))).collect();
        for ((_, by), pair) in &self.pairs {
            if let Some(one) = all.get_mut(by) {
                one.resources += 1;
                if Self::effect(pair) == Effect::WouldSeal {
                    one.would_break += pair.count;
                }
            }
        }
        let mut all: Vec<_> = all.into_values().collect();
        all.sort_by_key(|one| std::cmp::Reverse((one.would_break, one.exports)));
        all
    }

    /// What each caller took of each resource, what enforcement would break first.
    pub(super) fn resources(&self) -> Vec<OfPair> {
        let mut all: Vec<_> = self.pairs.iter().map(|((_, by), pair)| OfPair::new(by, pair)).collect();
        all.sort_by_key(|one| (one.effect != Effect::WouldSeal.label(), std::cmp::Reverse(one.exports)));
        all
    }

    /// A sentence for people.
    pub(super) fn phrase(&self) -> String {
        let Broken { exports, resources, callers } = self.broken();
        let all: usize = self.callers.values().map(|sum| sum.count).sum();
        format!(
            "{} SAS URLs were taken since {}; enforcement would break {} of them, of {} resources by {} callers",
            grouped(all),
            seconds(self.since),
            grouped(exports),
            grouped(resources),
            grouped(callers)
        )
    }

    pub(super) fn json(&self) -> Json {
        Json {
            since: seconds(self.since),
            until: seconds(self.until),
            exports: self.callers.values().map(|sum| sum.count).sum(),
            would_break: self.broken(),
            callers: self.callers(),
            resources: self.resources(),
            left_out: self.left_out,
            note: NOTE,
        }
    }
}

/// What was taken of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfResource {
    /// How many SAS URLs.
    pub count: usize,
    /// When the last one, in UTC.
    pub last: String,
    /// By whom.
    pub by: Vec<String>,
}

/// What enforcement would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Broken {
    pub(super) exports: usize,
    pub(super) resources: usize,
    pub(super) callers: usize,
}

/// What one caller took.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfCaller {
    pub(super) caller: &'static str,
    application_id: Option<String>,
    name: Option<String>,
    #[serde(skip)]
    pub(super) text: String,
    pub(super) exports: usize,
    pub(super) resources: usize,
    pub(super) last: String,
    pub(super) would_break: usize,
}

impl OfCaller {
    fn new(by: &By, sum: &Sum) -> Self {
        Self {
            caller: by.caller.label(),
            application_id: by.application_id.clone(),
            name: by.name.clone(),
            text: by.to_string(),
            exports: sum.count,
            resources: 0,
            last: seconds(sum.last),
            would_break: 0,
        }
    }
}

/// What one caller took of one resource.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfPair {
    caller: &'static str,
    application_id: Option<String>,
    name: Option<String>,
    #[serde(skip)]
    pub(super) text: String,
    kind: &'static str,
    pub(super) id: String,
    pub(super) exports: usize,
    pub(super) last: String,
    pub(super) effect: &'static str,
}

impl OfPair {
    fn new(by: &By, pair: &Pair) -> Self {
        Self {
            caller: by.caller.label(),
            application_id: by.application_id.clone(),
            name: by.name.clone(),
            text: by.to_string(),
            kind: pair.grant.label(),
            id: pair.id.clone(),
            exports: pair.count,
            last: seconds(pair.last),
            effect: Exports::effect(pair).label(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Json {
    since: String,
    until: String,
    exports: usize,
    would_break: Broken,
    callers: Vec<OfCaller>,
    resources: Vec<OfPair>,
    left_out: usize,
    note: &'static str,
}

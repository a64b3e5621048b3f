//! The result of a listing: each resource with its decision, and the number of resources in each state.

use std::{collections::BTreeMap, fmt};

use time::{Date, OffsetDateTime};
use tracing::warn;

use super::{Listing, Protected};
use crate::{
    arm::Unreadable,
    policy::{
        BackupGuard, EXPIRING_WITHIN_DAYS, Exemption, Exemptions, Guarded, ListedExemption, Mode, NamedBy,
        Policy, Protection, days_left,
        decide::{Change, Decision, Occasion, PendingReason, decide},
    },
    report::{Counts, Gap, Status},
    resource::Resource,
    resource_id::{ResourceId, ResourceType},
};

/// Maximum number of vaults that a log line names.
const VAULTS_MAX: usize = 5;

/// A listed resource with its decision, made by the handler's rules.
#[derive(Debug)]
pub struct Judged<'a> {
    resource: &'a Resource,
    owner: Option<&'a str>,
    decision: Decision,
    protection: Protection,
    /// Whether it stays in audit while others are sealed.
    is_in_audit: bool,
    now: OffsetDateTime,
}

impl<'a> Judged<'a> {
    /// Decides about a resource.
    pub fn new(policy: &Policy, protected: &Protected, resource: &'a Resource, now: OffsetDateTime) -> Self {
        let occasion = Occasion { now, event_time: None, trace_id: None, named_by: NamedBy::Sweep };
        let protection = protected.of(resource);
        let decision = decide(policy, resource, &protection, &occasion);
        let is_in_audit = policy.mode == Mode::Enforce && policy.ring_of(resource) == Mode::Audit;
        Self { resource, owner: policy.owner_of(resource), decision, protection, is_in_audit, now }
    }

    /// Logs an exemption that ends soon, and a form that cannot be read.
    pub fn warn(&self) {
        if let Some(until) = self.ends_soon() {
            warn!("the exemption of {} ends on {until}", self.resource.id);
        }
        if self.decision == Decision::Pending(PendingReason::Malformed) {
            warn!("the listing has {} in a form that cannot be read, so it is looked at", self.resource.id);
        }
    }

    /// The vault that protects it, if that matters: it is left as it is, or sealed anyway.
    fn vault(&self) -> Option<&str> {
        match (&self.decision, &self.protection) {
            (Decision::Protected(Guarded::Vault(vault)), _) => Some(vault),
            (decision, Protection::By(vault)) if decision.sets_properties() => Some(vault),
            _ => None,
        }
    }

    /// Why the backup guard leaves the resource as it is, if it does.
    pub fn guarded(&self) -> Option<&Guarded> {
        match &self.decision {
            Decision::Protected(guarded) => Some(guarded),
            _ => None,
        }
    }

    /// The decision, if it leaves the resource as it is for a reason: it is exempt, protected, or not to be written yet.
    pub fn left(&self) -> Option<&Decision> {
        match &self.decision {
            Decision::Compliant | Decision::Seal(_) | Decision::Pending(PendingReason::Malformed) => None,
            Decision::Exempt(_) | Decision::Protected(_) | Decision::Pending(_) => Some(&self.decision),
        }
    }

    /// Whether it stays in audit while others are sealed.
    pub const fn is_in_audit(&self) -> bool {
        self.is_in_audit
    }

    /// The kind of resource.
    pub fn kind(&self) -> ResourceType {
        self.resource.id.resource_type()
    }

    /// What a person should know of it, although nothing is done about it.
    pub fn notable(&self) -> Option<Notable> {
        let until = match &self.decision {
            Decision::Exempt(exemption) => exemption.until(),
            _ => None,
        };
        let ends = until.filter(|until| days_left(*until, self.now) <= i64::from(EXPIRING_WITHIN_DAYS));
        let guarded = self.guarded().cloned();
        if ends.is_none() && guarded.is_none() {
            return None;
        }
        let (resource, owner) = (self.resource.id.clone(), self.owner.map(str::to_owned));
        Some(Notable { resource, owner, ends, guarded })
    }

    /// The last day of the exemption, if it is soon.
    fn ends_soon(&self) -> Option<Date> {
        match self.decision {
            Decision::Exempt(Exemption::Tag { until, .. }) => {
                (days_left(until, self.now) <= i64::from(EXPIRING_WITHIN_DAYS)).then_some(until)
            }
            _ => None,
        }
    }
}

/// A resource that is left as it is, and that a person should know of: its exemption ends soon, or a backup keeps it
/// from being sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notable {
    /// The resource.
    pub resource: ResourceId,
    /// The value of its owner tag.
    pub owner: Option<String>,
    /// The last day of its exemption, if that is soon.
    pub ends: Option<Date>,
    /// Why the backup guard leaves it as it is, if it does.
    pub guarded: Option<Guarded>,
}

/// What is to be done about a listed resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Todo {
    /// It is to be sealed by this change.
    Seal(Change),
    /// It is in a form that cannot be read, so that a look has to decide: a row is only a reason to look.
    Look,
}

/// The number of listed resources in each state, and what is not known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The number of each decision, without protected resources that are left as they are.
    pub counts: Counts,
    /// Number of unsealed resources that stay in audit while others are sealed.
    pub in_audit: usize,
    /// Number of resources that are left as they are because of a backup or a possible backup.
    pub protected: usize,
    /// Number of those for which it is unknown whether they are protected.
    pub doubtful: usize,
    /// Number of listed elements that could not be read.
    pub unreadable: usize,
    /// Number of exemptions that end soon.
    pub expiring: usize,
    /// Number of resources that were announced and not read. They are in no other number.
    pub unread: usize,
    /// The parts of the scope that could not be read.
    pub gaps: Vec<Gap>,
    /// How many resources each vault protects.
    pub vaults: BTreeMap<String, usize>,
    /// Number of resources in scope by Resource Graph, if it was asked. Its listing has only what may be unsealed.
    pub in_scope: Option<usize>,
}

impl Survey {
    /// Counts a resource, and returns what is to be done about it.
    pub fn add(&mut self, judged: Judged<'_>) -> Option<Todo> {
        self.expiring += usize::from(judged.ends_soon().is_some());
        if let Some(vault) = judged.vault() {
            *self.vaults.entry(vault.to_owned()).or_default() += 1;
        }
        match judged.decision {
            Decision::Protected(guarded) => {
                self.protected += 1;
                self.doubtful += usize::from(guarded == Guarded::Unknown);
                None
            }
            Decision::Pending(PendingReason::Malformed) => {
                self.counts.unsealed += 1;
                self.in_audit += usize::from(judged.is_in_audit);
                Some(Todo::Look)
            }
            decision => {
                self.counts.add(Status::of(&decision));
                let is_unsealed = matches!(decision, Decision::Seal(_));
                self.in_audit += usize::from(is_unsealed && judged.is_in_audit);
                if let Decision::Seal(change) = decision { Some(Todo::Seal(change)) } else { None }
            }
        }
    }

    /// Counts the exemptions of the settings that end soon, and logs each once, however many resources it covers.
    pub fn add_exemptions(&mut self, exemptions: &Exemptions, now: OffsetDateTime) {
        for ListedExemption { number, until, .. } in exemptions.listed_ending(EXPIRING_WITHIN_DAYS, now) {
            self.expiring += 1;
            // A query of Azure Monitor reads these words, as it does those about a tag.
            warn!("the exemption of DISKSEAL_EXEMPTIONS[{number}] ends on {until}");
        }
    }

    /// Number of sealed resources: those in the listing, or all in scope that are in no other number.
    pub fn sealed(&self) -> usize {
        let Counts { sealed, exempt, pending, unsealed } = self.counts;
        let others = exempt + pending + unsealed + self.protected + self.unreadable + self.unread;
        self.in_scope.map_or(sealed, |all| all.saturating_sub(others))
    }

    /// Adds what a listing could not read.
    pub fn close(&mut self, listing: &Listing) {
        self.unread = listing.missing();
        self.gaps = listing.gaps().to_vec();
    }

    /// Logs in one line which vaults protect resources, and what becomes of these.
    pub fn warn_of_vaults(&self, guard: BackupGuard) {
        if self.vaults.is_empty() {
            return;
        }
        let mut names: Vec<_> = self.vaults.keys().take(VAULTS_MAX).map(String::as_str).collect();
        if self.vaults.len() > VAULTS_MAX {
            names.push("…");
        }
        let end = match guard {
            BackupGuard::Warn => "sealed anyway",
            BackupGuard::Network => "sealed by their network settings alone",
            BackupGuard::Skip | BackupGuard::Off => "left as they are",
        };
        let count: usize = self.vaults.values().sum();
        let (count, names) = (plural(count, "disk or snapshot", "disks and snapshots"), names.join(", "));
        warn!("protected by a vault, and {end}: {count}, by {names}");
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            counts: Counts { sealed, exempt, pending, unsealed },
            protected,
            unreadable,
            doubtful,
            ..
        } = self;
        write!(
            f,
            "{unsealed} unsealed, {pending} pending, {sealed} sealed, {exempt} exempt, {protected} protected, \
             {unreadable} unreadable"
        )?;
        if self.in_audit > 0 {
            write!(f, ", {} of the unsealed in audit", self.in_audit)?;
        }
        if self.unread > 0 {
            write!(f, ", {} not read", self.unread)?;
        }
        if !self.gaps.is_empty() {
            write!(f, ", {} of the scope not read", plural(self.gaps.len(), "part", "parts"))?;
        }
        // An alert looks for these words in the host's log.
        if *doubtful > 0 {
            write!(f, ", the backup guard is unsure of {doubtful}")?;
        }
        Ok(())
    }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Logs an element of a listing that could not be read.
pub fn warn_of_unreadable(Unreadable { what, why }: &Unreadable) {
    warn!("unreadable in the listing: {what}: {why}");
}

//! The result of a listing: each resource with its decision, and the number of resources in each state.

use std::fmt;

use time::{Date, OffsetDateTime};
use tracing::warn;

use super::Protected;
use crate::{
    arm::Unreadable,
    policy::{
        EXPIRING_WITHIN_DAYS, Exemption, Guarded, Policy, Protection, days_left,
        decide::{Change, Decision, Occasion, decide},
    },
    report::{Counts, Status},
    resource::Resource,
    resource_id::ResourceId,
};

/// A listed resource with its decision, made by the handler's rules.
#[derive(Debug)]
pub struct Judged<'a> {
    id: &'a ResourceId,
    decision: Decision,
    protection: Protection,
    now: OffsetDateTime,
}

impl<'a> Judged<'a> {
    /// Decides about a resource.
    pub fn new(policy: &Policy, protected: &Protected, resource: &'a Resource, now: OffsetDateTime) -> Self {
        let occasion = Occasion { now, event_time: None, trace_id: None };
        let protection = protected.of(resource);
        let decision = decide(policy, resource, &protection, &occasion);
        Self { id: &resource.id, decision, protection, now }
    }

    /// Logs an exemption that ends soon, and the vault of a protected resource that is sealed anyway.
    pub fn warn(&self) {
        if let Some(until) = self.ends_soon() {
            warn!("the exemption of {} ends on {until}", self.id);
        }
        if let Protection::By(vault) = &self.protection
            && self.decision.sets_mode()
        {
            warn!("{vault} protects {}, which is sealed anyway", self.id);
        }
    }

    /// Why the backup guard leaves the resource as it is, if it does.
    pub fn guarded(&self) -> Option<&Guarded> {
        match &self.decision {
            Decision::Protected(guarded) => Some(guarded),
            _ => None,
        }
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

/// The number of listed resources in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The number of each decision, without protected resources that are left as they are.
    pub counts: Counts,
    /// Number of resources that are left as they are because of a backup or a possible backup.
    pub protected: usize,
    /// Number of those for which it is unknown whether they are protected.
    pub doubtful: usize,
    /// Number of listed elements that could not be read.
    pub unreadable: usize,
    /// Number of exemptions that end soon.
    pub expiring: usize,
}

impl Survey {
    /// Counts a resource, and returns the change if it is to be sealed.
    pub fn add(&mut self, judged: Judged<'_>) -> Option<Change> {
        self.expiring += usize::from(judged.ends_soon().is_some());
        match judged.decision {
            Decision::Protected(guarded) => {
                self.protected += 1;
                self.doubtful += usize::from(guarded == Guarded::Unknown);
                None
            }
            decision => {
                self.counts.add(Status::of(&decision));
                if let Decision::Seal(change) = decision { Some(change) } else { None }
            }
        }
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts: Counts { sealed, exempt, pending, unsealed }, protected, unreadable, .. } = self;
        write!(
            f,
            "{unsealed} unsealed, {pending} pending, {sealed} sealed, {exempt} exempt, {protected} protected, \
             {unreadable} unreadable"
        )
    }
}

/// Logs an element of a listing that could not be read.
pub fn warn_of_unreadable(Unreadable { what, why }: &Unreadable) {
    warn!("unreadable in the listing: {what}: {why}");
}

//! What a listing shows: each resource with its decision, and the number of resources in each state.

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

/// A listed resource with its decision, made by the handler's own rules.
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

    /// Logs what a person should know: an exemption that ends soon, and a vault of what is sealed all the same.
    pub fn warn(&self) {
        if let Some(until) = self.ends_soon() {
            warn!("the exemption of {} ends on {until}", self.id);
        }
        if let Protection::By(vault) = &self.protection
            && self.decision.sets_mode()
        {
            warn!("{vault} protects {}, which is sealed all the same", self.id);
        }
    }

    /// Why the backup guard leaves it as it is, if it does.
    pub fn guarded(&self) -> Option<&Guarded> {
        match &self.decision {
            Decision::Protected(guarded) => Some(guarded),
            _ => None,
        }
    }

    /// The last day of its exemption, if that is soon.
    fn ends_soon(&self) -> Option<Date> {
        match self.decision {
            Decision::Exempt(Exemption::Tag { until, .. }) => {
                (days_left(until, self.now) <= i64::from(EXPIRING_WITHIN_DAYS)).then_some(until)
            }
            _ => None,
        }
    }
}

/// How many resources a listing shows in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// What the decisions are; a protected resource that is left as it is counts below.
    pub counts: Counts,
    /// How many are left as they are because of a backup, or of one that may be there.
    pub protected: usize,
    /// How many of those because it is not known what is protected.
    pub doubtful: usize,
    /// How many elements of the listing could not be read.
    pub unreadable: usize,
    /// How many exemptions end soon.
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

/// Logs an element of a listing that nobody can read, so that a person looks at it.
pub fn warn_of_unreadable(Unreadable { what, why }: &Unreadable) {
    warn!("unreadable in the listing: {what}: {why}");
}

//! The sweep: what events have missed. For now it looks and tells; it does not write.

use std::fmt;

use crate::{
    arm::{self, Page},
    enforce::{Context, Deadline},
    policy::decide::{Decision, Occasion, decide},
    resource_id::ResourceType,
};

/// What a sweep has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Sealed.
    pub compliant: usize,
    /// Left as they are, for a recorded reason.
    pub exempt: usize,
    /// Not sealed.
    pub unsealed: usize,
    /// Not sealed, and not to be written just now.
    pub not_yet: usize,
    /// Elements of ARM's lists that could not be read.
    pub unreadable: usize,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compliant, exempt, unsealed, not_yet, unreadable } = self;
        write!(
            f,
            "{unsealed} unsealed, {not_yet} not yet, {compliant} sealed, {exempt} exempt, {unreadable} unreadable"
        )
    }
}

/// Lists every disk and snapshot in scope, and decides on the listing.
///
/// # Errors
/// ARM could not be asked.
pub async fn survey(ctx: &Context, deadline: Deadline) -> Result<Survey, arm::Error> {
    let mut survey = Survey::default();
    let subscriptions = match ctx.policy.subscriptions.as_slice() {
        [] => ctx.arm.subscriptions(deadline).await?,
        given => given.to_vec(),
    };
    for subscription in subscriptions {
        for resource_type in [ResourceType::Disk, ResourceType::Snapshot] {
            let mut next = Some(ctx.arm.list(&subscription, resource_type, deadline).await?);
            while let Some(page) = next {
                survey.add(ctx, &page);
                next = ctx.arm.next(&subscription, &page, deadline).await?;
            }
        }
    }
    Ok(survey)
}

impl Survey {
    fn add(&mut self, ctx: &Context, page: &Page) {
        let occasion = Occasion { now: ctx.now(), event_time: None, trace_id: None };
        for resource in &page.resources {
            match decide(&ctx.policy, resource, &occasion) {
                Decision::Compliant => self.compliant += 1,
                Decision::Exempt(_) => self.exempt += 1,
                Decision::Seal(_) => self.unsealed += 1,
                Decision::NotYet(_) => self.not_yet += 1,
            }
        }
        self.unreadable += page.unreadable;
    }
}

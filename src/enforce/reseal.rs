//! The end of an exemption before its day: the exemption tag goes, and the resource is sealed like any other.
//!
//! A stop between any two requests leaves a resource that is exempt, or one that the next look seals. So the same call
//! goes on from there, and so does a sweep.

use std::{ops::ControlFlow, time::Duration};

use tracing::Instrument;

use super::{
    Context, Error, Look, Outcome, Trigger,
    act::Writer,
    by_hand::{self, prove},
    enforce, judge, settle,
};
use crate::{
    azure::Terms,
    policy::{
        Mode, TagExemption,
        decide::{Change, Decision},
    },
    resource::{Resource, tags::Tags},
    resource_id::ResourceId,
};

/// Removes the exemption tag of one resource and seals it. Ends within `time`. If the seal would not follow, as with a
/// protected resource, the tag stays. A tag that is not of an exemption's form is somebody else's, and stays as well.
///
/// # Errors
/// It is not sealed; if the tag was removed already, the next look seals it.
pub async fn reseal(ctx: &Context, id: &ResourceId, time: Duration) -> Result<Outcome, Error> {
    let look = Look::new(id.clone(), Trigger::Command, time);
    let terms = look.terms();
    let span = by_hand::span!("reseal", id);
    let work = async {
        let end = settle(terms, ControlFlow::Break(Outcome::NotFound), || end_exemption(ctx, id, terms));
        let ended = tokio::time::timeout_at(terms.until(), end).await.map_err(|_| Error::Deadline)?;
        match ended? {
            ControlFlow::Break(outcome) => Ok(outcome),
            ControlFlow::Continue(()) => enforce(ctx, &look).await,
        }
    };
    let result = work.instrument(span.clone()).await;
    super::record(&span, &result);
    result
}

/// Removes the exemption tag, if there is one and the seal would follow.
async fn end_exemption(ctx: &Context, id: &ResourceId, terms: Terms) -> Result<ControlFlow<Outcome>, Error> {
    if let Some(exemption) = ctx.exempt_by_id(id, terms).await? {
        return Ok(ControlFlow::Break(Outcome::Exempt(exemption)));
    }
    let resource = by_hand::read(ctx, id, terms).await?;
    let Some(exemption) = exemption_tag(ctx, &resource) else { return Ok(ControlFlow::Continue(())) };
    let ring = ctx.policy.ring_of(&resource);
    let rest = resource.tags.iter().filter(|(name, _)| exemption.get(name).is_none()).collect();
    let change = match judge(ctx, &Resource { tags: rest, ..resource }, None, terms).await {
        Decision::Compliant => Change::default(),
        Decision::Seal(change) => change,
        Decision::Exempt(exemption) => return Ok(ControlFlow::Break(Outcome::Exempt(exemption))),
        Decision::Protected(guarded) => return Ok(ControlFlow::Break(Outcome::Protected(guarded))),
        Decision::Pending(reason) => return Err(Error::Pending(reason)),
    };
    if ring == Mode::Audit {
        return Ok(ControlFlow::Break(Outcome::in_audit(ctx.policy.mode, change)));
    }
    if !ctx.is_switched_on(terms).await {
        return Ok(ControlFlow::Break(Outcome::SwitchedOff));
    }
    let reserved = ctx.arm.reserve(id, 1, terms).await?;
    let writer = Writer { arm: &ctx.arm, id, reserved: Some(&reserved), terms };
    writer.delete_tags(&exemption).await?;
    prove(ctx, id, terms, |resource| exemption_tag(ctx, resource).is_none()).await?;
    Ok(ControlFlow::Continue(()))
}

/// The exemption tag as it stands on the resource, in force or over. None if it is not of that form.
fn exemption_tag(ctx: &Context, resource: &Resource) -> Option<Tags> {
    match ctx.policy.exemptions.by_tag(&resource.tags, ctx.now())? {
        TagExemption::Until { .. } | TagExemption::Expired(_) => {}
        TagExemption::Unreadable => return None,
    }
    let name = ctx.policy.exemptions.tag.as_deref()?;
    Some([(name, resource.tags.get(name)?)].into_iter().collect())
}

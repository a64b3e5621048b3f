//! The heart: look at one resource, decide, act, prove.
//!
//! Level-triggered: whatever led here only said *look*. What is done follows from what ARM says now,
//! so a duplicate, a late event and a crash half-way are all the same case. Nothing is remembered that
//! a SIGKILL could lose: what stands in memory here only saves requests.

mod act;
mod breaker;
mod by_hand;
mod context;
mod error;
mod in_flight;
mod line;
mod look;
mod machine;
mod outcome;
mod reseal;
mod revert;
mod revoke;
mod switch;
mod unseal;

use std::{ops::ControlFlow, pin::pin, time::Duration};

use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty, info_span, warn};

pub use breaker::PAUSE_MAX;
pub use context::{Attached, Context, Grants, MachineEvents, Options, Outcomes};
pub use error::{Concern, Error, SEAL_REMOVED};
pub use line::Line;
pub use look::{Arrival, Look, Trigger, believed};
pub use machine::disks_of;
pub use outcome::{AUDIT_RING, EVENT_MISSED, HAD_MODE, Left, Outcome, TagsKept};
pub use reseal::reseal;
pub use revert::{Reverted, revert};
pub use switch::switches_off;
pub use unseal::{ExemptionFault, ExemptionTag, Unsealed, unseal};

use crate::{
    arm::{self, Failure, Reserved},
    azure::Terms,
    policy::{
        BackupGuard, Mode, NamedBy, Protection, Step,
        decide::{Change, Decision, Occasion, decide, notices},
    },
    resource::{Resource, tags::Tags},
    resource_id::ResourceType,
    telemetry::{self, Spent, Wait, measured, metrics, wait},
};
pub use act::writes_of_a_seal;
use act::{Acted, act, writes_of};
use in_flight::Progress;

/// Waits between looks at a resource that is in the middle of someone else's write. Most such writes
/// take a second; what takes longer is the queue's.
const OVERTAKEN_WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Waits after a 404 on a new resource, which a replica of ARM may not know yet.
const REPLICATION_WAITS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// How much time a seal has to have after a pause of the loop breaker. If there is less, the look fails instead of
/// running out of time, which would be a failure of the system.
const SEAL_TIME: Duration = Duration::from_secs(10);
/// How long what was read may be the reason for a write. After a longer wait, the resource is read again.
const DECIDED_FOR: Duration = Duration::from_secs(1);
/// How old a resource may be that a sweep finds unsealed, to count as one whose event was missed. Event Grid delivers
/// for a day ("Event Grid message delivery and retry", event time to live), and what is older was there before.
const MISSED_WITHIN: time::Duration = time::Duration::days(1);
/// How long a resource is new.
const NEW_FOR: time::Duration = time::Duration::minutes(1);

/// Decides about a resource as a GET shows it. Only where properties would be set does it matter what protects it.
pub async fn judge(
    ctx: &Context,
    resource: &Resource,
    event_time: Option<OffsetDateTime>,
    terms: Terms,
) -> Decision {
    let (decision, notice) = weigh(ctx, resource, event_time, NamedBy::Command, terms).await;
    if let Some(notice) = notice {
        warn!(resource_id = %resource.id, "{notice}");
    }
    decision
}

/// The decision, and what a person should know of the backup that it goes against.
async fn weigh(
    ctx: &Context,
    resource: &Resource,
    event_time: Option<OffsetDateTime>,
    named_by: NamedBy,
    terms: Terms,
) -> (Decision, Option<String>) {
    let occasion = Occasion { now: ctx.now(), event_time, trace_id: telemetry::trace_id(), named_by };
    let decide = |protection: &Protection| decide(&ctx.policy, resource, protection, &occasion);
    let unprotected = decide(&Protection::Unprotected);
    if !unprotected.sets_properties() {
        return (unprotected, None);
    }
    let protection = ctx.protection(resource, terms).await;
    let notice = match (ctx.policy.backup_guard, &protection) {
        (BackupGuard::Warn, Protection::By(vault)) => {
            Some(format!("{vault} protects it, and it is sealed all the same"))
        }
        _ => None,
    };
    let decision = if protection == Protection::Unprotected { unprotected } else { decide(&protection) };
    (decision, notice)
}

/// Whether the settings leave this disk to the sweep, because a machine holds it and an event led to the look.
fn leaves(ctx: &Context, look: &Look, resource: &Resource) -> bool {
    let occasion = Occasion { now: ctx.now(), event_time: None, trace_id: None, named_by: look.named_by };
    ctx.options.attached == Attached::Leave
        && look.trigger.is_of_event()
        && resource.may_be_held()
        && decide(&ctx.policy, resource, &Protection::Unprotected, &occasion).sets_properties()
}

/// Brings one resource under the seal, or says why not. The one way through for events, queue messages,
/// sweeps and the command line.
///
/// # Errors
/// It is not sealed; [`Error::concern`] says whether others can be.
pub async fn enforce(ctx: &Context, look: &Look) -> Result<Outcome, Error> {
    let span = info_span!(
        "enforce",
        diskseal.resource_id = look.resource.as_str(),
        diskseal.correlation_id = look.correlation_id,
        diskseal.outcome = Empty,
        diskseal.reason = Empty,
        diskseal.ring = Empty,
        diskseal.revoked = Empty,
        error.type = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    );
    let _active = metrics::active();
    let progress = ctx.in_flight.arrive();
    let looking = pin!(within(ctx, look, &progress).instrument(span.clone()));
    let (result, spent) = measured(looking).await;
    let result = match result {
        Err(error) if look.is_last && error.is_expected_wait() => Ok(Outcome::LeftToSweep(Left::Wait(error))),
        result => result,
    };
    record(&span, &result);
    // What another invocation has found, it has counted.
    if !progress.shares() {
        count(ctx, look, &result, spent);
    }
    result
}

/// How long a look at this resource would wait for ARM's quota now, as far as can be seen.
pub fn quota_wait(ctx: &Context, look: &Look) -> Duration {
    ctx.arm.quota_wait(&look.resource, writes_of_a_seal(&ctx.policy), look.terms.urgency())
}

/// Counts what became of a look.
fn count(ctx: &Context, look: &Look, result: &Result<Outcome, Error>, spent: Spent) {
    let (kind, trigger) = (look.resource.resource_type().label(), look.trigger.label());
    match result {
        Ok(outcome) => {
            metrics::outcome(outcome.label(), outcome.reason(), Some(kind), trigger);
            if let (Outcome::Sealed(_) | Outcome::Missed(_) | Outcome::Resealed(_), Some(since)) =
                (outcome, look.written_at(ctx.now()))
            {
                let whole = (ctx.now() - since).as_seconds_f64().max(0.0);
                metrics::sealed(kind, trigger, whole);
                let parts = look.arrival.parts(since, whole, spent);
                metrics::sealed_in(trigger, parts.into_iter().map(|(part, seconds)| (part.word(), seconds)));
            }
        }
        Err(error) => count_failure(Some(look.resource.resource_type()), look.trigger, error),
    }
}

/// Counts a failure; of a machine's, no kind of resource is known.
pub fn count_failure(kind: Option<ResourceType>, trigger: Trigger, error: &Error) {
    let (scope, reason) = (error.concern(), error.reason());
    let outcome = match (scope, kind) {
        (Concern::Resource, None) => Left::OUTCOME,
        _ => scope.label(),
    };
    metrics::outcome(outcome, Some(reason), kind.map(ResourceType::label), trigger.label());
    if scope != Concern::Quota {
        metrics::failure(scope.word(), reason, error.azure_code());
    }
}

async fn within(ctx: &Context, look: &Look, progress: &Progress<'_>) -> Result<Outcome, Error> {
    if let Some(exemption) = ctx.exempt_by_id(&look.resource, look.terms).await? {
        return Ok(Outcome::Exempt(exemption));
    }
    if ctx.breaker.is_waited_for(&look.resource) {
        return Err(Error::SealRemoved(ctx.breaker.pause(&look.resource)));
    }
    let missing = if look.trigger == Trigger::Command { Outcome::NotFound } else { Outcome::Gone };
    let once = ctx.in_flight.once(&look.resource, look.terms, progress, || {
        settle(look.terms, missing.clone(), || look_in_time(ctx, look, progress))
    });
    match tokio::time::timeout_at(look.terms.until(), once).await {
        Ok(result) => result,
        Err(_) => Err(progress.out_of_time()),
    }
}

/// Looks until no other writer gets in between. A resource that does not exist gives `missing`.
async fn settle<T, F>(terms: Terms, missing: T, look_once: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut waits = OVERTAKEN_WAITS.into_iter();
    loop {
        let error = match look_once().await {
            Err(Error::Arm(arm::Error { failure: Failure::Gone, .. })) => return Ok(missing),
            Err(error) if error.is_passing() => error,
            result => return result,
        };
        match waits.next() {
            Some(pause) if terms.allow(pause) => {
                // ARM does not announce the end of another write.
                wait(Wait::OtherWriter, tokio::time::sleep(pause)).await;
            }
            _ => return Err(error),
        }
    }
}

/// Looks, and after the loop breaker's pause looks again, because there may be nothing left to write.
async fn look_in_time(ctx: &Context, look: &Look, progress: &Progress<'_>) -> Result<Outcome, Error> {
    loop {
        match look_once(ctx, look, progress).await {
            Err(Error::SealRemoved(pause)) if look.terms.allow(pause + SEAL_TIME) => {
                ctx.breaker.wait_for(&look.resource, pause).await;
            }
            result => return result,
        }
    }
}

/// Looks until the decision is not older than what it rests on may be: a wait for quota makes it so, and the
/// write of the tag with the network settings.
async fn look_once(ctx: &Context, look: &Look, progress: &Progress<'_>) -> Result<Outcome, Error> {
    let mut reserved: Option<(Reserved, u32)> = None;
    // Once the tag with the network settings is written: how it was kept, and whether the seal had been removed.
    let mut before: Option<(TagsKept, bool)> = None;
    loop {
        progress.looking();
        // A look that meets another writer reads again; what a person should know is logged once.
        let is_first = !progress.has_seen();
        let resource = match read(ctx, look).await {
            // This very look has read it before, so a 404 is no proof that it no longer exists.
            Err(Error::Arm(arm::Error { failure: Failure::Gone, .. })) if progress.has_seen() => {
                return Err(Error::NotVisible);
            }
            result => result?,
        };
        progress.seen();
        Span::current().record("diskseal.ring", ctx.policy.ring_of(&resource).label());
        let mut change = match change_of(ctx, look, &resource, is_first).await? {
            ControlFlow::Continue(change) => change,
            ControlFlow::Break(outcome) => return Ok(outcome),
        };
        if let Some((_, is_removal)) = before {
            // Once is enough: a policy that takes the tag away would take it away again. By the tag alone it would be a removal.
            change.before = Tags::default();
            change.is_removal = is_removal;
        }
        let writes = writes_of(&change);
        let held = reserved.take().filter(|(_, enough)| *enough >= writes);
        let quota = if let Some((quota, _)) = held {
            quota
        } else {
            let start = Instant::now();
            let quota = ctx.arm.reserve(&look.resource, writes, look.terms_of_wait()).await?;
            if start.elapsed() > DECIDED_FOR {
                reserved = Some((quota, writes));
                continue;
            }
            quota
        };
        progress.give_way()?;
        let acted = act(ctx, look, &change, &quota, progress).await;
        let kept = match acted.map_err(|error| error.about(&resource))? {
            Acted::Kept(tag) => {
                before = Some((tag, change.is_removal));
                reserved = Some((quota, writes.saturating_sub(1)));
                continue;
            }
            Acted::Done(tags) => before.map_or(tags, |(tag, _)| tag.and(tags)),
        };
        let is_missed = is_missed(ctx, look, &resource);
        return Ok(Outcome::of_change(change, kept, is_missed));
    }
}

/// Whether no event has led to the seal of a resource that is so new that its event should have.
fn is_missed(ctx: &Context, look: &Look, resource: &Resource) -> bool {
    let is_recent = |created| (time::Duration::ZERO..=MISSED_WITHIN).contains(&(ctx.now() - created));
    look.named_by == NamedBy::Sweep && resource.time_created.is_some_and(is_recent)
}

/// The change to send to a resource as a GET shows it, or the outcome if there is nothing to send.
async fn change_of(
    ctx: &Context,
    look: &Look,
    resource: &Resource,
    is_first: bool,
) -> Result<ControlFlow<Outcome, Change>, Error> {
    let end = |outcome| Ok(ControlFlow::Break(outcome));
    if let Some(before) = &look.planned
        && let Some(drift) = before.drift(&ctx.policy, resource, Step::Apply)
    {
        return end(Outcome::Drifted(drift));
    }
    if leaves(ctx, look, resource) {
        return end(Outcome::LeftToSweep(Left::Attached));
    }
    let (decision, notice) =
        weigh(ctx, resource, look.written_at(ctx.now()), look.named_by, look.terms).await;
    if is_first {
        let notices = notices(&ctx.policy, resource, ctx.now()).into_iter().map(|notice| notice.to_string());
        notices.chain(notice).for_each(|notice| warn!(resource_id = %resource.id, "{notice}"));
    }
    let mut change = match decision {
        Decision::Compliant => return end(Outcome::AlreadySealed),
        Decision::Exempt(exemption) => return end(Outcome::Exempt(exemption)),
        Decision::Protected(guarded) => return end(Outcome::Protected(guarded)),
        Decision::Pending(reason) => return Err(Error::Pending(reason)),
        Decision::Seal(change) => change,
    };
    if ctx.policy.ring_of(resource) == Mode::Audit {
        return end(Outcome::in_audit(ctx.policy.mode, change));
    }
    change.is_removal |= ctx.breaker.has_tripped(&look.resource);
    if !ctx.is_switched_on(look.terms).await {
        return end(Outcome::SwitchedOff);
    }
    let pause = ctx.breaker.pause(&look.resource);
    if !pause.is_zero() {
        return Err(Error::SealRemoved(pause));
    }
    Ok(ControlFlow::Continue(change))
}

/// Reads the resource. A new one that ARM does not show yet is `NotVisible`, whatever the last answer was.
async fn read(ctx: &Context, look: &Look) -> Result<Resource, Error> {
    let is_new = is_new(ctx, look);
    let mut waits = REPLICATION_WAITS.into_iter().filter(|_| is_new);
    loop {
        let error = match ctx.arm.get(&look.resource, look.terms).await {
            Err(error) if error.failure == Failure::Gone => error,
            result => return Ok(result?),
        };
        match waits.next() {
            Some(pause) if look.terms.allow(pause) => {
                // Replication between ARM's regions announces itself by nothing but the next read.
                wait(Wait::Replication, tokio::time::sleep(pause)).await;
            }
            _ if is_new => return Err(Error::NotVisible),
            _ => return Err(error.into()),
        }
    }
}

/// Whether the write that led here is so young that ARM may not show the resource everywhere.
fn is_new(ctx: &Context, look: &Look) -> bool {
    let is_young = match look.event_time {
        Some(written) => ctx.now() - written < NEW_FOR,
        // An event without a time says nothing of its age.
        None => look.trigger == Trigger::Event,
    };
    is_young && !look.is_repeated
}

fn record(span: &Span, result: &Result<Outcome, Error>) {
    match result {
        Ok(outcome) => {
            span.record("diskseal.outcome", outcome.label());
            span.record("diskseal.reason", outcome.reason());
        }
        Err(error) => record_error(span, error),
    }
}

fn record_error(span: &Span, error: &Error) {
    span.record("diskseal.outcome", error.concern().label());
    span.record("diskseal.reason", error.reason());
    if error.concern() == Concern::Quota {
        return;
    }
    span.record("error.type", error.reason());
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", tracing::field::display(error));
}

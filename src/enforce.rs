//! The heart: look at one resource, decide, act, prove.
//!
//! Level-triggered: whatever led here only said *look*. What is done follows from what ARM says now,
//! so a duplicate, a late event and a crash half-way are all the same case. Nothing is remembered that
//! a SIGKILL could lose: what stands in memory here only saves requests.

mod act;
mod breaker;
mod context;
mod error;
mod in_flight;
mod line;
mod look;
mod machine;
mod switch;
mod unseal;

use std::{fmt, time::Duration};

use tracing::{Instrument, Span, field::Empty, info_span, warn};

pub use act::TagsKept;
pub use breaker::PAUSE_MAX;
pub use context::{Context, MachineEvents, Options};
use error::SEAL_REMOVED;
pub use error::{Concern, Error};
pub use line::Line;
pub use look::{Look, Trigger};
pub use machine::disks_of;
pub use switch::is_off;
pub use unseal::{ExemptionFault, ExemptionTag, Unsealed, unseal};

use crate::{
    arm::{self, Failure},
    azure::Terms,
    policy::{
        Exemption, Mode,
        decide::{Change, Decision, Occasion, decide, notices},
    },
    resource::Resource,
    resource_id::ResourceType,
    telemetry::{self, Wait, metrics, wait},
};
use act::act;
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
/// The word for what is left to the sweep.
const LEFT_TO_SWEEP: &str = "left_to_sweep";
/// How long a resource is new.
const NEW_FOR: time::Duration = time::Duration::minutes(1);

words! {
    /// What a look at a resource led to.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Outcome, label of labels {
        /// It was not sealed and is now, proven by what ARM shows.
        Sealed(TagsKept) => "sealed",
        /// It had the auth mode, and its tags are written now.
        Tagged(TagsKept) => "tagged",
        /// As `Sealed`, and somebody had removed the seal.
        Resealed(TagsKept) => "sealed",
        /// As `Tagged`, and the resource is written so often that somebody must be removing the seal.
        Retagged(TagsKept) => "tagged",
        /// It was sealed before.
        AlreadySealed => "already_sealed",
        /// It is left as it is, for a recorded reason.
        Exempt(Exemption) => "exempt",
        /// It is not sealed, and audit mode never writes.
        WouldSeal(Change) => "would_seal",
        /// It was announced or listed, and no longer exists.
        Gone => "gone",
        /// A person named it, and it does not exist.
        NotFound => "not_found",
        /// It cannot be sealed for a reason that is expected to last, and the queue has delivered its message for the
        /// last time; or a machine's disks cannot be read. The sweep seals it later.
        LeftToSweep(Error) => LEFT_TO_SWEEP,
        /// The operator's switch is off. The first sweep after it is on again seals it.
        SwitchedOff => "switched_off",
    }
}

impl Outcome {
    /// Why it is left as it is, a word from a closed set.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Exempt(exemption) => Some(exemption.reason()),
            Self::LeftToSweep(error) => Some(error.reason()),
            Self::Resealed(_) | Self::Retagged(_) => Some(SEAL_REMOVED),
            Self::WouldSeal(change) if change.is_removal => Some(SEAL_REMOVED),
            Self::Sealed(TagsKept::Modified) | Self::Tagged(TagsKept::Modified) => Some(TagsKept::MODIFIED),
            _ => None,
        }
    }

    /// The same in a sentence, also for what only waits.
    fn why(&self) -> Option<&dyn fmt::Display> {
        match self {
            Self::Exempt(exemption) => Some(exemption),
            Self::LeftToSweep(error) => Some(error),
            Self::Resealed(_) | Self::Retagged(_) => Some(&"its seal had been removed"),
            Self::WouldSeal(change) if change.is_removal => Some(&"its seal was removed"),
            Self::Sealed(TagsKept::Modified) | Self::Tagged(TagsKept::Modified) => {
                Some(&"its tags were changed as they were written, by an Azure Policy for example")
            }
            Self::SwitchedOff => Some(&"the tag diskseal=off stops every write"),
            _ => None,
        }
    }
}

/// Reads the resource and decides. Never writes.
///
/// # Errors
/// ARM could not be asked, or the resource is gone.
pub async fn assess(ctx: &Context, look: &Look) -> Result<Decision, Error> {
    examine(ctx, look).await.map(|(_, decision)| decision)
}

async fn examine(ctx: &Context, look: &Look) -> Result<(Resource, Decision), Error> {
    let resource = read(ctx, look).await?;
    let now = ctx.now();
    for notice in notices(&ctx.policy, &resource, now) {
        warn!(resource_id = %resource.id, "{notice}");
    }
    let occasion = Occasion { now, event_time: look.event_time, trace_id: telemetry::trace_id() };
    let written = look.of_machine.then(|| look.event_time.unwrap_or(now));
    let decision = match decide(&ctx.policy, &resource, &occasion) {
        Decision::Seal(_) if written.is_some_and(|written| ctx.policy.predates(&resource, written)) => {
            Decision::Exempt(Exemption::OlderThanWrite)
        }
        decision => decision,
    };
    Ok((resource, decision))
}

/// Brings one resource under the seal, or says why not. The one way through for events, queue messages,
/// sweeps and the command line.
///
/// # Errors
/// It is not sealed; [`Error::concern`] says whether others can be.
pub async fn enforce(ctx: &Context, look: &Look) -> Result<Outcome, Error> {
    let span = info_span!(
        "enforce",
        diskseal.resource_id = %look.resource,
        diskseal.correlation_id = look.correlation_id,
        diskseal.outcome = Empty,
        diskseal.reason = Empty,
        error.type = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    );
    let _active = metrics::active();
    let result = match within(ctx, look).instrument(span.clone()).await {
        Err(error) if look.is_last && error.is_expected_wait() => Ok(Outcome::LeftToSweep(error)),
        result => result,
    };
    record(&span, &result);
    count(ctx, look, &result);
    result
}

/// Counts what became of a look. [`enforce`] does; whoever could not come as far as that does it instead.
pub fn count(ctx: &Context, look: &Look, result: &Result<Outcome, Error>) {
    let (kind, trigger) = (look.resource.resource_type().label(), look.trigger.label());
    match result {
        Ok(outcome) => {
            metrics::outcome(outcome.label(), outcome.reason(), Some(kind), trigger);
            if let (Outcome::Sealed(_) | Outcome::Resealed(_), Some(since)) = (outcome, look.event_time) {
                metrics::sealed(kind, trigger, (ctx.now() - since).as_seconds_f64());
            }
        }
        Err(error) => count_failure(Some(look.resource.resource_type()), look.trigger, error),
    }
}

/// Counts a failure; of a machine's, no kind of resource is known.
pub fn count_failure(kind: Option<ResourceType>, trigger: Trigger, error: &Error) {
    let (scope, reason) = (error.concern(), error.reason());
    let outcome = match (scope, kind) {
        (Concern::Resource, None) => LEFT_TO_SWEEP,
        _ => scope.label(),
    };
    metrics::outcome(outcome, Some(reason), kind.map(ResourceType::label), trigger.label());
    metrics::failure(scope.word(), reason, error.azure_code());
}

async fn within(ctx: &Context, look: &Look) -> Result<Outcome, Error> {
    if let Some(exemption) = ctx.exempt_by_id(&look.resource, look.terms).await? {
        return Ok(Outcome::Exempt(exemption));
    }
    if ctx.breaker.is_waited_for(&look.resource) {
        return Err(Error::SealRemoved(ctx.breaker.pause(&look.resource)));
    }
    let missing = if look.trigger == Trigger::Command { Outcome::NotFound } else { Outcome::Gone };
    let progress = ctx.in_flight.arrive();
    let once = ctx.in_flight.once(&look.resource, &progress, || {
        settle(look.terms, missing, || look_in_time(ctx, look, &progress))
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
                // ARM has no way to tell when the other writer is done.
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

async fn look_once(ctx: &Context, look: &Look, progress: &Progress<'_>) -> Result<Outcome, Error> {
    progress.looking();
    let (resource, decision) = match examine(ctx, look).await {
        // This very look has read it before, so a 404 is no proof that it no longer exists.
        Err(Error::Arm(arm::Error { failure: Failure::Gone, .. })) if progress.has_seen() => {
            return Err(Error::NotVisible);
        }
        result => result?,
    };
    progress.seen();
    let mut change = match decision {
        Decision::Compliant => return Ok(Outcome::AlreadySealed),
        Decision::Exempt(exemption) => return Ok(Outcome::Exempt(exemption)),
        Decision::Pending(reason) => return Err(Error::Pending(reason)),
        Decision::Seal(change) => change,
    };
    if ctx.policy.mode == Mode::Audit {
        return Ok(Outcome::WouldSeal(change));
    }
    change.is_removal |= ctx.breaker.has_tripped(&look.resource);
    if !ctx.is_switched_on(look.terms).await {
        return Ok(Outcome::SwitchedOff);
    }
    let pause = ctx.breaker.pause(&look.resource);
    if !pause.is_zero() {
        return Err(Error::SealRemoved(pause));
    }
    let is_seal = change.data_access_auth_mode.is_some();
    let kept = act(ctx, look, &change, progress).await.map_err(|error| error.about(&resource))?;
    Ok(match (is_seal, change.is_removal) {
        (true, false) => Outcome::Sealed(kept),
        (true, true) => Outcome::Resealed(kept),
        (false, false) => Outcome::Tagged(kept),
        (false, true) => Outcome::Retagged(kept),
    })
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
    match look.event_time {
        Some(written) => ctx.now() - written < NEW_FOR,
        // An event without a time says nothing of its age.
        None => look.trigger == Trigger::Event,
    }
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
    span.record("error.type", error.reason());
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", tracing::field::display(error));
}

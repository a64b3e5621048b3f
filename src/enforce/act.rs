//! Writing the seal: the auth mode and the network settings, then the tags, each proven by what ARM shows before anything
//! rests on it. Before the network settings are changed, a tag keeps what they were.
//!
//! An operation's `Retry-After` asks for 2 and 10 s, while the recorded operations took 0.09 to 0.34 s. So the
//! resource itself is read soon, and the operation is asked only where the reads do not show the mode.

use std::time::Duration;

use tokio::time::Instant;

use super::{Context, Error, Look, TagsKept, in_flight::Progress, revoke::revoke};
use crate::{
    arm::{self, Failure, Operation, Reserved, State, Update},
    azure::Terms,
    policy::{Network, Policy, decide::Change},
    resource::{DataAccessAuthMode, Resource, properties::Properties, tags::Tags},
    resource_id::ResourceId,
    telemetry::{Wait, wait},
};

/// When the resource is read after ARM has accepted the mode, counted from then.
const MODE_READS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// The longest wait between two later reads, each of which comes with a question to the operation.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How many reads follow an operation that has succeeded: a replica of ARM may show its effect late.
const READS_AFTER_SUCCESS: usize = 3;
/// The waits before the reads that prove tags whose write was answered without them.
const TAG_WAITS: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(2)];
/// How often one look writes tags: a policy that changes them would change them again.
const TAG_WRITES_MAX: usize = 2;
/// The pauses before one look sends a write again whose answer has not come, each after a read that does not show it.
/// In a pause the pool notices connections that their peer has closed.
const RESEND_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// How long one read of the proof may take, so that one that hangs leaves time for others.
const READ_TIME: Duration = Duration::from_secs(3);

/// What was written of a change.
pub(super) enum Acted {
    /// The tag that keeps the network settings. What the rest is decided by has been read before, so it is read again.
    Kept(TagsKept),
    /// All.
    Done(TagsKept),
}

/// Sends the change. `reserved` is ARM's quota for all of it.
///
/// The two writes do not overlap, although that would save the tags' time:
/// - The tags claim the seal, and must not claim what no answer has shown, whatever kills the process in between.
/// - While the mode's operation runs, a write of the tags is a concurrent write of the same disk. Azure refuses it with 409
///   (`Conflict`, `ConflictingConcurrentWriteNotAllowed`; azure-cli #15765), or ends the first operation
///   (`OperationPreempted`, in a 200; cloud-provider-azure #1356), so that the mode may be lost.
/// - The disk is open until the mode is proven. The tags come after that, so an overlap would not shorten this time.
///
/// Nothing else holds the tags up: the read that shows the mode is the end of the wait, and the operation is not asked.
pub(super) async fn act(
    ctx: &Context,
    look: &Look,
    change: &Change,
    reserved: &Reserved,
    progress: &Progress<'_>,
) -> Result<Acted, Error> {
    let id = &look.resource;
    let writer = Writer { arm: &ctx.arm, id, reserved: Some(reserved), terms: look.terms() };
    if !change.before.is_empty() {
        // After the change nothing would show what it has overwritten, so this comes first.
        return writer.merge_tags(&change.before, &Properties::default(), || ()).await.map(Acted::Kept);
    }
    let seal = Properties {
        network_access: change.network_access,
        ..DataAccessAuthMode::AzureActiveDirectory.into()
    };
    if change.sets_properties() {
        // Another look of this process may have written it since the decision.
        let pause = ctx.breaker.pause(id);
        if !pause.is_zero() {
            return Err(Error::SealRemoved(pause));
        }
        let accepted = || {
            progress.accepted();
            ctx.breaker.count(id);
        };
        let resource = writer.set(&change.properties(), accepted).await?;
        if change.revokes && resource.has_live_sas() {
            // Before the tags: after a stop here, the next look would not know that there is something to revoke.
            revoke(ctx, id, look.terms()).await;
        }
        // What was set before the look may have been reset since, and the tags would claim it.
        if !change.tags.is_empty() && !seal.are_of(&resource) {
            return Err(Error::Unproven);
        }
    }
    if change.tags.is_empty() {
        return Ok(Acted::Done(TagsKept::AsWritten));
    }
    let accepted = || {
        progress.accepted();
        if !change.sets_properties() {
            ctx.breaker.count(id);
        }
    };
    writer.merge_tags(&change.tags, &seal, accepted).await.map(Acted::Done)
}

/// Waits before a write is sent again after this many tries; returns whether there is a try and the time for it.
pub(super) async fn is_time_to_resend(tries: usize, terms: Terms) -> bool {
    let pause = tries.checked_sub(1).and_then(|index| RESEND_PAUSES.get(index));
    let Some(pause) = pause.filter(|pause| terms.allow(**pause)) else { return false };
    wait(Wait::Retry, tokio::time::sleep(*pause)).await;
    true
}

/// How many writes a whole seal takes: the properties, the tags, and before them the tag with the network settings.
pub fn writes_of_a_seal(policy: &Policy) -> u32 {
    if policy.network == Network::Off || policy.tags.is_empty() { 2 } else { 3 }
}

/// How many writes a change takes.
pub(super) fn writes_of(change: &Change) -> u32 {
    let is_needed = [!change.before.is_empty(), change.sets_properties(), !change.tags.is_empty()];
    is_needed.map(u32::from).iter().sum()
}

/// Writes one resource, and proves each write by a read.
pub(super) struct Writer<'a> {
    pub(super) arm: &'a arm::Client,
    pub(super) id: &'a ResourceId,
    /// The part of ARM's quota that is set aside for the writes.
    pub(super) reserved: Option<&'a Reserved>,
    pub(super) terms: Terms,
}

impl Writer<'_> {
    /// Writes the properties, and returns the resource once ARM shows them. `accepted` is called when ARM has accepted
    /// the write.
    ///
    /// # Errors
    /// `Unfinished` where ARM has accepted the write and no answer has shown its end in time.
    pub(super) async fn set(&self, properties: &Properties, accepted: impl Fn()) -> Result<Resource, Error> {
        let Self { arm, id, reserved, terms } = *self;
        let mut tries = 1;
        let update = loop {
            match arm.update(id, properties, reserved, terms).await {
                Ok(update) => break update,
                // It may have been applied, and a second one would preempt its operation.
                Err(error) if error.is_without_answer() => {
                    let resource = arm.get(id, terms).await.map_err(not_gone)?;
                    if properties.are_of(&resource) || resource.is_provisioning() {
                        break Update::Done(resource);
                    }
                    if !is_time_to_resend(tries, terms).await {
                        return Err(error.into());
                    }
                    tries += 1;
                }
                Err(error) => return Err(not_gone(error)),
            }
        };
        accepted();
        let operation = match update {
            // A 200 without an operation is the end of the write and carries the whole resource, so nothing else is
            // needed ("Track asynchronous Azure operations"). The body of a 202 is a part, with what was asked for.
            Update::Done(resource) if properties.are_of(&resource) && !resource.is_provisioning() => {
                return Ok(resource);
            }
            Update::Done(_) => None,
            Update::Accepted(operation) => Some(operation),
        };
        Proof { arm, id, properties, terms, operation, reads_left: None, is_asked: false }.find().await
    }

    /// Merges tags, and reads them back where the answer does not carry them. The resource has these properties, as far as
    /// what is read shows them.
    async fn merge_tags(
        &self,
        tags: &Tags,
        properties: &Properties,
        accepted: impl Fn(),
    ) -> Result<TagsKept, Error> {
        for _ in 0..TAG_WRITES_MAX {
            let answer = self.send_tags(tags, properties).await?;
            accepted();
            let kept = match answer {
                Some(kept) => kept,
                None => self.read_tags(tags, properties).await?,
            };
            if kept.contains_all(tags) {
                return Ok(TagsKept::AsWritten);
            }
        }
        Ok(TagsKept::Modified)
    }

    /// Sends a merge of tags until ARM has applied it. Returns the tags, if ARM shows them. The resource has these
    /// properties, as far as what is read shows them.
    ///
    /// # Errors
    /// `Unproven` where the read before a second try does not show the properties: the tags would claim what is not so.
    pub(super) async fn send_tags(
        &self,
        tags: &Tags,
        properties: &Properties,
    ) -> Result<Option<Tags>, Error> {
        let Self { arm, id, reserved, terms } = *self;
        let mut tries = 1;
        loop {
            match arm.merge_tags(id, tags, reserved, terms).await {
                Ok(kept) => return Ok(kept),
                Err(error) if error.is_without_answer() => {
                    let resource = arm.get(id, terms).await.map_err(not_gone)?;
                    if !properties.are_of(&resource) {
                        return Err(Error::Unproven);
                    }
                    if resource.tags.contains_all(tags) {
                        return Ok(Some(resource.tags));
                    }
                    if !is_time_to_resend(tries, terms).await {
                        return Err(error.into());
                    }
                    tries += 1;
                }
                Err(error) => return Err(not_gone(error)),
            }
        }
    }

    /// Reads the tags until they are as written, or were read often enough.
    async fn read_tags(&self, tags: &Tags, properties: &Properties) -> Result<Tags, Error> {
        let Self { arm, id, terms, .. } = *self;
        let mut last = None;
        for pause in TAG_WAITS {
            if !terms.allow(pause) {
                break;
            }
            // Tags that were accepted show in reads after a while, which nothing announces.
            wait(Wait::Proof, tokio::time::sleep(pause)).await;
            let Ok(resource) = arm.get(id, terms.at_most(READ_TIME)).await else { continue };
            if !properties.are_of(&resource) {
                return Err(Error::Unproven);
            }
            if resource.tags.contains_all(tags) {
                return Ok(resource.tags);
            }
            last = Some(resource.tags);
        }
        match last {
            // One that is there with another value was written, and changed.
            Some(kept) if tags.iter().any(|(name, _)| kept.get(name).is_some()) => Ok(kept),
            Some(_) | None => Err(Error::Unfinished),
        }
    }
}

/// The search for an answer that shows the properties.
struct Proof<'a> {
    arm: &'a arm::Client,
    id: &'a ResourceId,
    properties: &'a Properties,
    terms: Terms,
    /// None where the write is over, or names no operation.
    operation: Option<Operation>,
    /// Set once the write is known to be over: how many more reads may show it late.
    reads_left: Option<usize>,
    is_asked: bool,
}

impl Proof<'_> {
    async fn find(mut self) -> Result<Resource, Error> {
        let start = Instant::now();
        if self.operation.is_none() {
            self.reads_left = Some(MODE_READS.len());
        }
        let mut reads = MODE_READS.into_iter();
        let mut pause = Duration::from_secs(1);
        loop {
            let (kind, until_read) = match reads.next() {
                Some(read) => (Wait::Proof, (start + read).saturating_duration_since(Instant::now())),
                None => (Wait::Operation, pause),
            };
            if !self.terms.allow(until_read) {
                return self.out_of_time().await;
            }
            // A write that was accepted shows in reads after a while, which nothing announces.
            wait(kind, tokio::time::sleep(until_read)).await;
            let resource = self.arm.get(self.id, self.terms.at_most(READ_TIME)).await.ok();
            if let Some(resource) = &resource
                && self.properties.are_of(resource)
                && (resource.has_succeeded() || self.reads_left.is_some())
            {
                return Ok(resource.clone());
            }
            match &mut self.reads_left {
                Some(0) => return Err(Error::Unproven),
                Some(left) => *left -= 1,
                None if reads.len() == 0 || resource.is_some_and(|resource| resource.has_failed()) => {
                    if let Some(resource) = self.ask(start).await? {
                        return Ok(resource);
                    }
                    if reads.len() == 0 {
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
                None => {}
            }
        }
    }

    /// Asks the operation, not before ARM wants to be asked. Returns the resource where the end shows it.
    async fn ask(&mut self, start: Instant) -> Result<Option<Resource>, Error> {
        let Some(operation) = &mut self.operation else { return Ok(None) };
        let first = !self.is_asked;
        if first && operation.retry_after().is_some_and(|wait| start.elapsed() < wait.min(LONGEST_PAUSE)) {
            return Ok(None);
        }
        self.is_asked = true;
        match self.arm.poll(operation, self.terms.at_most(READ_TIME)).await {
            Ok(State::Succeeded(resource)) => {
                self.reads_left = Some(READS_AFTER_SUCCESS);
                Ok(resource.map(|resource| *resource).filter(|resource| self.properties.are_of(resource)))
            }
            Err(error) if error.is_of_operation() => Err(error.into()),
            // Its state is not known, or could not be read: that is no end.
            Ok(State::Running | State::Unknown) | Err(_) => Ok(None),
        }
    }

    /// Asks the operation once before the time is over, so that one that failed is reported as failed.
    async fn out_of_time(mut self) -> Result<Resource, Error> {
        if let Some(operation) = &mut self.operation {
            match self.arm.poll(operation, self.terms).await {
                Ok(State::Succeeded(Some(resource))) if self.properties.are_of(&resource) => {
                    return Ok(*resource);
                }
                Err(error) if error.is_of_operation() => return Err(error.into()),
                _ => {}
            }
        }
        Err(Error::Unfinished)
    }
}

/// A 404 to a write of what was read just before is a replica that does not show it, or a deletion in between: a
/// reason to look again, and no proof.
fn not_gone(error: arm::Error) -> Error {
    let failure = if error.failure == Failure::Gone { Failure::Overtaken } else { error.failure };
    Error::Arm(arm::Error { failure, ..error })
}

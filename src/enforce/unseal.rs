//! The way back: a resource without data-access authentication and with the network settings from before the seal, exempt
//! for a time and for a reason.
//!
//! Built so that a stop between any two requests leaves no false claim and nothing that the next look
//! would undo: the exemption is there and proven before the seal is touched, and the seal's tags go before
//! the mode does. Until the mode is written, the resource is sealed. The tag with the network settings goes last, because
//! they are restored from it.

use std::{fmt, time::Duration};

use time::{Date, OffsetDateTime, UtcOffset};

use super::{
    Context, Error, Trigger,
    act::Writer,
    by_hand::{self, Stop, prove},
    in_flight::Progress,
};
use crate::{
    azure::Terms,
    policy::{Defect, NETWORK_BEFORE, Policy, TagExemption, TagRule, restored},
    resource::{
        DataAccessAuthMode, Resource,
        properties::Properties,
        tags::{Tags, VALUE_CHARS_MAX},
    },
    resource_id::ResourceId,
};

/// What a resource becomes that is unsealed.
const UNSEALED: DataAccessAuthMode = DataAccessAuthMode::None;

/// An exemption to write: a tag that the policy reads, checked before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemptionTag {
    name: String,
    value: String,
}

/// Why an exemption cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExemptionFault {
    /// Nothing reads the tag.
    #[error(
        "no exemption tag is set, so the next look would seal it again at once: set DISKSEAL_EXEMPT_TAG (or \
         --exempt-tag) here and in the function app's settings, for example to diskseal-exempt"
    )]
    NotRead,
    /// There is no tag to remove.
    #[error(
        "no exemption tag is set, so there is none to remove: set DISKSEAL_EXEMPT_TAG (or --exempt-tag), or use \
         `diskseal seal`"
    )]
    NoTag,
    /// It would be over before it began.
    #[error("{0} is over: give a day from today on, UTC")]
    Past(Date),
    /// An exemption without a reason is none.
    #[error("the reason is empty, and an exemption without one does not count")]
    NoReason,
    /// A tag is one line.
    #[error("the reason holds a control character, such as a line break")]
    Control,
    /// The settings want a ticket.
    #[error("the reason does not match {0:?} (DISKSEAL_EXEMPT_TICKET): name the ticket in the reason")]
    NoTicket(String),
    /// Azure would refuse it.
    #[error(
        "the reason is too long: with its date the tag has {0} characters, and Azure takes {VALUE_CHARS_MAX}"
    )]
    TooLong(usize),
}

impl ExemptionTag {
    /// The exemption through the end of a day, UTC, for a reason.
    ///
    /// # Errors
    /// The policy would not read it, or Azure would not take it.
    pub fn new(
        policy: &Policy,
        until: Date,
        reason: &str,
        now: OffsetDateTime,
    ) -> Result<Self, ExemptionFault> {
        let name = policy.exemptions.tag.clone().ok_or(ExemptionFault::NotRead)?;
        if until < now.to_offset(UtcOffset::UTC).date() {
            return Err(ExemptionFault::Past(until));
        }
        if reason.trim().is_empty() {
            return Err(ExemptionFault::NoReason);
        }
        if reason.trim().chars().any(char::is_control) {
            return Err(ExemptionFault::Control);
        }
        if let Some(Defect::WithoutTicket(pattern)) = policy.exemptions.demands.without_ticket(Some(reason)) {
            return Err(ExemptionFault::NoTicket(pattern));
        }
        let value = TagExemption::value(until, reason);
        match value.chars().count() {
            count if count > VALUE_CHARS_MAX => Err(ExemptionFault::TooLong(count)),
            _ => Ok(Self { name, value }),
        }
    }
}

impl fmt::Display for ExemptionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.name, self.value)
    }
}

words! {
    /// What an unseal of a resource led to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Unsealed, label of labels {
        /// It was sealed and is no longer, and it is exempt.
        Unsealed => "unsealed",
        /// It was not sealed, and this very exemption stood on it.
        AlreadyUnsealed => "already_unsealed",
        /// Audit mode never writes.
        WouldUnseal => "would_unseal",
        /// It does not exist.
        NotFound => "not_found",
        /// The operator's switch is off.
        SwitchedOff => "switched_off",
    }
}

/// Takes the seal off one resource and leaves an exemption, so that the next look does not seal it again. Ends
/// within `time`.
///
/// # Errors
/// It may still be sealed; if the exemption was written already, it stays, and the same call goes on from
/// there.
pub async fn unseal(
    ctx: &Context,
    id: &ResourceId,
    exemption: &ExemptionTag,
    time: Duration,
) -> Result<Unsealed, Error> {
    let terms = Trigger::Command.terms(time);
    let look = async |progress: &Progress<'_>| look_once(ctx, id, exemption, terms, progress).await;
    by_hand::run(ctx, by_hand::span!("unseal", id), terms, Unsealed::NotFound, Unsealed::label, look).await
}

async fn look_once(
    ctx: &Context,
    id: &ResourceId,
    exemption: &ExemptionTag,
    terms: Terms,
    progress: &Progress<'_>,
) -> Result<Unsealed, Error> {
    let resource = by_hand::read(ctx, id, terms).await?;
    let wanted: Tags = [(exemption.name.as_str(), exemption.value.as_str())].into_iter().collect();
    let seal = tags_of_the_seal(ctx, &resource);
    let before: Tags =
        resource.tags.get(NETWORK_BEFORE).map(|value| (NETWORK_BEFORE, value)).into_iter().collect();
    let properties = Properties {
        data_access_auth_mode: (resource.data_access_auth_mode != UNSEALED).then_some(UNSEALED),
        network_access: restored(&resource),
    };
    let is_exempt = resource.tags.contains_all(&wanted);
    if is_exempt && seal.is_empty() && before.is_empty() && properties.is_empty() {
        return Ok(Unsealed::AlreadyUnsealed);
    }
    match by_hand::stop(ctx, &resource, terms).await? {
        Some(Stop::Audit) => return Ok(Unsealed::WouldUnseal),
        Some(Stop::SwitchedOff) => return Ok(Unsealed::SwitchedOff),
        None => {}
    }
    let parts = [!is_exempt, !seal.is_empty(), !properties.is_empty(), !before.is_empty()];
    let count = parts.map(u32::from).iter().sum();
    let reserved = ctx.arm.reserve(id, count, terms).await?;
    let writer = Writer { arm: &ctx.arm, id, reserved: Some(&reserved), terms };
    if !is_exempt {
        let tags = writer.send_tags(&wanted, &Properties::default()).await?;
        if !tags.is_some_and(|tags| exempts(ctx, &tags)) {
            prove(ctx, id, terms, |resource| exempts(ctx, &resource.tags)).await?;
        }
    }
    if !seal.is_empty() {
        writer.delete_tags(&seal).await?;
    }
    if !properties.is_empty() {
        let resource = writer.set(&properties, || progress.accepted()).await?;
        if !tags_of_the_seal(ctx, &resource).is_empty() {
            prove(ctx, id, terms, |resource| tags_of_the_seal(ctx, resource).is_empty()).await?;
        }
    }
    if !before.is_empty() {
        writer.delete_tags(&before).await?;
        prove(ctx, id, terms, |resource| resource.tags.get(NETWORK_BEFORE).is_none()).await?;
    }
    Ok(Unsealed::Unsealed)
}

/// The seal's tags as they stand on the resource: without the seal they would claim what is not so.
fn tags_of_the_seal(ctx: &Context, resource: &Resource) -> Tags {
    // A value that the seal would not have written is somebody else's.
    let ours = |rule: &TagRule| {
        let value = resource.tags.get(rule.name())?;
        let is_ours = rule.fixed().is_none_or(|fixed| fixed == value);
        is_ours.then(|| (rule.name().to_owned(), value.to_owned()))
    };
    ctx.policy.tags.iter().filter_map(ours).collect()
}

/// Whether these tags keep the next look from sealing the resource.
fn exempts(ctx: &Context, tags: &Tags) -> bool {
    let exemption = ctx.policy.exemptions.by_tag(tags, ctx.now());
    matches!(exemption, Some(TagExemption::Until { .. }))
}

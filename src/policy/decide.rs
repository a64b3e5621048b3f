//! The decision about a resource, from ARM's description of it.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use super::pending::PendingReason;
use super::{
    BackupGuard, Doubt, Exemption, Guarded, NamedBy, Policy, Protection, TagExemption, TagRule, removal,
    tag_rule::{BEFORE, TEMPLATE_KEYS},
};
use crate::resource::{
    DataAccessAuthMode, Member, Resource,
    tags::{TAGS_MAX, Tags},
};

/// When and why a look happens: the values for the templates of the seal's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The current time, with which expiries are compared.
    pub now: OffsetDateTime,
    /// The time of the write that the event reports, if an event caused the look.
    pub event_time: Option<OffsetDateTime>,
    /// The current trace, if there is one.
    pub trace_id: Option<String>,
    /// What first named the resource.
    pub named_by: NamedBy,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the resource is sealed.
    Compliant,
    /// Nothing, for a recorded reason.
    Exempt(Exemption),
    /// Nothing: the seal would break its backup, or could.
    Protected(Guarded),
    /// Write what is missing.
    Seal(Change),
    /// Nothing now: ARM would refuse the change, or the change would break an upload.
    Pending(PendingReason),
}

impl Decision {
    /// Whether the change sets the auth mode. Tags alone are harmless.
    pub const fn sets_mode(&self) -> bool {
        matches!(self, Self::Seal(Change { data_access_auth_mode: Some(_), .. }))
    }
}

/// The members and tags to send, without those that are right already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The auth mode to set, if it is not set.
    pub data_access_auth_mode: Option<DataAccessAuthMode>,
    /// The tags to merge; empty if all are there.
    pub tags: Tags,
    /// Whether somebody has removed the seal that this one replaces.
    pub is_removal: bool,
}

/// A message about a resource for the operator, independent of the decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// The exemption tag has expired.
    #[error("its exemption expired on {0} and is ignored")]
    ExemptionExpired(time::Date),
    /// The exemption tag has no valid date or no reason.
    #[error("its exemption tag is not of the form \"until=2027-01-31; reason\" and is ignored")]
    ExemptionUnreadable,
    /// The listed exemption has ended, and the seal that it held off is missing.
    #[error("entry {number} of DISKSEAL_EXEMPTIONS, which exempted it, ended on {until}")]
    ListedExemptionEnded {
        /// The number of the entry, from 1.
        number: usize,
        /// The last day of the exemption, UTC.
        until: time::Date,
    },
    /// The resource has no room for the seal's tags.
    #[error("it has no room for the seal's tags (Azure allows {TAGS_MAX}); only the auth mode is set")]
    NoRoomForTags,
}

/// Decides about one resource. Pure: the same arguments give the same answer.
pub fn decide(
    policy: &Policy,
    resource: &Resource,
    protection: &Protection,
    occasion: &Occasion,
) -> Decision {
    if let Some(exemption) = policy.exempt_by_id(&resource.id, occasion.now) {
        return Decision::Exempt(exemption);
    }
    if lacks_what_decides(policy, resource) {
        return Decision::Pending(PendingReason::Malformed);
    }
    if let Some(TagExemption::Until { date, reason }) = policy.exemptions.by_tag(&resource.tags, occasion.now)
    {
        return Decision::Exempt(Exemption::Tag { until: date, reason });
    }
    let Some(change) = missing(policy, resource, occasion) else {
        let are_tags_unknown = resource.cannot_read(Member::Tags) && !policy.tags.is_empty();
        return if are_tags_unknown {
            Decision::Pending(PendingReason::Malformed)
        } else {
            Decision::Compliant
        };
    };
    if change.data_access_auth_mode.is_some()
        && policy.backup_guard == BackupGuard::Skip
        && let Some(held_back) = guarded(protection.weighed(resource, occasion.now))
    {
        return held_back;
    }
    let pending = PendingReason::of(resource, change.data_access_auth_mode.is_some());
    pending.map_or(Decision::Seal(change), Decision::Pending)
}

/// Whether a member is unknown without which nothing follows: without its properties a resource may be anything, and
/// without its tags it may be exempt, or in audit.
fn lacks_what_decides(policy: &Policy, resource: &Resource) -> bool {
    resource.cannot_read(Member::Properties)
        || (resource.cannot_read(Member::Tags)
            && (policy.exemptions.tag.is_some() || policy.rings.depend_on_tags(&resource.id)))
}

/// The decision not to set the mode because of a backup, or of a possible backup. Tags break no backup.
fn guarded(protection: &Protection) -> Option<Decision> {
    match protection {
        Protection::Unprotected => None,
        Protection::By(vault) => Some(Decision::Protected(Guarded::Vault(vault.clone()))),
        Protection::Unknown(Doubt::Passing) => Some(Decision::Pending(PendingReason::GuardUnknown)),
        Protection::Unknown(Doubt::Lasting) => Some(Decision::Protected(Guarded::Unknown)),
    }
}

/// The notices about this resource.
pub fn notices(policy: &Policy, resource: &Resource, now: OffsetDateTime) -> Vec<Notice> {
    let exemption = match policy.exemptions.by_tag(&resource.tags, now) {
        Some(TagExemption::Expired(date)) => Some(Notice::ExemptionExpired(date)),
        Some(TagExemption::Unreadable) => Some(Notice::ExemptionUnreadable),
        Some(TagExemption::Until { .. }) | None => None,
    };
    // Once the resource is sealed, an end that is over concerns nobody. Until then it is the reason of the seal.
    let is_open = !resource.has(&DataAccessAuthMode::AzureActiveDirectory);
    let ended = is_open.then(|| policy.exemptions.ended(&resource.id, now)).flatten();
    let listed = ended
        .filter(|_| policy.exempt_by_id(&resource.id, now).is_none())
        .map(|one| Notice::ListedExemptionEnded { number: one.number, until: one.until });
    // The seal gives up the tag of the trigger first.
    let names = || policy.tags.iter().filter(|rule| !rule.names_trigger()).map(TagRule::name);
    let no_room = (!resource.tags.has_room_for(names())).then_some(Notice::NoRoomForTags);
    exemption.into_iter().chain(listed).chain(no_room).collect()
}

fn missing(policy: &Policy, resource: &Resource, occasion: &Occasion) -> Option<Change> {
    let wanted = DataAccessAuthMode::AzureActiveDirectory;
    let data_access_auth_mode = (resource.data_access_auth_mode != wanted).then_some(wanted);
    let is_new_seal = data_access_auth_mode.is_some();

    let filling = filling(occasion, is_new_seal);
    let is_missing = |rule: &&TagRule| {
        let is_right = resource.tags.get(rule.name()).is_some_and(|value| rule.accepts(value, &filling));
        // A new seal has a new time and trace; an existing seal keeps its values.
        (is_new_seal && rule.is_template()) || !(is_right || rule.names_trigger())
    };
    let tags_of = |with_trigger: bool| -> Tags {
        let rules = policy.tags.iter().filter(|rule| with_trigger || !rule.names_trigger());
        let tags = rules.filter(is_missing).map(|rule| (rule.name(), rule.value(&filling)));
        tags.filter(|(name, value)| resource.tags.get(name) != Some(value)).collect()
    };
    let fit = |tags: &Tags| resource.tags.has_room_for(tags.iter().map(|(name, _)| name));
    // Tags that cannot be read are left alone. Without room for all, what named the resource is left out first.
    let tags = [true, false].map(tags_of).into_iter().find(fit);
    let tags = tags.filter(|_| !resource.cannot_read(Member::Tags)).unwrap_or_default();
    let is_removal = removal::is_removed(policy, resource);
    (is_new_seal || !tags.is_empty()).then_some(Change { data_access_auth_mode, tags, is_removal })
}

fn filling(occasion: &Occasion, is_new_seal: bool) -> [(&'static str, String); TEMPLATE_KEYS.len()] {
    let seconds = |time: OffsetDateTime| {
        // At the ends of the calendar there is no such time in UTC.
        let time = time.checked_to_offset(time::UtcOffset::UTC).unwrap_or(time);
        let time = time.replace_nanosecond(0).unwrap_or(time);
        time.format(&Rfc3339).unwrap_or_default()
    };
    let [sealed_at, event_time, trace_id, trigger] = TEMPLATE_KEYS;
    [
        // The seal of a resource that had the mode before the first look has no known time.
        (sealed_at, format!("{}{}", if is_new_seal { "" } else { BEFORE }, seconds(occasion.now))),
        (event_time, seconds(occasion.event_time.unwrap_or(occasion.now))),
        // Without a trace the value is empty. A rule does not accept an empty value, so the next look writes it.
        (trace_id, occasion.trace_id.clone().unwrap_or_else(|| "none".to_owned())),
        (trigger, occasion.named_by.label().to_owned()),
    ]
}

#[cfg(test)]
mod tests;

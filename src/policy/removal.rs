//! A removed seal: the mode is not set, but the seal's tags are still there.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Policy, TagRule, tag_rule::BEFORE};
use crate::resource::{DataAccessAuthMode, Resource};

/// The time of the seal, as the resource's tags have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedAt {
    /// The time in the tag, in whole seconds.
    pub time: OffsetDateTime,
    /// Whether the resource had the mode at the first look, which is the time in the tag.
    pub was_before: bool,
}

/// The time of the seal from the tag whose value is that time and no other key.
pub fn sealed_at(policy: &Policy, resource: &Resource) -> Option<SealedAt> {
    let of_rule = |rule: &TagRule| {
        let value = rule.sealed_at(resource.tags.get(rule.name())?)?;
        let before = value.strip_prefix(BEFORE);
        let time = OffsetDateTime::parse(before.unwrap_or(value), &Rfc3339).ok()?;
        Some(SealedAt { time, was_before: before.is_some() })
    };
    policy.tags.iter().find_map(of_rule)
}

/// Whether the mode was removed from this resource. Tags that are older than the resource were copied from another
/// resource, and tags without the time of the seal do not show which resource they belong to.
pub(super) fn is_removed(policy: &Policy, resource: &Resource) -> bool {
    if resource.data_access_auth_mode == DataAccessAuthMode::AzureActiveDirectory {
        return false;
    }
    let value = |rule: &TagRule| resource.tags.get(rule.name());
    let is_right = |rule: &TagRule| {
        value(rule).is_some_and(|value| rule.fixed().map_or(!value.is_empty(), |fixed| fixed == value))
    };
    let Some(SealedAt { time: sealed_at, .. }) = sealed_at(policy, resource) else { return false };
    // The tag has whole seconds.
    let created = resource.time_created.map(|created| created.replace_nanosecond(0).unwrap_or(created));
    let mut rules = policy.tags.iter().filter(|rule| !rule.names_trigger());
    rules.all(is_right) && created.is_none_or(|created| created <= sealed_at)
}

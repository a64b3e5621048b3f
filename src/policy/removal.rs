//! A removed seal: the mode is not set, but the seal's tags are still there.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Policy, TagRule};
use crate::resource::{DataAccessAuthMode, Resource};

/// Stands before the time in `{sealed_at}` of a resource that had the mode at the first look, which is the time of
/// that look.
pub(super) const BEFORE: &str = "before ";

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
    let sealed_at = |rule: &TagRule| {
        let sealed_at = rule.sealed_at(value(rule)?)?;
        OffsetDateTime::parse(sealed_at.strip_prefix(BEFORE).unwrap_or(sealed_at), &Rfc3339).ok()
    };
    let Some(sealed_at) = policy.tags.iter().find_map(sealed_at) else { return false };
    // The tag has whole seconds.
    let created = resource.time_created.map(|created| created.replace_nanosecond(0).unwrap_or(created));
    policy.tags.iter().all(is_right) && created.is_none_or(|created| created <= sealed_at)
}

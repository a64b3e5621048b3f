//! The decision about a resource, from ARM's description of it.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use super::pending::PendingReason;
use super::{
    BackupGuard, Doubt, Exemption, Guarded, NamedBy, Network, Policy, Protection, Revoke, TagExemption,
    TagRule,
    network::{self, Standing},
    removal,
    tag_rule::TEMPLATE_KEYS,
};
use crate::resource::{
    DataAccessAuthMode, Member, Resource,
    properties::{NetworkAccess, Properties},
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
    /// Whether the change sets the auth mode or the network settings. Tags alone are harmless.
    pub const fn sets_properties(&self) -> bool {
        matches!(self, Self::Seal(change) if change.sets_properties())
    }
}

/// The members and tags to send, without those that are right already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The auth mode to set, if it is not set.
    pub data_access_auth_mode: Option<DataAccessAuthMode>,
    /// The network settings to set, in the same write.
    pub network_access: NetworkAccess,
    /// The tag with the network settings from before, to merge before that write; empty if it is there.
    pub before: Tags,
    /// The tags to merge; empty if all are there.
    pub tags: Tags,
    /// Whether somebody has removed the seal that this one replaces.
    pub is_removal: bool,
    /// Why the auth mode is left as it is, although it is not set.
    pub held_back: Option<Guarded>,
    /// Whether the SAS URLs that were granted before the seal are to be revoked after it.
    pub revokes: bool,
}

impl Change {
    /// The properties to set.
    pub fn properties(&self) -> Properties {
        Properties {
            data_access_auth_mode: self.data_access_auth_mode.clone(),
            network_access: self.network_access,
        }
    }

    /// Whether it sets the auth mode or the network settings.
    pub const fn sets_properties(&self) -> bool {
        self.data_access_auth_mode.is_some() || !self.network_access.is_empty()
    }

    fn is_empty(&self) -> bool {
        !self.sets_properties() && self.tags.is_empty()
    }
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
    #[error("it has no room for the seal's tags (Azure allows {TAGS_MAX}); they are left out")]
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
    let protection = protection.weighed(resource, occasion.now);
    let change = missing(policy, resource, occasion);
    let change = match guarded(protection) {
        Some(held_back) if change.sets_properties() => match allowed(policy, resource, change, held_back) {
            Ok(change) => change,
            Err(decision) => return decision,
        },
        _ => change,
    };
    if change.is_empty() {
        return as_it_is(policy, resource);
    }
    let revokes = revokes(policy, &change, protection);
    let change = Change { revokes, ..change };
    let pending = PendingReason::of(resource, change.sets_properties());
    pending.map_or(Decision::Seal(change), Decision::Pending)
}

/// Whether SAS URLs are revoked after this change. A backup works with SAS URLs too, so nothing is revoked where one
/// protects the resource, or where that is not known. URLs that were granted under the mode need the rights in Microsoft
/// Entra ID, so only a change that sets the mode revokes.
fn revokes(policy: &Policy, change: &Change, protection: &Protection) -> bool {
    let is_known = policy.backup_guard != BackupGuard::Off && *protection == Protection::Unprotected;
    policy.revoke == Revoke::On && change.data_access_auth_mode.is_some() && is_known
}

/// The decision about a resource that lacks nothing, as far as that is known.
fn as_it_is(policy: &Policy, resource: &Resource) -> Decision {
    if resource.cannot_read(Member::Tags) && !policy.tags.is_empty() {
        return Decision::Pending(PendingReason::Malformed);
    }
    match policy.network.standing(resource) {
        Standing::Unknown => Decision::Pending(PendingReason::NetworkUnknown),
        Standing::Right | Standing::Lacks(_) => Decision::Compliant,
    }
}

/// Whether a member is unknown without which nothing follows: without its properties a resource may be anything, and
/// without its tags it may be exempt.
fn lacks_what_decides(policy: &Policy, resource: &Resource) -> bool {
    resource.cannot_read(Member::Properties)
        || (resource.cannot_read(Member::Tags) && policy.exemptions.tag.is_some())
}

/// Why a backup, or a possible backup, keeps the properties from being set. Tags break no backup.
fn guarded(protection: &Protection) -> Option<HeldBack> {
    match protection {
        Protection::Unprotected => None,
        Protection::By(vault) => Some(HeldBack::For(Guarded::Vault(vault.clone()))),
        Protection::Unknown(Doubt::Passing) => Some(HeldBack::UntilKnown),
        Protection::Unknown(Doubt::Lasting) => Some(HeldBack::For(Guarded::Unknown)),
    }
}

/// What holds properties back.
enum HeldBack {
    /// This.
    For(Guarded),
    /// A query that may be answered soon.
    UntilKnown,
}

/// The part of a change that the backup guard allows.
///
/// # Errors
/// The decision, where that is nothing.
fn allowed(
    policy: &Policy,
    resource: &Resource,
    change: Change,
    held_back: HeldBack,
) -> Result<Change, Decision> {
    let sets_mode = change.data_access_auth_mode.is_some();
    // "Azure Disk Backup support matrix" has private endpoints, but nothing names the network settings as a hindrance.
    let is_allowed = match policy.backup_guard {
        BackupGuard::Warn | BackupGuard::Off => true,
        BackupGuard::Network => !sets_mode,
        BackupGuard::Skip => false,
    };
    if is_allowed {
        return Ok(change);
    }
    let guarded = match held_back {
        HeldBack::For(guarded) => guarded,
        HeldBack::UntilKnown => return Err(Decision::Pending(PendingReason::GuardUnknown)),
    };
    if policy.backup_guard == BackupGuard::Network {
        return network_alone(policy, resource, guarded);
    }
    if sets_mode || change.tags.is_empty() {
        return Err(Decision::Protected(guarded));
    }
    let (network_access, before) = Default::default();
    Ok(Change { network_access, before, ..change })
}

/// The seal that is possible where a backup needs the auth mode as it is. Without a choice of network settings, it is the
/// one that has a way left: by private endpoints.
fn network_alone(policy: &Policy, resource: &Resource, guarded: Guarded) -> Result<Change, Decision> {
    let network = match policy.network {
        Network::Off => Network::DenyPublic,
        chosen => chosen,
    };
    match network.standing(resource) {
        Standing::Lacks(lacking) if can_keep_before(policy, resource) => Ok(Change {
            network_access: lacking,
            before: before(policy, resource, lacking),
            is_removal: network::is_reopened(resource, lacking),
            held_back: Some(guarded.with_network()),
            ..Change::default()
        }),
        Standing::Right => Err(Decision::Protected(guarded.with_network())),
        Standing::Lacks(_) | Standing::Unknown => Err(Decision::Protected(guarded)),
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
    let names = policy.tags.iter().filter(|rule| !rule.names_trigger()).map(TagRule::name);
    let before = match policy.network.standing(resource) {
        Standing::Lacks(lacking) if !policy.tags.is_empty() => network::before(resource, lacking),
        _ => Tags::default(),
    };
    let all = names.chain(before.iter().map(|(name, _)| name));
    let no_room = (!resource.tags.has_room_for(all)).then_some(Notice::NoRoomForTags);
    exemption.into_iter().chain(listed).chain(no_room).collect()
}

/// What is to be written so that nothing is missing; empty if nothing is.
fn missing(policy: &Policy, resource: &Resource, occasion: &Occasion) -> Change {
    let wanted = DataAccessAuthMode::AzureActiveDirectory;
    let data_access_auth_mode = (resource.data_access_auth_mode != wanted).then_some(wanted);
    let is_new_seal = data_access_auth_mode.is_some();
    let network_access = match policy.network.standing(resource) {
        Standing::Lacks(lacking) if can_keep_before(policy, resource) => lacking,
        _ => NetworkAccess::default(),
    };
    let before = before(policy, resource, network_access);

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
    let fit =
        |tags: &Tags| resource.tags.has_room_for(before.iter().chain(tags.iter()).map(|(name, _)| name));
    // Tags that cannot be read are left alone. Without room for all, what named the resource is left out first.
    let tags = [true, false].map(tags_of).into_iter().find(fit);
    let tags = tags.filter(|_| !resource.cannot_read(Member::Tags)).unwrap_or_default();
    let is_removal = removal::is_removed(policy, resource) || network::is_reopened(resource, network_access);
    Change {
        data_access_auth_mode,
        network_access,
        before,
        tags,
        is_removal,
        held_back: None,
        revokes: false,
    }
}

fn has_room(resource: &Resource, tags: &Tags) -> bool {
    resource.tags.has_room_for(tags.iter().map(|(name, _)| name))
}

/// Whether the network settings can be changed without losing what they were. While the tags cannot be read, a tag of an
/// earlier change may be among them.
fn can_keep_before(policy: &Policy, resource: &Resource) -> bool {
    policy.tags.is_empty() || !resource.cannot_read(Member::Tags)
}

/// The tag with the network settings from before this change, if tags are part of the seal and there is room for it.
fn before(policy: &Policy, resource: &Resource, change: NetworkAccess) -> Tags {
    let before = network::before(resource, change);
    let is_kept = !change.is_empty() && !policy.tags.is_empty() && has_room(resource, &before);
    if is_kept { before } else { Tags::default() }
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
        (sealed_at, format!("{}{}", if is_new_seal { "" } else { removal::BEFORE }, seconds(occasion.now))),
        (event_time, seconds(occasion.event_time.unwrap_or(occasion.now))),
        // Without a trace the value is empty. A rule does not accept an empty value, so the next look writes it.
        (trace_id, occasion.trace_id.clone().unwrap_or_else(|| "none".to_owned())),
        (trigger, occasion.named_by.label().to_owned()),
    ]
}

#[cfg(test)]
mod tests;

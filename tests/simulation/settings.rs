//! The settings of an installation as data, and what they forbid: a second reading of README's table, which knows
//! nothing of `src/`.

use serde_json::Value;
use time::{Date, OffsetDateTime, macros::format_description};

use super::slot::{SUBSCRIPTIONS, SWITCH};

/// The tag by which owners exempt a resource.
pub(crate) const EXEMPT_TAG: &str = "diskseal-exempt";
/// The tag that claims the mode, in every set of tags that has one.
pub(crate) const CLAIM: &str = "diskseal-auth-mode";
const MODE: &str = "AzureActiveDirectory";

/// The sets of tags between which settings change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    Default,
    Team,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    Skip,
    Warn,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Off,
    DenyPublic,
    DenyAll,
}

/// What one process of the handler was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Settings {
    pub(crate) audit: bool,
    /// How many of the subscriptions are in scope, from the first; 0 for all that are visible.
    pub(crate) subscriptions: usize,
    pub(crate) exempts_names: bool,
    pub(crate) exempts_groups: bool,
    pub(crate) exempts_by_tag: bool,
    /// Whether only resources with the tag `env=prod` are sealed, and all others stay in audit.
    pub(crate) ring: bool,
    pub(crate) tags: Tags,
    pub(crate) guard: Guard,
    pub(crate) network: Network,
    pub(crate) leaves_attached: bool,
}

impl Settings {
    /// The variables, as the Functions host passes them.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![("DISKSEAL_SWITCH", SWITCH.to_owned())];
        let mut set = |is_set: bool, name: &'static str, value: &str| {
            if is_set {
                all.push((name, value.to_owned()));
            }
        };
        set(self.audit, "DISKSEAL_MODE", "audit");
        let subscriptions = &SUBSCRIPTIONS[..self.subscriptions];
        set(!subscriptions.is_empty(), "DISKSEAL_SUBSCRIPTIONS", &subscriptions.join(","));
        set(self.exempts_names, "DISKSEAL_EXEMPT_NAMES", "*exempt*");
        set(self.exempts_groups, "DISKSEAL_EXEMPT_RESOURCE_GROUPS", "rg-lab*");
        set(self.exempts_by_tag, "DISKSEAL_EXEMPT_TAG", EXEMPT_TAG);
        set(self.ring, "DISKSEAL_ENFORCE", "tag:env=prod");
        match self.tags {
            Tags::Default => {}
            Tags::Team => {
                let tags = format!("{CLAIM}={MODE},sealed-by=security,sealed-at={{sealed_at}}");
                set(true, "DISKSEAL_TAGS", &tags);
            }
            Tags::None => set(true, "DISKSEAL_TAGS", "none"),
        }
        set(self.guard == Guard::Warn, "DISKSEAL_BACKUP_GUARD", "warn");
        set(self.guard == Guard::Off, "DISKSEAL_BACKUP_GUARD", "off");
        set(self.network == Network::DenyPublic, "DISKSEAL_NETWORK", "deny-public");
        set(self.network == Network::DenyAll, "DISKSEAL_NETWORK", "deny-all");
        set(self.leaves_attached, "DISKSEAL_ATTACHED", "leave");
        all
    }

    /// The seal's tags that are always there, and the value of those that have a fixed one.
    fn tags(&self) -> &'static [(&'static str, Option<&'static str>)] {
        match self.tags {
            Tags::Default => &[(CLAIM, Some(MODE)), ("diskseal-sealed-at", None)],
            Tags::Team => &[(CLAIM, Some(MODE)), ("sealed-by", Some("security")), ("sealed-at", None)],
            Tags::None => &[],
        }
    }

    /// Whether these tags have those of the seal.
    pub(crate) fn are_tagged(&self, tags: &Value) -> bool {
        self.tags().iter().all(|(name, value)| match (tags[*name].as_str(), value) {
            (Some(is), Some(wanted)) => is == *wanted,
            (is, None) => is.is_some_and(|is| !is.is_empty()),
            (None, Some(_)) => false,
        })
    }

    /// Why no process with these settings may write the resource of this id, if nothing but the id matters.
    pub(crate) fn forbids_id(&self, id: &str) -> Option<&'static str> {
        let id = id.to_ascii_lowercase();
        let parts: Vec<_> = id.split('/').collect();
        let (subscription, group) =
            (parts.get(2).copied().unwrap_or_default(), parts.get(4).copied().unwrap_or_default());
        let name = parts.last().copied().unwrap_or_default();
        let is_in_scope = self.subscriptions == 0
            || SUBSCRIPTIONS[..self.subscriptions].iter().any(|one| one.eq_ignore_ascii_case(subscription));
        match () {
            () if self.audit => Some("the mode is audit"),
            () if !is_in_scope => Some("its subscription is out of scope"),
            () if self.exempts_names && name.contains("exempt") => Some("it is exempt by its name"),
            () if self.exempts_groups && group.starts_with("rg-lab") => Some("it is exempt by its group"),
            () => None,
        }
    }

    /// Why no process with these settings may seal the resource as Azure shows it.
    pub(crate) fn forbids(&self, resource: &Value, now: OffsetDateTime) -> Option<&'static str> {
        let tags = &resource["tags"];
        if self.exempts_by_tag && tags[EXEMPT_TAG].as_str().is_some_and(|value| is_exemption(value, now)) {
            return Some("it is exempt by a tag");
        }
        if self.ring && !tags["env"].as_str().is_some_and(|env| env.eq_ignore_ascii_case("prod")) {
            return Some("no ring contains it");
        }
        None
    }

    /// Whether the resource has everything that these settings demand.
    pub(crate) fn is_sealed(&self, resource: &Value) -> bool {
        has_mode(resource) && self.are_tagged(&resource["tags"]) && self.has_network(resource)
    }

    fn has_network(&self, resource: &Value) -> bool {
        let property = |name: &str| resource["properties"][name].as_str().unwrap_or_default().to_owned();
        let is_private = property("publicNetworkAccess") == "Disabled";
        match self.network {
            Network::Off => true,
            Network::DenyPublic => is_private,
            Network::DenyAll => is_private && property("networkAccessPolicy") == "DenyAll",
        }
    }
}

/// Whether a resource has the mode.
pub(crate) fn has_mode(resource: &Value) -> bool {
    resource["properties"]["dataAccessAuthMode"] == MODE
}

/// Whether a tag's value exempts: `until=2027-01-31; reason`.
fn is_exemption(value: &str, now: OffsetDateTime) -> bool {
    let Some((until, reason)) = value.split_once(';') else { return false };
    let day = until.trim().strip_prefix("until=");
    let day = day.and_then(|day| Date::parse(day, format_description!("[year]-[month]-[day]")).ok());
    !reason.trim().is_empty() && day.is_some_and(|day| day >= now.date())
}

/// Whether a tag is one that Diskseal writes, by any of the settings.
pub(crate) fn is_ours(name: &str) -> bool {
    ["diskseal-auth-mode", "diskseal-sealed-at", "diskseal-sealed-by", "diskseal-network-before"]
        .into_iter()
        .chain(["sealed-by", "sealed-at"])
        .any(|own| own.eq_ignore_ascii_case(name))
}

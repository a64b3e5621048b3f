//! Exemptions: by subscription, resource group and name with globs, by a list with ends and reasons, and by a tag that
//! expires.

use std::fmt;

use time::{Date, OffsetDateTime};

use super::{
    day::{self, days_left},
    demands::{Defect, Demands},
    listed::{ListedExemption, ListedExemptions},
    patterns::Patterns,
};
use crate::{resource::tags::Tags, resource_id::ResourceId};

/// The resources that are left as they are.
#[derive(Clone, Debug, Default)]
pub struct Exemptions {
    /// Subscription IDs.
    pub subscriptions: Patterns,
    /// Names of resource groups.
    pub resource_groups: Patterns,
    /// Names of disks and snapshots.
    pub names: Patterns,
    /// The name of the tag that exempts a resource. Off by default, because anyone who can write
    /// tags could exempt a resource.
    pub tag: Option<String>,
    /// Exemptions with an end and a reason.
    pub listed: ListedExemptions,
    /// What each exemption should satisfy.
    pub demands: Demands,
}

impl Exemptions {
    /// The exemption by the ID. One without an end comes first, then the listed one that ends last: so an end is
    /// reported only where it is one.
    pub(super) fn by_id(&self, id: &ResourceId, now: OffsetDateTime) -> Option<Exemption> {
        let found = |patterns: &Patterns, text: &str| patterns.matching(text).map(str::to_owned);
        found(&self.subscriptions, id.subscription_id())
            .map(Exemption::Subscription)
            .or_else(|| found(&self.resource_groups, id.resource_group()).map(Exemption::ResourceGroup))
            .or_else(|| found(&self.names, id.name()).map(Exemption::Name))
            .or_else(|| {
                let found =
                    self.covering(id).filter(|one| !one.has_ended(now)).max_by_key(|one| one.until)?;
                Some(Exemption::Listed {
                    number: found.number,
                    until: found.until,
                    reason: found.reason.clone(),
                })
            })
    }

    /// The listed exemption that covered this resource last, of those that have ended.
    pub(super) fn ended(&self, id: &ResourceId, now: OffsetDateTime) -> Option<&ListedExemption> {
        self.covering(id).filter(|one| one.has_ended(now)).max_by_key(|one| one.until)
    }

    /// What is wrong with an exemption in force. To be out of scope is none.
    pub fn defects(&self, exemption: &Exemption, now: OffsetDateTime) -> Vec<Defect> {
        let (until, reason) = match exemption {
            Exemption::OutOfScope => return vec![],
            Exemption::Subscription(_) | Exemption::ResourceGroup(_) | Exemption::Name(_) => (None, None),
            Exemption::Listed { until, reason, .. } | Exemption::Tag { until, reason } => {
                (Some(*until), Some(reason.as_str()))
            }
        };
        self.demands.defects(until, reason, now)
    }

    fn covering(&self, id: &ResourceId) -> impl Iterator<Item = &ListedExemption> {
        self.listed.0.iter().filter(|one| one.covers(id))
    }

    /// The listed exemptions in force that end within so many days.
    pub fn listed_ending(
        &self,
        within_days: u16,
        now: OffsetDateTime,
    ) -> impl Iterator<Item = &ListedExemption> {
        self.listed
            .0
            .iter()
            .filter(move |one| (0..=i64::from(within_days)).contains(&days_left(one.until, now)))
    }

    /// Reads the exemption tag among these tags, if it is configured and present.
    pub fn by_tag(&self, tags: &Tags, now: OffsetDateTime) -> Option<TagExemption> {
        let value = tags.get(self.tag.as_deref()?)?;
        Some(TagExemption::read(value, now))
    }
}

/// The content of an exemption tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagExemption {
    /// Exempt through the end of this day, UTC.
    Until {
        /// The last day of the exemption.
        date: Date,
        /// The reason, as written in the tag.
        reason: String,
    },
    /// The exemption has expired.
    Expired(Date),
    /// Not of the form `until=2027-01-31; reason`, so the tag is ignored: every exemption must end.
    Unreadable,
}

impl TagExemption {
    /// The tag value for this day and reason; `read` returns it as `Until`.
    pub fn value(until: Date, reason: &str) -> String {
        // `Date` displays as `YYYY-MM-DD`; exemptions beyond the year 9999 do not exist.
        format!("until={until}; {}", reason.trim())
    }

    /// Reads a day in the tag's form, `2027-01-31`.
    ///
    /// # Errors
    /// The text is not such a day; the message is for the person who wrote it.
    pub fn day(text: &str) -> Result<Date, String> {
        day::parse(text)
    }

    fn read(value: &str, now: OffsetDateTime) -> Self {
        let (until, reason) = value.split_once(';').unwrap_or((value, ""));
        let date = until.trim().strip_prefix("until=").map(Self::day);
        let reason = reason.trim();
        match date {
            Some(Ok(date)) if !reason.is_empty() && days_left(date, now) < 0 => Self::Expired(date),
            Some(Ok(date)) if !reason.is_empty() => Self::Until { date, reason: reason.to_owned() },
            _ => Self::Unreadable,
        }
    }
}

words! {
    /// Why a resource is left as it is.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Exemption, reason of reasons {
        /// Its subscription is not in scope.
        OutOfScope => "out_of_scope",
        /// Its subscription matches this glob.
        Subscription(String) => "subscription",
        /// Its resource group matches this glob.
        ResourceGroup(String) => "resource_group",
        /// Its name matches this glob.
        Name(String) => "name",
        /// An entry of `DISKSEAL_EXEMPTIONS` exempts it.
        Listed {
            /// The number of the entry, from 1.
            number: usize,
            /// The last day of the exemption, UTC.
            until: Date,
            /// The reason, as written in the setting.
            reason: String,
        } => "listed",
        /// Its tag exempts it.
        Tag {
            /// The last day of the exemption, UTC.
            until: Date,
            /// The reason, as written in the tag.
            reason: String,
        } => "tag",
    }
}

impl Exemption {
    /// The last day, if it has an end.
    pub const fn until(&self) -> Option<Date> {
        match self {
            Self::Listed { until, .. } | Self::Tag { until, .. } => Some(*until),
            Self::OutOfScope | Self::Subscription(_) | Self::ResourceGroup(_) | Self::Name(_) => None,
        }
    }
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfScope => f.write_str("its subscription is not in scope"),
            Self::Subscription(glob) => write!(f, "its subscription matches {glob:?}"),
            Self::ResourceGroup(glob) => write!(f, "its resource group matches {glob:?}"),
            Self::Name(glob) => write!(f, "its name matches {glob:?}"),
            Self::Listed { number, until, reason } => {
                write!(f, "entry {number} of DISKSEAL_EXEMPTIONS exempts it until {until}: {reason}")
            }
            Self::Tag { until, reason } => write!(f, "its tag exempts it until {until}: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn an_exemption_tag_needs_a_reason_and_an_end() {
        let now = datetime!(2027-01-31 23:59:59 UTC);
        let until = |reason: &str| TagExemption::Until { date: date!(2027 - 01 - 31), reason: reason.into() };
        let expired = |value: &str| TagExemption::Expired(TagExemption::day(value).unwrap());
        for (value, expected) in [
            ("until=2027-01-31; INC-1234 restore test", until("INC-1234 restore test")),
            (" until=2027-01-31 ;x", until("x")),
            ("until=2027-01-31; a; b", until("a; b")),
            ("until=2027-01-30; INC-1234", expired("2027-01-30")),
            ("until=2027-01-31", TagExemption::Unreadable),
            ("until=2027-01-31; ", TagExemption::Unreadable),
            ("until=2027-02-30; no such day", TagExemption::Unreadable),
            ("until=31.01.2027; wrong form", TagExemption::Unreadable),
            ("because I say so", TagExemption::Unreadable),
            ("true", TagExemption::Unreadable),
            ("", TagExemption::Unreadable),
            ("until=9999-12-31; x", TagExemption::Until { date: date!(9999 - 12 - 31), reason: "x".into() }),
        ] {
            assert_eq!(TagExemption::read(value, now), expected, "{value:?}");
        }
        let day = TagExemption::day("2027-01-31").unwrap();
        assert_eq!(TagExemption::read(&TagExemption::value(day, " a; b "), now), until("a; b"));
        let midnight = datetime!(2027-02-01 0:00 UTC);
        assert_eq!(TagExemption::read("until=2027-01-31; x", midnight), expired("2027-01-31"));
    }
}

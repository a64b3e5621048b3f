//! Exemptions: by subscription, resource group and name with globs, and by a tag that expires.

use std::{fmt, str::FromStr};

use glob::{MatchOptions, Pattern, PatternError};
use time::{
    Date, OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description,
};

use crate::{
    resource::tags::Tags,
    resource_id::{ResourceId, folded},
};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// Glob patterns. The comparison ignores case in every alphabet, as Azure does with names, and does not normalise texts
/// ([`folded`]). The ends of a range such as `[à-ö]` are compared without case as well.
#[derive(Clone, Debug, Default)]
pub struct Patterns(Vec<Glob>);

/// A pattern, as it was written and as it is compared.
#[derive(Clone, Debug)]
struct Glob {
    text: String,
    folded: Pattern,
}

impl Patterns {
    /// The first pattern that matches.
    pub(super) fn matching(&self, text: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        // The crate ignores the case of ASCII letters alone.
        let options = MatchOptions { case_sensitive: false, ..MatchOptions::new() };
        let text = folded(text);
        let found = self.0.iter().find(|glob| glob.folded.matches_with(&text, options));
        found.map(|glob| glob.text.as_str())
    }

    /// The patterns, in their order.
    pub fn globs(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|glob| glob.text.as_str())
    }
}

impl FromStr for Patterns {
    type Err = String;

    /// Comma-separated globs: `*`, `?`, `[a-z]`.
    fn from_str(list: &str) -> Result<Self, Self::Err> {
        list.split(',')
            .map(str::trim)
            .filter(|glob| !glob.is_empty())
            .map(|text| {
                let wrong = |error: PatternError| format!("{text:?} is not a glob: {}", error.msg);
                let folded = Pattern::new(&folded(text)).map_err(wrong)?;
                Ok(Glob { text: text.to_owned(), folded })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

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
}

impl Exemptions {
    pub(super) fn by_id(&self, id: &ResourceId) -> Option<Exemption> {
        let found = |patterns: &Patterns, text: &str| patterns.matching(text).map(str::to_owned);
        found(&self.subscriptions, id.subscription_id())
            .map(Exemption::Subscription)
            .or_else(|| found(&self.resource_groups, id.resource_group()).map(Exemption::ResourceGroup))
            .or_else(|| found(&self.names, id.name()).map(Exemption::Name))
    }

    /// Reads the exemption tag among these tags, if it is configured and present.
    pub fn by_tag(&self, tags: &Tags, now: OffsetDateTime) -> Option<TagExemption> {
        let value = tags.get(self.tag.as_deref()?)?;
        Some(TagExemption::read(value, now))
    }
}

/// A sweep warns about exemptions that end within this many days. It is also the default of a report.
pub const EXPIRING_WITHIN_DAYS: u16 = 30;

/// Whole days from the day of `now`, UTC, to `until`; 0 is the last day of an exemption.
pub fn days_left(until: Date, now: OffsetDateTime) -> i64 {
    (until - now.to_offset(UtcOffset::UTC).date()).whole_days()
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
        Date::parse(text.trim(), &DATE).map_err(|_| format!("{text:?} is not a date of the form 2027-01-31"))
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
        /// Its tag exempts it.
        Tag {
            /// The last day of the exemption, UTC.
            until: Date,
            /// The reason, as written in the tag.
            reason: String,
        } => "tag",
    }
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfScope => f.write_str("its subscription is not in scope"),
            Self::Subscription(glob) => write!(f, "its subscription matches {glob:?}"),
            Self::ResourceGroup(glob) => write!(f, "its resource group matches {glob:?}"),
            Self::Name(glob) => write!(f, "its name matches {glob:?}"),
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

    #[test]
    fn globs_ignore_case_and_bad_ones_are_named() {
        let patterns: Patterns = "tmp-*, asr?-[0-9]".parse().unwrap();
        for (name, matched) in
            [("TMP-disk", true), ("asrX-7", true), ("asr-7", false), ("xtmp-disk", false), ("", false)]
        {
            assert_eq!(patterns.matching(name).is_some(), matched, "{name}");
        }
        let patterns: Patterns = "rg-übung-*,[à-ö]1,ΟΔΟΣ,café".parse().unwrap();
        for (name, matched) in [
            ("RG-ÜBUNG-1", Some("rg-übung-*")),
            ("Rg-Übung-", Some("rg-übung-*")),
            ("rg-ubung-1", None),
            ("É1", Some("[à-ö]1")),
            ("z1", None),
            ("οδος", Some("ΟΔΟΣ")),
            ("οδοσ", Some("ΟΔΟΣ")),
            ("CAFÉ", Some("café")),
            ("cafe\u{301}", None),
        ] {
            assert_eq!(patterns.matching(name), matched, "{name}");
        }
        let error = "fine,[z".parse::<Patterns>().unwrap_err();
        assert!(error.contains("[z"), "{error}");
    }
}

//! The flags that narrow a command to a part of its scope.

use clap::{Arg, ArgMatches, builder::PossibleValuesParser};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::names::Names;
use crate::{
    policy::{Patterns, Selection},
    resource_id::ResourceType,
};

const GROUP: &str = "resource-group";
const NAME: &str = "name";
const KIND: &str = "kind";
const AFTER: &str = "created-after";
/// The names of the flags.
pub(super) const NAMES: [&str; 4] = [GROUP, NAME, KIND, AFTER];

const DATE: &[time::format_description::BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

pub(super) fn args() -> [Arg; 4] {
    let globs = |name: &'static str, help: &'static str| {
        let details = format!("{help}. A list with commas; a glob may contain *, ? and [a-z]");
        Arg::new(name).long(name).value_name("GLOBS").value_parser(patterns).help(help).long_help(details)
    };
    [
        globs(GROUP, "Only in these resource groups").add(Names::ResourceGroups.completer()),
        globs(NAME, "Only with these names"),
        Arg::new(KIND)
            .long(KIND)
            .value_name("KIND")
            .value_parser(PossibleValuesParser::new(["disk", "snapshot"]))
            .help("Only this kind"),
        Arg::new(AFTER)
            .long(AFTER)
            .value_name("TIME")
            .value_parser(After::read)
            .help("Only what was created since then, such as 6h")
            .long_help("Only what was created since then: a time such as 2026-11-27T04:00:00Z, a day (UTC), or 90m, 6h, 7d ago"),
    ]
}

/// The selection of the command line at a time; everything for a command without these flags.
pub(super) fn of(matches: &ArgMatches, now: OffsetDateTime) -> Selection {
    let patterns = |name| {
        let found = matches.try_get_one::<Patterns>(name).ok().flatten();
        found.cloned().unwrap_or_default()
    };
    let kind = matches.try_get_one::<String>(KIND).ok().flatten();
    let after = matches.try_get_one::<After>(AFTER).ok().flatten();
    Selection {
        resource_groups: patterns(GROUP),
        names: patterns(NAME),
        kind: kind.map(|kind| if kind == "disk" { ResourceType::Disk } else { ResourceType::Snapshot }),
        created_after: after.map(|after| after.at(now)),
    }
}

/// What is wrong with the flags at a time.
pub(super) fn fault(matches: &ArgMatches, now: OffsetDateTime) -> Option<String> {
    let after = of(matches, now).created_after.filter(|after| *after > now)?;
    Some(format!(
        "--{AFTER}: {} is in the future, so nothing would be selected",
        after.format(&Rfc3339).ok()?
    ))
}

fn patterns(text: &str) -> Result<Patterns, String> {
    // A name that is missing from the list would make it a list of everything.
    if text.split(',').any(|element| element.trim().is_empty()) {
        return Err(format!("{text:?} has an empty element"));
    }
    text.parse()
}

/// A time, as it was given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum After {
    At(OffsetDateTime),
    Ago(time::Duration),
}

impl After {
    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(time));
        }
        if let Ok(day) = Date::parse(text, DATE) {
            return Ok(Self::At(day.midnight().assume_utc()));
        }
        let ago = text.split_at_checked(text.len().saturating_sub(1)).and_then(|(number, unit)| {
            let number = number.parse::<u32>().ok().filter(|number| *number > 0)?;
            let seconds = match unit {
                "m" => 60,
                "h" => 60 * 60,
                "d" => 24 * 60 * 60,
                _ => return None,
            };
            Some(Self::Ago(time::Duration::seconds(i64::from(number) * seconds)))
        });
        ago.ok_or_else(|| {
            format!("{text:?} is no time such as 2026-11-27T04:00:00Z, no day such as 2026-11-27, and not 90m, 6h or 7d")
        })
    }

    fn at(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_absolute_or_ago_and_nothing_else() {
        let now = datetime!(2026-11-27 12:00 UTC);
        for (text, expected) in [
            ("2026-11-27T04:00:00Z", datetime!(2026-11-27 4:00 UTC)),
            ("2026-11-27T04:00:00+02:00", datetime!(2026-11-27 2:00 UTC)),
            ("2026-11-26", datetime!(2026-11-26 0:00 UTC)),
            ("90m", datetime!(2026-11-27 10:30 UTC)),
            ("6h", datetime!(2026-11-27 6:00 UTC)),
            ("7d", datetime!(2026-11-20 12:00 UTC)),
            ("4294967295d", OffsetDateTime::UNIX_EPOCH),
        ] {
            assert_eq!(After::read(text).unwrap().at(now), expected, "{text}");
        }
        for text in ["", "d", "0h", "-1h", "1w", "6 h", "2026-11-31", "yesterday", "1é", "2026-11-27T04:00"]
        {
            assert!(After::read(text).is_err(), "{text}");
        }
        for text in ["", ",", "a,", "a,,b", "[z"] {
            assert!(patterns(text).is_err(), "{text}");
        }
    }
}

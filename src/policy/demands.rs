//! What an exemption should satisfy. One that does not still exempts, so that nothing is sealed by surprise, and the
//! report lists what is wrong with it.

use std::{fmt, str::FromStr};

use regex_lite::{Regex, RegexBuilder};
use time::{Date, OffsetDateTime};

use super::day::days_left;

/// The default of [`Demands::max_days`]: a year, also a leap year.
const MAX_DAYS: u16 = 366;

/// What an exemption should satisfy.
#[derive(Clone, Debug)]
pub struct Demands {
    /// How many days an exemption may still last, counted from the day of the look, UTC. Neither a tag nor a setting
    /// says when it was written, so the days that are over do not count.
    pub max_days: u16,
    /// The pattern that the reason should match.
    pub ticket: Option<Ticket>,
}

impl Default for Demands {
    fn default() -> Self {
        Self { max_days: MAX_DAYS, ticket: None }
    }
}

/// A regular expression that finds a ticket in the reason of an exemption.
#[derive(Clone, Debug)]
pub struct Ticket(Regex);

impl Ticket {
    /// The expression, as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether a part of the reason matches.
    pub fn is_in(&self, reason: &str) -> bool {
        self.0.is_match(reason)
    }
}

impl FromStr for Ticket {
    type Err = String;

    /// Reads an expression in the syntax of the crate `regex-lite`. It matches in time that is linear in the reason.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        /// Enough for any ticket; a counted repetition can need gigabytes.
        const BYTES_MAX: usize = 64 * 1024;
        let built = RegexBuilder::new(text).size_limit(BYTES_MAX).build();
        let ticket =
            built.map(Self).map_err(|fault| format!("{text:?} is not a regular expression: {fault}"))?;
        if ticket.is_in("") {
            return Err(format!("{text:?} matches an empty reason, so it demands nothing"));
        }
        Ok(ticket)
    }
}

words! {
    /// What is wrong with an exemption in force.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Defect, reason of reasons {
        /// It ends later than is allowed.
        TooLong {
            /// Its last day, UTC.
            until: Date,
            /// The number of days that are allowed from now on.
            max_days: u16,
        } => Defect::TOO_LONG,
        /// It has no end at all.
        WithoutEnd => Defect::WITHOUT_END,
        /// Its reason does not match this pattern, or it has none.
        WithoutTicket(String) => Defect::WITHOUT_TICKET,
    }
}

impl Defect {
    /// The word of [`Self::TooLong`].
    pub const TOO_LONG: &'static str = "exempt_too_long";
    /// The word of [`Self::WithoutEnd`].
    pub const WITHOUT_END: &'static str = "exempt_without_end";
    /// The word of [`Self::WithoutTicket`].
    pub const WITHOUT_TICKET: &'static str = "exempt_without_ticket";
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { until, max_days } => {
                write!(
                    f,
                    "the exemption ends on {until}, more than {max_days} days from today (DISKSEAL_EXEMPT_MAX_DAYS)"
                )
            }
            Self::WithoutEnd => f.write_str("the exemption has no end; DISKSEAL_EXEMPTIONS can give it one"),
            Self::WithoutTicket(pattern) => {
                write!(f, "the reason of the exemption does not match {pattern:?} (DISKSEAL_EXEMPT_TICKET)")
            }
        }
    }
}

impl Demands {
    /// What is wrong with an exemption through this day for this reason; each is none if the exemption has none.
    pub fn defects(&self, until: Option<Date>, reason: Option<&str>, now: OffsetDateTime) -> Vec<Defect> {
        let end = match until {
            None => Some(Defect::WithoutEnd),
            Some(until) => self.too_long(until, now),
        };
        end.into_iter().chain(self.without_ticket(reason)).collect()
    }

    /// Whether an exemption through this day lasts too long.
    pub fn too_long(&self, until: Date, now: OffsetDateTime) -> Option<Defect> {
        let max_days = self.max_days;
        (days_left(until, now) > i64::from(max_days)).then_some(Defect::TooLong { until, max_days })
    }

    /// Whether the reason lacks the ticket.
    pub fn without_ticket(&self, reason: Option<&str>) -> Option<Defect> {
        let ticket = self.ticket.as_ref()?;
        let is_there = reason.is_some_and(|reason| ticket.is_in(reason));
        (!is_there).then(|| Defect::WithoutTicket(ticket.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn the_length_is_counted_from_today_and_its_last_day_is_allowed() {
        let demands = Demands { max_days: 30, ticket: None };
        let now = datetime!(2027-01-01 23:59:59 UTC);
        assert_eq!(demands.too_long(date!(2027 - 01 - 31), now), None);
        let too_long = Defect::TooLong { until: date!(2027 - 02 - 01), max_days: 30 };
        assert_eq!(demands.defects(Some(date!(2027 - 02 - 01)), Some("r"), now), [too_long]);
        assert_eq!(
            demands.defects(Some(date!(2027 - 02 - 01)), Some("r"), datetime!(2027-01-02 0:00 UTC)),
            []
        );
        assert_eq!(demands.defects(None, None, now), [Defect::WithoutEnd]);
        assert!(Demands::default().too_long(Date::MAX, OffsetDateTime::UNIX_EPOCH).is_some());
    }

    #[test]
    fn a_reason_without_a_ticket_is_named_with_the_pattern() {
        let ticket: Ticket = r"^(INC|CHG)-\d{4,}\b".parse().unwrap();
        for (reason, is_in) in [
            ("INC-1234 restore", true),
            ("CHG-99999", true),
            ("INC-12", false),
            ("see INC-1234", false),
            ("", false),
        ] {
            assert_eq!(ticket.is_in(reason), is_in, "{reason}");
        }
        let demands = Demands { ticket: Some(ticket), ..Demands::default() };
        let [Defect::WithoutTicket(pattern)] =
            &demands.defects(Some(date!(1970 - 01 - 02)), None, OffsetDateTime::UNIX_EPOCH)[..]
        else {
            panic!("no ticket without a reason")
        };
        assert_eq!(pattern, r"^(INC|CHG)-\d{4,}\b");
        for wrong in ["(", "[?", ".*", "x?", "(a{1000}){1000}"] {
            assert!(wrong.parse::<Ticket>().is_err(), "{wrong}");
        }
    }
}

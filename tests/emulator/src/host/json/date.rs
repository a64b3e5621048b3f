//! Dates: which texts Newtonsoft.Json takes for one, and how .NET writes them.

use time::macros::{datetime, format_description};
use time::{Duration, PrimitiveDateTime, Time, format_description::BorrowedFormatItem};

/// A date of .NET, with its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Date {
    at: PrimitiveDateTime,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unspecified,
    Utc,
    /// Another offset became the host's, which is zero.
    Local,
}

const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const INVARIANT: &[BorrowedFormatItem<'_>] =
    format_description!("[month]/[day]/[year] [hour]:[minute]:[second]");

impl Date {
    /// `DateTimeUtils.TryParseDateTime`: ISO 8601 with seconds, a `T` and at most seven decimals, or `/Date(…)/`.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
            return Self::of_milliseconds(inner);
        }
        let (date, rest) = (text.get(..10)?, text.get(10..)?.strip_prefix('T')?);
        let (clock, rest) = (rest.get(..8)?, rest.get(8..)?);
        let day = time::Date::parse(date, format_description!("[year]-[month]-[day]")).ok()?;
        let part = |at: usize| -> Option<u8> {
            let digits = clock.get(at..at + 2)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let is_apart = clock.get(2..3) == Some(":") && clock.get(5..6) == Some(":");
        let (hour, minute, second) = (part(0)?, part(3)?, part(6)?);
        let (fraction, zone) = fraction(rest)?;
        let at = if (hour, minute, second, fraction) == (24, 0, 0, 0) {
            PrimitiveDateTime::new(day, Time::MIDNIGHT).checked_add(Duration::DAY)?
        } else {
            PrimitiveDateTime::new(day, Time::from_hms_nano(hour, minute, second, fraction).ok()?)
        };
        let (kind, offset) = match zone {
            "" => (Kind::Unspecified, Duration::ZERO),
            "Z" => (Kind::Utc, Duration::ZERO),
            zone => (Kind::Local, offset(zone)?),
        };
        (is_apart && day.year() >= 1).then_some(Self { at: at.checked_sub(offset)?, kind })
    }

    fn of_milliseconds(text: &str) -> Option<Self> {
        let zone = text.get(1..)?.find(['+', '-']).map(|at| at + 1);
        let (digits, kind) = zone.map_or((text, Kind::Utc), |at| (&text[..at], Kind::Local));
        if let Some(at) = zone {
            offset(&text[at..])?;
        }
        let since = Duration::milliseconds(digits.parse().ok()?);
        Some(Self { at: datetime!(1970-01-01 0:00).checked_add(since)?, kind })
    }

    /// ISO 8601 without the zeros at the end of the fraction.
    pub(super) fn iso(self) -> String {
        let mut text = self.at.format(SECONDS).unwrap_or_default();
        text += &ticks(self.at.nanosecond());
        text += match self.kind {
            Kind::Unspecified => "",
            Kind::Utc => "Z",
            Kind::Local => "+00:00",
        };
        text
    }

    /// `DateTime.ToString()` in the invariant culture.
    pub(super) fn invariant(self) -> String {
        self.at.format(INVARIANT).unwrap_or_default()
    }
}

/// A fraction of a second with seven decimals at most, and its zeros at the end cut, as .NET writes it.
pub(in super::super) fn ticks(nanosecond: u32) -> String {
    let digits = format!(".{:07}", nanosecond / 100);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The nanoseconds of a fraction with one to seven decimals, if there is one, and the rest.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let digits = (1..=7).contains(&end).then(|| &rest[..end])?;
    Some((format!("{digits:0<9}").parse().ok()?, &rest[end..]))
}

/// `+hh:mm`, `+hhmm` or `+hh`.
fn offset(zone: &str) -> Option<Duration> {
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let digits: String = match zone.len() {
        6 if zone.get(3..4) == Some(":") => [zone.get(1..3)?, zone.get(4..6)?].concat(),
        5 | 3 => zone.get(1..)?.to_owned(),
        _ => return None,
    };
    let all: i64 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    let (hours, minutes) = if digits.len() == 2 { (all, 0) } else { (all / 100, all % 100) };
    Some(Duration::minutes(sign * (hours * 60 + minutes)))
}

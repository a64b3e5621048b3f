//! How long resources were unsealed after their creation, and which of them no event has sealed, by the tags of the
//! seal and `timeCreated` alone.

use serde::Serialize;
use time::OffsetDateTime;

use super::{Entry, Status, counts::grouped, stamp::seconds};
use crate::policy::NamedBy;

/// Default of `--since`, in days.
pub const SINCE_DAYS: u16 = 30;
/// Maximum number of resources that are named. Beyond it, `--all` has the trigger of each.
const NAMED_MAX: usize = 10_000;

/// One resource that no event has sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotByEvent {
    /// `disk` or `snapshot`.
    pub kind: &'static str,
    /// What has named it instead.
    pub sealed_by: &'static str,
    /// `timeCreated`
    pub time_created: String,
    /// The time of the seal, if a tag has it.
    pub sealed_at: Option<String>,
    /// From the one to the other, in seconds.
    pub seconds: Option<u32>,
    /// The resource ID.
    pub id: String,
}

/// The resources that were created since a day and were unsealed at Diskseal's first read.
#[derive(Clone, Debug, Default)]
pub struct Delays {
    /// By what named them first.
    pub event: usize,
    /// The same.
    pub sweep: usize,
    /// The same.
    pub command: usize,
    /// Sealed, and no tag shows by what.
    pub unknown: usize,
    /// Created since then, and they had the mode at the first read. They are in no other number.
    pub before: usize,
    /// Created since then, and neither sealed nor exempt.
    pub unsealed: usize,
    /// From creation to seal, in seconds.
    seconds: Vec<u32>,
    not_by_event: Vec<NotByEvent>,
}

/// Percentiles of the delays, in seconds. By the nearest rank, so each is the delay of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half of the resources were sealed within this time.
    pub median: u32,
    /// 95 of 100 were.
    pub p95: u32,
    /// All were.
    pub worst: u32,
}

impl Delays {
    /// Counts a resource that was created between `since` and `now`.
    pub(super) fn add(&mut self, entry: &Entry, since: OffsetDateTime, now: OffsetDateTime) {
        let facts = &entry.facts;
        let Some(created) = facts.time_created.filter(|created| (since..=now).contains(created)) else {
            return;
        };
        if !facts.has_mode {
            self.unsealed += usize::from(entry.status() != Status::Exempt);
            return;
        }
        // The tag has whole seconds. What is older than the resource was copied with the tags of another.
        let born = created.replace_nanosecond(0).unwrap_or(created);
        if facts.sealed_at.is_some_and(|at| at.was_before || at.time < born) {
            self.before += 1;
            return;
        }
        let delay = facts
            .sealed_at
            .map(|at| u32::try_from((at.time - created).whole_seconds().max(0)).unwrap_or(u32::MAX));
        self.seconds.extend(delay);
        match facts.named_by {
            Some(NamedBy::Event) => self.event += 1,
            Some(NamedBy::Sweep) => self.sweep += 1,
            Some(NamedBy::Command) => self.command += 1,
            None => self.unknown += 1,
        }
        if let Some(named_by) = facts.named_by.filter(|by| *by != NamedBy::Event)
            && self.not_by_event.len() < NAMED_MAX
        {
            self.not_by_event.push(NotByEvent {
                kind: entry.kind(),
                sealed_by: named_by.label(),
                time_created: seconds(created),
                sealed_at: facts.sealed_at.map(|at| seconds(at.time)),
                seconds: delay,
                id: entry.id.to_string(),
            });
        }
    }

    /// How many no event has sealed, as far as that is known.
    pub const fn missed(&self) -> usize {
        self.sweep + self.command
    }

    /// Those that are named, the slowest first.
    pub fn not_by_event(&self) -> Vec<&NotByEvent> {
        let mut all: Vec<_> = self.not_by_event.iter().collect();
        all.sort_by(|one, other| other.seconds.cmp(&one.seconds).then_with(|| one.id.cmp(&other.id)));
        all
    }

    /// The percentiles; none if no resource has both times.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let mut all = self.seconds.clone();
        all.sort_unstable();
        let at = |percent: usize| all.get((all.len() * percent).div_ceil(100).checked_sub(1)?).copied();
        Some(Percentiles { median: at(50)?, p95: at(95)?, worst: at(100)? })
    }

    /// The result in one sentence.
    pub(super) fn phrase(&self) -> String {
        let sealed = grouped(self.event + self.missed() + self.unknown);
        let after = match (self.missed(), self.unknown) {
            (0, 0) => "each after an event".to_owned(),
            (missed, 0) => format!("{} after no event", grouped(missed)),
            (missed, unknown) => {
                format!(
                    "{} after no event, {} after something that no tag shows",
                    grouped(missed),
                    grouped(unknown)
                )
            }
        };
        let Some(Percentiles { median, p95, worst }) = self.percentiles() else {
            return format!("{sealed} sealed, {after}; no tag has the time of a seal");
        };
        let [median, p95, worst] = [median, p95, worst].map(for_people);
        format!("{sealed} sealed, {after}: median {median}, 95th percentile {p95}, worst {worst}")
    }
}

/// Seconds as `2 s`, `5 min 3 s`, `1 h 2 min` or `3 d 4 h`.
pub(super) fn for_people(seconds: u32) -> String {
    let parts = |large: u32, name: &str, small: u32, small_name: &str| match small {
        0 => format!("{large} {name}"),
        small => format!("{large} {name} {small} {small_name}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => parts(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => parts(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => parts(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_the_nearest_rank() {
        let of = |seconds: &[u32]| Delays { seconds: seconds.to_vec(), ..Delays::default() }.percentiles();
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some(Percentiles { median: 7, p95: 7, worst: 7 }));
        assert_eq!(of(&[4, 1, 3, 2]), Some(Percentiles { median: 2, p95: 4, worst: 4 }));
        let hundred: Vec<_> = (1..=100).collect();
        assert_eq!(of(&hundred), Some(Percentiles { median: 50, p95: 95, worst: 100 }));
    }

    #[test]
    fn times_are_short_for_people() {
        let texts = [0, 59, 60, 61, 3_600, 3_661, 86_400, 100_000].map(for_people);
        assert_eq!(texts, ["0 s", "59 s", "1 min", "1 min 1 s", "1 h", "1 h 1 min", "1 d", "1 d 3 h"]);
    }
}

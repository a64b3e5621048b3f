//! Whether the files of evidence are the ones that were written, and all of them.
//!
//! Each file names the one before it and its hash. So a file is proven by the next one, if that one is proven, too; the
//! newest is proven by nothing but the container's policy, and counts as proven here.

use std::{collections::BTreeMap, io::BufReader};

use serde::Serialize;
use time::Date;

use super::{
    Error, Link,
    days::Days,
    document::{self, Head},
    fetched::{Fetched, day_of, file_name},
};
use crate::azure::Terms;

words! {
    /// What is known of a day's evidence.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum State, label of labels {
        /// The next file has its hash.
        Proven => "proven",
        /// It is the newest, which no file proves yet.
        Newest => "newest",
        /// The next file has another hash.
        Changed => "changed",
        /// The file of the name has the content of another day.
        Reordered => "reordered",
        /// The file is not evidence, or ends too early.
        Unreadable => "unreadable",
        /// No later file leads to it.
        Unproven => "unproven",
        /// A later file names it, and it does not exist.
        Missing => "missing",
        /// There is no file, and no later file names it.
        NoFile => "no_file",
    }
}

impl State {
    /// Whether nothing speaks against it.
    pub const fn is_right(self) -> bool {
        matches!(self, Self::Proven | Self::Newest)
    }
}

impl Serialize for State {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.label().serialize(to)
    }
}

/// What is known of a day's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The day in UTC, `YYYY-MM-DD`.
    pub day: String,
    /// What is known of it.
    pub state: State,
    /// The number of resources in it, if there is a file that can be read.
    pub resources: Option<usize>,
    /// The SHA-256 of the file, if there is one.
    pub sha256: Option<String>,
    /// Why, in a sentence; none if nothing speaks against it.
    pub why: Option<String>,
}

/// A file that was read.
struct Found {
    sha256: String,
    head: Result<Head, String>,
    resources: usize,
}

/// Reads every file, and says what is known of each day, in order. A file is read to its end, and is not kept.
///
/// # Errors
/// The files cannot be listed, or one of them cannot be read at all.
pub async fn check(days: &Days, terms: Terms, mut on_file: impl FnMut()) -> Result<Vec<Checked>, Error> {
    let mut found = BTreeMap::new();
    for day in days.list(terms).await? {
        let fetched = days.fetch(&file_name(day), terms).await?;
        let read = tokio::task::spawn_blocking(move || read(fetched)).await;
        found.insert(day, read.map_err(|fault| Error::Stopped(fault.to_string()))?);
        on_file();
    }
    Ok(judge(&found))
}

fn read(fetched: Fetched) -> Found {
    let mut resources = 0;
    let head = document::read(BufReader::with_capacity(64 * 1024, fetched.file), |_| resources += 1);
    Found { sha256: fetched.sha256, head: head.map_err(|fault| fault.to_string()), resources }
}

/// What one file says of another.
struct Claim<'a> {
    /// The day of the file that says it.
    by: Date,
    link: &'a Link,
}

fn judge(found: &BTreeMap<Date, Found>) -> Vec<Checked> {
    let claims: Vec<_> = found
        .values()
        .filter_map(|file| file.head.as_ref().ok())
        .filter_map(|head| Some(Claim { by: head.day, link: head.previous.as_ref()? }))
        .collect();
    let mut checked = BTreeMap::<Date, Checked>::new();
    // From the newest on, so that it is known of each file whether what it says counts.
    for (index, (day, file)) in found.iter().rev().enumerate() {
        let (state, why) = state_of(*day, file, index == 0, found, &claims, &checked);
        let resources = file.head.is_ok().then_some(file.resources);
        let sha256 = Some(file.sha256.clone());
        checked.insert(*day, Checked { day: day.to_string(), state, resources, sha256, why });
    }
    let trusted: Vec<_> = claims.iter().filter(|claim| counts(claim, &checked)).collect();
    for claim in trusted {
        let missing = day_of(&claim.link.name).filter(|day| *day < claim.by && !found.contains_key(day));
        if let Some(day) = missing {
            let why = format!("{} names it, and it does not exist", file_name(claim.by));
            checked.insert(day, gap(day, State::Missing, why));
        }
    }
    with_holes(checked)
}

/// Whether what a file says counts: nothing speaks against it.
fn counts(claim: &Claim<'_>, checked: &BTreeMap<Date, Checked>) -> bool {
    checked.get(&claim.by).is_some_and(|holder| holder.state.is_right())
}

fn state_of(
    day: Date,
    file: &Found,
    is_newest: bool,
    found: &BTreeMap<Date, Found>,
    claims: &[Claim<'_>],
    later: &BTreeMap<Date, Checked>,
) -> (State, Option<String>) {
    let name = file_name(day);
    let about = || claims.iter().filter(|claim| claim.by > day && claim.link.name == name);
    let denied_by = about().find(|claim| claim.link.sha256 != file.sha256 && counts(claim, later));
    let changed =
        |by: &Claim<'_>| (State::Changed, Some(format!("{} has another hash of it", file_name(by.by))));
    let head = match &file.head {
        Ok(head) => head,
        Err(fault) => {
            return denied_by.map_or_else(|| (State::Unreadable, Some(fault.clone())), changed);
        }
    };
    if head.day != day {
        let other = file_name(head.day);
        let is_others =
            claims.iter().any(|claim| claim.link.name == other && claim.link.sha256 == file.sha256);
        let is_alone = || {
            let mut heads = found.values().filter_map(|file| file.head.as_ref().ok());
            heads.by_ref().filter(|one| one.day == head.day).count() == 1
        };
        return match denied_by {
            Some(by) if !is_others && !is_alone() => changed(by),
            _ => (State::Reordered, Some(format!("it has the content of {other}"))),
        };
    }
    if is_newest {
        return (State::Newest, None);
    }
    if let Some(by) = denied_by {
        return changed(by);
    }
    if about().any(|claim| claim.link.sha256 == file.sha256) {
        return (State::Proven, None);
    }
    (State::Unproven, Some("no file after it that can be trusted has its hash".to_owned()))
}

fn gap(day: Date, state: State, why: String) -> Checked {
    Checked { day: day.to_string(), state, resources: None, sha256: None, why: Some(why) }
}

/// Adds the days between two others that have no file, one entry for those in a row.
fn with_holes(checked: BTreeMap<Date, Checked>) -> Vec<Checked> {
    let mut all: Vec<Checked> = vec![];
    let mut before: Option<Date> = None;
    for (day, one) in checked {
        if let Some(first) = before.and_then(Date::next_day).filter(|first| *first < day)
            && let Some(last) = day.previous_day()
        {
            let why = match (last - first).whole_days() {
                0 => "there is no file of this day".to_owned(),
                more => format!("there is no file of {} days, until {last}", more + 1),
            };
            all.push(gap(first, State::NoFile, why));
        }
        before = Some(day);
        all.push(one);
    }
    all
}

#[cfg(test)]
mod tests;

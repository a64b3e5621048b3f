//! Chains of files, and what was done to them.

use std::fmt::Write as _;

use time::{Duration, OffsetDateTime, macros::date};

use super::*;

const FIRST: Date = date!(2026 - 11 - 01);

fn day(number: i64) -> Date {
    FIRST + Duration::days(number)
}

/// A chain of this many days, whose hashes are the numbers of the days.
fn chain(count: i64) -> BTreeMap<Date, Found> {
    let previous = |number: i64| (number > 0).then(|| link(number - 1));
    (0..count).map(|number| (day(number), file(day(number), &hash(number), previous(number)))).collect()
}

fn hash(number: i64) -> String {
    format!("hash {number}")
}

fn link(number: i64) -> Link {
    Link { name: file_name(day(number)), sha256: hash(number) }
}

fn file(day: Date, sha256: &str, previous: Option<Link>) -> Found {
    let head = Head { day, taken_at: OffsetDateTime::UNIX_EPOCH, previous };
    Found { sha256: sha256.to_owned(), head: Ok(head), resources: 1 }
}

/// `01 proven, 02 changed` and so on.
fn states(found: &BTreeMap<Date, Found>) -> String {
    judge(found).iter().fold(String::new(), |mut text, one| {
        let comma = if text.is_empty() { "" } else { ", " };
        write!(text, "{comma}{} {}", &one.day[8..], one.state.label()).unwrap();
        text
    })
}

#[test]
fn a_whole_chain_is_proven_up_to_its_newest_file() {
    assert_eq!(states(&chain(3)), "01 proven, 02 proven, 03 newest");
    assert_eq!(states(&chain(1)), "01 newest");
    assert_eq!(states(&BTreeMap::new()), "");
}

#[test]
fn a_changed_file_is_the_one_that_is_named_and_not_those_beside_it() {
    let mut found = chain(4);
    found.get_mut(&day(1)).unwrap().sha256 = "other".to_owned();
    assert_eq!(states(&found), "01 proven, 02 changed, 03 proven, 04 newest");
    found.get_mut(&day(1)).unwrap().head = Err("no JSON".to_owned());
    assert_eq!(states(&found), "01 unproven, 02 changed, 03 proven, 04 newest");
    // The change is in the very link.
    let mut found = chain(4);
    let other = Link { sha256: "other".to_owned(), ..link(0) };
    found.insert(day(1), file(day(1), "other", Some(other)));
    assert_eq!(states(&found), "01 unproven, 02 changed, 03 proven, 04 newest");
    // The change is in the day.
    let mut found = chain(4);
    found.insert(day(1), file(day(0), "other", Some(link(0))));
    assert_eq!(states(&found).split_once(", 02 ").unwrap().1, "changed, 03 proven, 04 newest");
}

#[test]
fn a_missing_file_is_one_that_a_later_file_names_and_a_day_without_one_is_another_matter() {
    let mut found = chain(4);
    found.remove(&day(2));
    assert_eq!(states(&found), "01 proven, 02 unproven, 03 missing, 04 newest");
    found.remove(&day(1));
    assert_eq!(states(&found), "01 unproven, 02 no_file, 03 missing, 04 newest");
    let mut found = chain(4);
    found.remove(&day(0));
    assert_eq!(states(&found), "01 missing, 02 proven, 03 proven, 04 newest");

    // No handler ran for three days.
    let mut found = chain(2);
    found.insert(day(5), file(day(5), "later", Some(link(1))));
    assert_eq!(states(&found), "01 proven, 02 proven, 03 no_file, 06 newest");
    let all = judge(&found);
    assert_eq!(all[2].why.as_deref(), Some("there is no file of 3 days, until 2026-11-05"));
}

#[test]
fn reordered_files_are_those_with_the_content_of_other_days() {
    let mut found = chain(5);
    let (second, third) = (found.remove(&day(1)).unwrap(), found.remove(&day(2)).unwrap());
    found.insert(day(1), third);
    found.insert(day(2), second);
    assert_eq!(states(&found), "01 proven, 02 reordered, 03 reordered, 04 proven, 05 newest");
    // The newest among them.
    let mut found = chain(3);
    let (second, third) = (found.remove(&day(1)).unwrap(), found.remove(&day(2)).unwrap());
    found.insert(day(1), third);
    found.insert(day(2), second);
    assert_eq!(states(&found), "01 proven, 02 reordered, 03 reordered");
    // A copy of one day in place of another.
    let mut found = chain(4);
    found.insert(day(1), file(day(2), &hash(2), Some(link(1))));
    assert_eq!(states(&found), "01 unproven, 02 reordered, 03 proven, 04 newest");
}

#[test]
fn a_file_that_was_added_proves_nothing_against_the_chain() {
    let mut found = chain(2);
    found.insert(day(4), file(day(4), "later", Some(link(1))));
    // It has a hash of a forged first file, and stands where no file names it.
    found.insert(day(3), file(day(3), "added", Some(Link { sha256: "forged".to_owned(), ..link(0) })));
    found.get_mut(&day(0)).unwrap().sha256 = "forged".to_owned();
    assert_eq!(states(&found), "01 changed, 02 proven, 03 no_file, 04 unproven, 05 newest");
}

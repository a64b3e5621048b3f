//! Exemptions that the settings list, each with an end and a reason, and the JSON in which they are written.

use std::str::FromStr;

use serde::Serialize;
use serde_json::value::RawValue;
use time::{Date, OffsetDateTime};

use super::{
    day::{self, days_left},
    patterns::Patterns,
};
use crate::resource_id::ResourceId;

/// An exemption of the setting `DISKSEAL_EXEMPTIONS`. It covers what matches all its lists; a list that is not written
/// matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedExemption {
    /// Its number in the setting, from 1.
    #[serde(skip)]
    pub number: usize,
    /// Subscription IDs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Patterns>,
    /// Names of resource groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_groups: Option<Patterns>,
    /// Names of disks and snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Patterns>,
    /// The last day of the exemption, UTC.
    #[serde(serialize_with = "as_text")]
    pub until: Date,
    /// The reason, as it is written.
    pub reason: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// `Date` displays as `YYYY-MM-DD`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_text<S: serde::Serializer>(date: &Date, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(date)
}

impl ListedExemption {
    /// Whether it is for this resource, ended or not.
    pub(super) fn covers(&self, id: &ResourceId) -> bool {
        let matches =
            |list: &Option<Patterns>, text| list.as_ref().is_none_or(|list| list.matching(text).is_some());
        matches(&self.subscriptions, id.subscription_id())
            && matches(&self.resource_groups, id.resource_group())
            && matches(&self.names, id.name())
    }

    /// Whether its last day is over.
    pub fn has_ended(&self, now: OffsetDateTime) -> bool {
        days_left(self.until, now) < 0
    }

    /// The lists that are written, with the names that they have in the setting.
    pub fn lists(&self) -> impl Iterator<Item = (&'static str, &Patterns)> {
        let lists = [
            (SUBSCRIPTIONS, &self.subscriptions),
            (RESOURCE_GROUPS, &self.resource_groups),
            (NAMES, &self.names),
        ];
        lists.into_iter().filter_map(|(name, list)| list.as_ref().map(|list| (name, list)))
    }
}

const SUBSCRIPTIONS: &str = "subscriptions";
const RESOURCE_GROUPS: &str = "resourceGroups";
const NAMES: &str = "names";

/// The exemptions of the setting, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ListedExemptions(pub Vec<ListedExemption>);

/// The members of an entry, each still to be read, so that a fault has the member's name.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Members {
    subscriptions: Option<Box<RawValue>>,
    resource_groups: Option<Box<RawValue>>,
    names: Option<Box<RawValue>>,
    until: Option<Box<RawValue>>,
    reason: Option<Box<RawValue>>,
    owner: Option<Box<RawValue>>,
}

impl FromStr for ListedExemptions {
    type Err = String;

    /// A JSON array of objects. An error names every entry and member at fault.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries: Vec<Box<RawValue>> = serde_json::from_str(text)
            .map_err(|fault| format!("it is not a JSON array of exemptions: {fault}"))?;
        let (mut listed, mut faults) = (vec![], vec![]);
        for (index, entry) in entries.iter().enumerate() {
            let number = index + 1;
            match read(number, entry.get()) {
                Ok(exemption) => listed.push(exemption),
                Err(all) => faults.extend(all.into_iter().map(|fault| format!("entry {number}: {fault}"))),
            }
        }
        if faults.is_empty() { Ok(Self(listed)) } else { Err(faults.join("; ")) }
    }
}

fn read(number: usize, entry: &str) -> Result<ListedExemption, Vec<String>> {
    if !entry.trim_start().starts_with('{') {
        return Err(vec!["it is not a JSON object".to_owned()]);
    }
    let members: Members = serde_json::from_str(entry).map_err(|fault| vec![fault.to_string()])?;
    let mut faults = vec![];
    let subscriptions = globs(SUBSCRIPTIONS, members.subscriptions.as_deref(), &mut faults);
    let resource_groups = globs(RESOURCE_GROUPS, members.resource_groups.as_deref(), &mut faults);
    let names = globs(NAMES, members.names.as_deref(), &mut faults);
    let until = required("until", "an exemption without an end does not exist", members.until.as_deref())
        .and_then(|text| day::parse(&text).map_err(|fault| format!("until: {fault}")));
    let reason =
        required("reason", "an exemption without a reason does not count", members.reason.as_deref());
    let owner = members.owner.as_deref().map(|value| words("owner", value)).transpose();
    if faults.is_empty() && [&subscriptions, &resource_groups, &names].iter().all(|list| list.is_none()) {
        faults.push(format!(
            "it has none of {SUBSCRIPTIONS}, {RESOURCE_GROUPS} and {NAMES}, so it would exempt everything"
        ));
    }
    match (until, reason, owner) {
        (Ok(until), Ok(reason), Ok(owner)) if faults.is_empty() => {
            Ok(ListedExemption { number, subscriptions, resource_groups, names, until, reason, owner })
        }
        (until, reason, owner) => {
            faults.extend([until.err(), reason.err(), owner.err()].into_iter().flatten());
            Err(faults)
        }
    }
}

/// A list of globs. None if it is not written, or at fault.
fn globs(member: &str, value: Option<&RawValue>, faults: &mut Vec<String>) -> Option<Patterns> {
    let read = |value: &RawValue| {
        let list: Vec<String> =
            serde_json::from_str(value.get()).map_err(|_| "it is not an array of globs")?;
        if list.is_empty() || list.iter().any(|glob| glob.trim().is_empty()) {
            return Err("it is empty, or one of its globs is".to_owned());
        }
        Patterns::of(list.iter().map(|glob| glob.trim()))
    };
    match read(value?) {
        Ok(patterns) => Some(patterns),
        Err(fault) => {
            faults.push(format!("{member}: {fault}"));
            None
        }
    }
}

fn required(member: &str, why: &str, value: Option<&RawValue>) -> Result<String, String> {
    value.ok_or_else(|| format!("{member} is missing: {why}")).and_then(|value| words(member, value))
}

/// A text of one line, which is not empty.
fn words(member: &str, value: &RawValue) -> Result<String, String> {
    let text: String =
        serde_json::from_str(value.get()).map_err(|_| format!("{member}: it is not a string"))?;
    let text = text.trim();
    match text {
        "" => Err(format!("{member}: it is empty")),
        _ if text.chars().any(char::is_control) => {
            Err(format!("{member}: it holds a control character, such as a line break"))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_covers_what_matches_all_its_lists() {
        let ListedExemptions(listed) = r#"[
            {"names": ["asr-*", "x[a,b]"], "until": "2027-01-31", "reason": " INC-1 restores "},
            {"resourceGroups": ["RG-Übung"], "names": ["tmp*"], "until": "2027-02-01", "reason": "r", "owner": "team-x"}
        ]"#
        .parse()
        .unwrap();
        let id = |group: &str, name: &str| -> ResourceId {
            format!(
                "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/{group}/providers/Microsoft.Compute/disks/{name}"
            )
            .parse()
            .unwrap()
        };
        for (group, name, covered) in [
            ("rg-a", "ASR-1", [true, false]),
            ("rg-a", "xb", [true, false]),
            ("rg-a", "tmp1", [false, false]),
            ("rg-übung", "tmp1", [false, true]),
            ("rg-übung", "other", [false, false]),
        ] {
            let found: Vec<_> = listed.iter().map(|one| one.covers(&id(group, name))).collect();
            assert_eq!(found, covered, "{group} {name}");
        }
        assert_eq!((listed[0].reason.as_str(), listed[1].number), ("INC-1 restores", 2));
    }

    #[test]
    fn a_fault_names_the_entry_and_the_member() {
        let faults = |text: &str| text.parse::<ListedExemptions>().expect_err(text);
        for (entry, expected) in [
            (r#""names""#, "entry 2: it is not a JSON object"),
            (r#"["asr-*", "2027-01-31", "r", "o", "p", "q"]"#, "entry 2: it is not a JSON object"),
            (r#"{"names": ["a"], "reason": "r"}"#, "entry 2: until is missing: an exemption without an end"),
            (r#"{"names": ["a"], "until": "2027-01-31"}"#, "entry 2: reason is missing"),
            (r#"{"names": ["a"], "until": "2027-01-31", "reason": " "}"#, "entry 2: reason: it is empty"),
            (
                r#"{"names": ["a"], "until": "2027-01-31", "reason": "a\nb"}"#,
                "entry 2: reason: it holds a control",
            ),
            (
                r#"{"names": ["a"], "until": "31.1.2027", "reason": "r"}"#,
                "entry 2: until: \"31.1.2027\" is not a date",
            ),
            (r#"{"names": ["a"], "until": 20270131, "reason": "r"}"#, "entry 2: until: it is not a string"),
            (
                r#"{"names": "a", "until": "2027-01-31", "reason": "r"}"#,
                "entry 2: names: it is not an array of globs",
            ),
            (
                r#"{"names": ["[a"], "until": "2027-01-31", "reason": "r"}"#,
                "entry 2: names: \"[a\" is not a glob",
            ),
            (r#"{"names": [], "until": "2027-01-31", "reason": "r"}"#, "entry 2: names: it is empty"),
            (r#"{"names": ["a", ""], "until": "2027-01-31", "reason": "r"}"#, "entry 2: names: it is empty"),
            (
                r#"{"until": "2027-01-31", "reason": "r"}"#,
                "entry 2: it has none of subscriptions, resourceGroups",
            ),
            (
                r#"{"names": ["a"], "names": ["b"], "until": "2027-01-31", "reason": "r"}"#,
                "entry 2: duplicate field `names`",
            ),
            (r#"{"name": ["a"], "until": "2027-01-31", "reason": "r"}"#, "entry 2: unknown field `name`"),
            (
                r#"{"names": ["a"], "until": "2027-01-31", "reason": "r", "owner": 1}"#,
                "entry 2: owner: it is not a string",
            ),
        ] {
            let text = format!(r#"[{{"names": ["fine"], "until": "2027-01-31", "reason": "r"}}, {entry}]"#);
            let fault = faults(&text);
            assert!(fault.contains(expected), "{entry}: {fault}");
            assert!(!fault.contains("entry 1"), "{fault}");
        }
        let both = faults(r#"[{"names": ["a"], "until": "x"}, {"owner": ""}]"#);
        for part in [
            "entry 1: until: ",
            "entry 1: reason is",
            "entry 2: it has none",
            "entry 2: until is",
            "entry 2: owner: ",
        ] {
            assert!(both.contains(part), "{part}: {both}");
        }
        assert!(faults("{}").contains("not a JSON array"));
    }
}

//! Rings: the part of the scope in which Diskseal seals, while the rest stays in audit.

use std::{fmt, str::FromStr};

use super::Patterns;
use crate::{
    resource::tags::{self, Tags, VALUE_CHARS_MAX},
    resource_id::ResourceId,
    scope::Scope,
};

/// The longest name of a resource group ("Naming rules and restrictions for Azure resources").
const GROUP_CHARS_MAX: usize = 90;

/// The resources to seal. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Rings(Vec<Ring>);

/// What one element of the setting selects.
#[derive(Clone, Debug)]
enum Ring {
    Subscription(Patterns),
    ResourceGroup(Patterns),
    Tag { name: String, values: Patterns },
}

impl Rings {
    /// Whether everything is to be sealed, because no ring is set.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a resource is to be sealed. One match is enough.
    pub fn contain(&self, id: &ResourceId, tags: &Tags) -> bool {
        self.contain_by_id(id) || self.0.iter().any(|ring| ring.has_tag(tags))
    }

    /// Whether the ID alone shows that a resource is to be sealed.
    fn contain_by_id(&self, id: &ResourceId) -> bool {
        self.are_all() || self.0.iter().any(|ring| ring.has_id(id))
    }

    /// Whether a resource has to show its tags before its ring is known.
    pub(super) fn depend_on_tags(&self, id: &ResourceId) -> bool {
        !self.contain_by_id(id) && self.0.iter().any(|ring| matches!(ring, Ring::Tag { .. }))
    }

    /// The patterns of subscriptions that match none of those in scope, if these are listed.
    pub fn outside(&self, scope: &Scope) -> Option<&str> {
        let Scope::Subscriptions(ids) = scope else { return None };
        let of_subscriptions = self.0.iter().filter_map(|ring| match ring {
            Ring::Subscription(patterns) => Some(patterns),
            Ring::ResourceGroup(_) | Ring::Tag { .. } => None,
        });
        of_subscriptions
            .filter(|patterns| !ids.iter().any(|id| patterns.matching(id).is_some()))
            .find_map(|patterns| patterns.globs().next())
    }
}

impl Ring {
    fn has_id(&self, id: &ResourceId) -> bool {
        match self {
            Self::Subscription(patterns) => patterns.matching(id.subscription_id()).is_some(),
            Self::ResourceGroup(patterns) => patterns.matching(id.resource_group()).is_some(),
            Self::Tag { .. } => false,
        }
    }

    fn has_tag(&self, all: &Tags) -> bool {
        match self {
            Self::Subscription(_) | Self::ResourceGroup(_) => false,
            Self::Tag { name, values } => all.get(name).is_some_and(|value| values.matching(value).is_some()),
        }
    }
}

impl FromStr for Rings {
    type Err = String;

    /// Comma-separated elements: `subscription:GLOB`, `resource-group:GLOB`, `tag:NAME=GLOB`. An empty element is a
    /// fault: without it, a list from which one name is missing would be a list of fewer rings.
    fn from_str(list: &str) -> Result<Self, Self::Err> {
        list.split(',').map(|element| element.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Ring {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || format!("{text:?} is not subscription:GLOB, resource-group:GLOB or tag:NAME=GLOB");
        let (kind, pattern) = text.split_once(':').ok_or_else(form)?;
        let pattern = pattern.trim();
        match kind.trim().to_ascii_lowercase().as_str() {
            "subscription" => {
                let fits = |c: char| c.is_ascii_hexdigit() || c == '-';
                one(text, pattern, 36, fits, "the ID of a subscription, a GUID").map(Self::Subscription)
            }
            "resource-group" => {
                let fits = |c: char| c.is_alphanumeric() || "-_().".contains(c);
                if pattern.ends_with('.') {
                    return Err(format!(
                        "{text:?} matches nothing: no resource group's name ends with a period"
                    ));
                }
                one(text, pattern, GROUP_CHARS_MAX, fits, "the name of a resource group")
                    .map(Self::ResourceGroup)
            }
            "tag" => {
                let (name, values) = pattern.split_once('=').ok_or_else(form)?;
                let name = name.trim();
                tags::check_name(name).map_err(|error| error.to_string())?;
                let values = one(text, values.trim(), VALUE_CHARS_MAX, |_| true, "the value of a tag")?;
                Ok(Self::Tag { name: name.to_owned(), values })
            }
            _ => Err(form()),
        }
    }
}

/// Reads one pattern that can match a text of the kind that `what` names: at most `chars_max` characters, each of
/// which `fits`.
fn one(
    element: &str,
    pattern: &str,
    chars_max: usize,
    fits: impl Fn(char) -> bool,
    what: &str,
) -> Result<Patterns, String> {
    let patterns: Patterns = pattern.parse()?;
    if patterns.globs().next().is_none() {
        return Err(format!("{element:?} matches nothing: its pattern is empty"));
    }
    let literals = literals(pattern);
    let odd = literals.iter().find(|c| !fits(**c));
    if let Some(odd) = odd {
        return Err(format!("{element:?} matches nothing: {what} has no {odd:?}"));
    }
    if literals.len() > chars_max {
        return Err(format!("{element:?} matches nothing: {what} has at most {chars_max} characters"));
    }
    Ok(patterns)
}

/// The characters of a pattern that stand for themselves.
fn literals(pattern: &str) -> Vec<char> {
    let mut is_in_set = false;
    let is_literal = |c: &char| match c {
        '[' => {
            is_in_set = true;
            false
        }
        ']' if is_in_set => {
            is_in_set = false;
            false
        }
        '*' | '?' => false,
        _ => !is_in_set,
    };
    pattern.chars().filter(is_literal).collect()
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let glob = |patterns: &Patterns| patterns.globs().next().unwrap_or_default().to_owned();
        match self {
            Self::Subscription(patterns) => write!(f, "subscription:{}", glob(patterns)),
            Self::ResourceGroup(patterns) => write!(f, "resource-group:{}", glob(patterns)),
            Self::Tag { name, values } => write!(f, "tag:{name}={}", glob(values)),
        }
    }
}

impl fmt::Display for Rings {
    /// The list as it is set; empty for all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "11111111-2222-4333-8444-555555555555";

    fn id(group: &str) -> ResourceId {
        format!("/subscriptions/{HERE}/resourceGroups/{group}/providers/Microsoft.Compute/disks/d")
            .parse()
            .unwrap()
    }

    #[test]
    fn one_match_puts_a_resource_into_the_ring_and_no_ring_is_all() {
        let ringed: Tags = [("Ring", "Canary-1")].into_iter().collect();
        for (rings, group, tags, expected) in [
            ("resource-group:rg-dev*", "RG-DEV-1", Tags::default(), true),
            ("resource-group:rg-dev*", "rg-prod", Tags::default(), false),
            ("subscription:1111*", "rg", Tags::default(), true),
            ("subscription:2*", "rg", Tags::default(), false),
            ("tag:ring=canary-?", "rg", ringed.clone(), true),
            ("tag:ring=canary", "rg", ringed.clone(), false),
            ("tag:ring=*", "rg", Tags::default(), false),
            ("subscription:2*, tag:ring=*", "rg", ringed, true),
            ("resource-group:rg-übung", "RG-ÜBUNG", Tags::default(), true),
        ] {
            let found = rings.parse::<Rings>().unwrap().contain(&id(group), &tags);
            assert_eq!(found, expected, "{rings} {group}");
        }
        assert!(Rings::default().contain(&id("rg"), &Tags::default()));
    }

    #[test]
    fn what_can_match_nothing_is_a_fault() {
        for (list, part) in [
            ("rg-dev", "is not subscription:GLOB"),
            ("group:rg", "is not subscription:GLOB"),
            ("tag:ring", "is not subscription:GLOB"),
            ("resource-group:", "its pattern is empty"),
            ("tag:ring=", "its pattern is empty"),
            ("resource-group:a,,resource-group:b", "\"\" is not"),
            ("resource-group:a,", "\"\" is not"),
            ("resource-group:[z", "not a glob"),
            ("resource-group:a/b", "has no '/'"),
            ("resource-group:rg.", "ends with a period"),
            ("subscription:prod-*", "has no 'p'"),
            ("tag:a<b=c", "a<b"),
        ] {
            let fault = list.parse::<Rings>().unwrap_err();
            assert!(fault.contains(part), "{list}: {fault}");
        }
        assert!(format!("resource-group:{}", "x".repeat(91)).parse::<Rings>().is_err());
        assert!("subscription:[0-9a-f]*,resource-group:[!x]y,tag:a b=c d".parse::<Rings>().is_ok());
    }

    #[test]
    fn only_a_ring_by_tag_depends_on_tags() {
        let rings: Rings = "resource-group:rg,tag:ring=1".parse().unwrap();
        assert!(!rings.depend_on_tags(&id("rg")) && rings.depend_on_tags(&id("other")));
        assert!(!"resource-group:rg".parse::<Rings>().unwrap().depend_on_tags(&id("other")));
        assert_eq!(rings.to_string(), "resource-group:rg,tag:ring=1");
    }
}

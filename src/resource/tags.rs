//! Tags of a resource, and Azure's limits on them.
//!
//! Source of the limits: "Use tags to organize your Azure resources and management hierarchy".

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use crate::resource_id::is_same;

/// Maximum number of tags on a resource.
pub const TAGS_MAX: usize = 50;
/// Maximum number of characters in a tag's name.
pub const NAME_CHARS_MAX: usize = 512;
/// Maximum number of characters in a tag's value.
pub const VALUE_CHARS_MAX: usize = 256;
/// Characters that a tag's name must not contain.
pub const NAME_FORBIDDEN: &str = r"<>%&\?/";

/// Names and values, in the order of the names. In Azure, names are case-insensitive in every alphabet, and values are
/// case-sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Tags {
    /// Azure's tags are strings. Clients and providers have also stored `null`, which is read as the empty value, and
    /// numbers and booleans, which are read as their text. A list or object is unreadable; it is kept as the empty
    /// value, which no rule takes for its own. An empty list or string in place of all tags is no tags.
    ///
    /// # Errors
    /// It is anything else: the tags are unknown.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = |value: Value| match value {
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
        };
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            Value::Array(values) if values.is_empty() => Ok(Self::default()),
            Value::String(text) if text.is_empty() => Ok(Self::default()),
            Value::Object(tags) => Ok(Self(tags.into_iter().map(|(name, tag)| (name, value(tag))).collect())),
            _ => Err(de::Error::custom("the tags are not an object")),
        }
    }
}

impl Tags {
    /// The value of the tag with this name, ignoring case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| is_same(known, name)).map(|(_, value)| value.as_str())
    }

    /// Sets a tag, and keeps the spelling of an existing name.
    pub fn insert(&mut self, name: &str, value: impl Into<String>) {
        let known = self.0.keys().find(|known| is_same(known, name)).cloned();
        self.0.insert(known.unwrap_or_else(|| name.to_owned()), value.into());
    }

    /// The number of tags.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether every tag of `other` is present with the same value.
    pub fn contains_all(&self, other: &Self) -> bool {
        other.iter().all(|(name, value)| self.get(name) == Some(value))
    }

    /// Whether a `Merge` of tags with these names leaves no more than [`TAGS_MAX`]. A name that is there takes no room.
    pub fn has_room_for<'a>(&self, names: impl Iterator<Item = &'a str>) -> bool {
        self.len() + names.filter(|name| self.get(name).is_none()).count() <= TAGS_MAX
    }

    /// The tags after a `Merge` of the Tags API with these tags.
    #[cfg(test)]
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        for (name, value) in other.iter() {
            merged.insert(name, value);
        }
        merged
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut tags = Self::default();
        for (name, value) in pairs {
            tags.insert(name.as_ref(), value);
        }
        tags
    }
}

/// Why Azure would refuse a tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// A name is empty or too long.
    #[error("the tag name {0:?} must have 1 to {NAME_CHARS_MAX} characters")]
    NameLength(String),
    /// A name contains a character that Azure refuses.
    #[error(r"the tag name {0:?} must not contain < > % & \ ? / or control characters")]
    NameCharacters(String),
    /// A name starts with a prefix that is reserved for Azure.
    #[error("the tag name {0:?} starts with a prefix reserved for Azure (microsoft, azure, windows)")]
    NameReserved(String),
    /// A value is too long.
    #[error("the value of tag {0:?} must have at most {VALUE_CHARS_MAX} characters")]
    ValueLength(String),
}

/// Checks a tag's name against Azure's rules.
pub fn check_name(name: &str) -> Result<(), TagError> {
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(TagError::NameLength(name.to_owned()));
    }
    if name.chars().any(|c| NAME_FORBIDDEN.contains(c) || c.is_control()) {
        return Err(TagError::NameCharacters(name.to_owned()));
    }
    // "Tags - Create Or Update": these prefixes are reserved for Azure's own use.
    let reserved = ["microsoft", "azure", "windows"];
    if reserved
        .iter()
        .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
    {
        return Err(TagError::NameReserved(name.to_owned()));
    }
    Ok(())
}

/// Checks a tag's value against Azure's rules; `name` is for the message.
pub fn check_value(name: &str, value: &str) -> Result<(), TagError> {
    if value.chars().count() > VALUE_CHARS_MAX {
        return Err(TagError::ValueLength(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_values_do_not() {
        let tags: Tags = [("Owner", "Ada")].into_iter().collect();
        assert_eq!(tags.get("OWNER"), Some("Ada"));
        let tags = tags.merged(&[("Größe", "1")].into_iter().collect());
        assert_eq!(tags.get("GRÖßE"), Some("1"));
        assert!(tags.contains_all(&[("owner", "Ada")].into_iter().collect()));
        assert!(!tags.contains_all(&[("owner", "ada")].into_iter().collect()));
    }

    #[test]
    fn merging_keeps_foreign_tags_and_the_known_spelling() {
        let tags: Tags = [("Owner", "Ada"), ("env", "prod")].into_iter().collect();
        let merged = tags.merged(&[("owner", "Bob"), ("new", "1")].into_iter().collect());
        let pairs: Vec<_> = merged.iter().collect();
        assert_eq!(pairs, [("Owner", "Bob"), ("env", "prod"), ("new", "1")]);
    }

    #[test]
    fn azures_limits_are_checked() {
        assert_eq!(check_name("diskseal-sealed-at"), Ok(()));
        assert_eq!(check_name(&"n".repeat(512)), Ok(()));
        assert!(matches!(check_name(&"n".repeat(513)), Err(TagError::NameLength(_))));
        assert!(matches!(check_name(""), Err(TagError::NameLength(_))));
        for forbidden in NAME_FORBIDDEN.chars().chain(['\n']) {
            assert!(matches!(check_name(&format!("a{forbidden}b")), Err(TagError::NameCharacters(_))));
        }
        assert!(matches!(check_name("AzureThing"), Err(TagError::NameReserved(_))));
        assert_eq!(check_value("n", &"ü".repeat(256)), Ok(()));
        assert!(matches!(check_value("n", &"v".repeat(257)), Err(TagError::ValueLength(_))));
    }
}

//! The scope: subscriptions or a management group in which Diskseal works.

use std::fmt;

/// The subscriptions in scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All that the identity sees.
    #[default]
    Visible,
    /// These, as GUIDs.
    Subscriptions(Vec<String>),
    /// All below the management group of this ID, at any depth.
    ManagementGroup(String),
}

impl Scope {
    /// Whether a subscription is in scope; none where only Azure knows.
    pub fn contains(&self, subscription_id: &str) -> Option<bool> {
        match self {
            Self::Visible => Some(true),
            Self::Subscriptions(ids) => Some(ids.iter().any(|id| id.eq_ignore_ascii_case(subscription_id))),
            Self::ManagementGroup(_) => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visible => f.write_str("all that the identity can read"),
            Self::Subscriptions(ids) => write!(f, "subscriptions {}", ids.join(", ")),
            Self::ManagementGroup(id) => write!(f, "management group {id}"),
        }
    }
}

/// Whether a text is the ID of a management group. "Naming rules and restrictions for Azure resources",
/// `managementGroups`: 1 to 90 letters, digits, hyphens, underscores, periods and parentheses; the first a
/// letter or digit, the last not a period.
pub fn is_management_group_id(text: &str) -> bool {
    text.len() <= 90
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.ends_with('.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.()".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_management_group_cannot_leave_its_place_in_a_path() {
        for id in ["prod", "11111111-2222-4333-8444-555555555555", "a.b_(c)-d", "7"] {
            assert!(is_management_group_id(id), "{id}");
        }
        for id in ["", ".", "..", "a/b", "a%2fb", "a?b", "a#b", "-a", "a.", "ä", "a b", &"a".repeat(91)] {
            assert!(!is_management_group_id(id), "{id}");
        }
    }

    #[test]
    fn whether_a_subscription_is_below_a_management_group_is_azures_to_say() {
        let listed = Scope::Subscriptions(vec!["AB".to_owned()]);
        assert_eq!((listed.contains("ab"), listed.contains("cd")), (Some(true), Some(false)));
        assert_eq!(Scope::Visible.contains("ab"), Some(true));
        assert_eq!(Scope::ManagementGroup("prod".to_owned()).contains("ab"), None);
    }
}

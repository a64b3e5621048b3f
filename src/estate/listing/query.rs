//! The queries of Resource Graph.

use crate::policy::{Network, Policy, TagRule};

/// Selects the resource types that can be sealed.
const OURS: &str = "type in~ ('microsoft.compute/disks', 'microsoft.compute/snapshots')";
/// The columns from which a row is read as a resource, and the order that paging requires.
const COLUMNS: &str = "project id, location, managedBy, tags, properties | order by id asc";

/// All disks and snapshots.
pub(super) fn of_all() -> String {
    format!("resources | where {OURS} | {COLUMNS}")
}

/// The number of all disks and snapshots, in one row ("Starter Resource Graph queries", count Azure resources).
pub(super) fn count() -> String {
    format!("resources | where {OURS} | summarize count()")
}

/// All disks and snapshots that lack the mode, a network setting or a tag of the seal. Differences in the case of tag names make some
/// sealed resources candidates; the decision skips them.
pub(super) fn of_unsealed(policy: &Policy) -> String {
    let mode = "tostring(properties.dataAccessAuthMode) !~ 'AzureActiveDirectory'".to_owned();
    let rules = policy.tags.iter().filter(|rule| !rule.names_trigger());
    let network = lacks_network(policy.network).into_iter();
    let lacking: Vec<_> = std::iter::once(mode).chain(network).chain(rules.map(lacks)).collect();
    format!("resources | where {OURS} | where {} | {COLUMNS}", lacking.join(" or "))
}

/// What lacks a network setting. What private endpoints are chosen for lacks none.
fn lacks_network(network: Network) -> Option<String> {
    let (policy, public) =
        ("tostring(properties.networkAccessPolicy)", "tostring(properties.publicNetworkAccess)");
    let open = match network {
        Network::Off => return None,
        Network::DenyPublic => format!("{public} !~ 'Disabled'"),
        Network::DenyAll => format!("({public} !~ 'Disabled' or {policy} !~ 'DenyAll')"),
    };
    let is_public = format!("{policy} !~ 'AllowPrivate' and isempty(tostring(properties.diskAccessId))");
    Some(format!("({open} and {is_public})"))
}

fn lacks(rule: &TagRule) -> String {
    let tag = format!("tostring(tags[{}])", text(rule.name()));
    match rule.fixed() {
        Some(value) => format!("{tag} != {}", text(&value)),
        None => format!("isempty({tag})"),
    }
}

/// A string literal of the Kusto query language ("The string data type").
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_cannot_leave_its_text() {
        let rule = TagRule::new("it's", r"\' or true").unwrap();
        assert_eq!(lacks(&rule), r"tostring(tags['it\'s']) != '\\\' or true'");
        let rule = TagRule::new("at", "{sealed_at}").unwrap();
        assert_eq!(lacks(&rule), "isempty(tostring(tags['at']))");
    }
}

//! Where Azure itself differs from its definitions, each with the reason.

use serde_json::{Value, json};

/// A part of the definitions that Azure does not keep to.
#[derive(Debug)]
pub struct Exception {
    /// The definition: folder, file and name.
    pub definition: &'static str,
    /// The member of it.
    pub member: &'static str,
    /// The type that is taken instead.
    pub instead: &'static str,
    /// Why.
    pub why: &'static str,
}

/// All of them.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        definition: "2024-04-01/resourcegraph.json/QueryResponse",
        member: "data",
        instead: "object or array",
        why: "declared as an object; its description and every official example have an array of rows",
    },
    Exception {
        definition: "2024-04-01/resourcegraph.json/FacetResult",
        member: "data",
        instead: "object or array",
        why: "as `QueryResponse`",
    },
];

/// What stands in the place of a member that is excepted.
pub(super) fn instead(definition: &str, member: &str) -> Option<Value> {
    EXCEPTIONS
        .iter()
        .any(|exception| exception.definition == definition && exception.member == member)
        .then(|| json!({"type": ["object", "array"]}))
}

//! Where Azure itself violates its definitions, each with the reason.

use serde_json::{Value, json};

/// A part of the definitions that Azure violates.
#[derive(Debug)]
pub struct Exception {
    /// The definition: folder, file and name.
    pub definition: &'static str,
    /// The member of it.
    pub member: &'static str,
    /// The type to use instead.
    pub instead: &'static str,
    /// Why.
    pub why: &'static str,
}

/// All exceptions.
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

/// The replacement of an excepted member.
pub(super) fn instead(definition: &str, member: &str) -> Option<Value> {
    EXCEPTIONS
        .iter()
        .any(|exception| exception.definition == definition && exception.member == member)
        .then(|| json!({"type": ["object", "array"]}))
}

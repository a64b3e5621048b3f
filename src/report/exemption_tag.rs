//! The exemption tag of a resource, whether it counts or not.

use serde::{Deserialize, Serialize};

use super::note::Word;
use crate::policy::TagExemption;

/// The state of an exemption that exempts.
pub(super) const IN_FORCE: &str = "in_force";
/// The state of an exemption whose last day is over.
pub(super) const ENDED: &str = "ended";
/// The state of an exemption that is not of the form that counts.
pub(super) const UNREADABLE: &str = "unreadable";

/// The exemption tag of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExemptionTagRow {
    /// A word from a closed set: `in_force`, `ended` or `unreadable`.
    pub state: Word,
    /// The last day, if it can be read.
    pub until: Option<String>,
    /// The reason, if the exemption is in force.
    pub reason: Option<String>,
}

impl ExemptionTagRow {
    pub(super) fn new(tag: &TagExemption) -> Self {
        let (state, until, reason) = match tag {
            TagExemption::Until { date, reason } => (IN_FORCE, Some(*date), Some(reason.clone())),
            TagExemption::Expired(date) => (ENDED, Some(*date), None),
            TagExemption::Unreadable => (UNREADABLE, None, None),
        };
        Self { state: state.into(), until: until.map(|date| date.to_string()), reason }
    }
}

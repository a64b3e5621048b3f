//! A part of the scope that a person chooses for one command.

use std::fmt;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Patterns;
use crate::{resource::Resource, resource_id::ResourceType};

/// Which resources a listing returns, within the scope. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those whose resource group matches; all if there is no pattern.
    pub resource_groups: Patterns,
    /// Those whose name matches; all if there is no pattern.
    pub names: Patterns,
    /// Disks or snapshots; none for both.
    pub kind: Option<ResourceType>,
    /// Those that were created at this time or later.
    pub created_after: Option<OffsetDateTime>,
}

impl Selection {
    /// Whether it selects everything.
    pub fn is_all(&self) -> bool {
        self.resource_groups.is_empty()
            && self.names.is_empty()
            && self.kind.is_none()
            && self.created_after.is_none()
    }

    /// Whether a resource is selected; none if its time of creation decides and is unknown.
    pub fn contains(&self, resource: &Resource) -> Option<bool> {
        let matches = |patterns: &Patterns, text| patterns.is_empty() || patterns.matching(text).is_some();
        let id = &resource.id;
        let is_selected = matches(&self.resource_groups, id.resource_group())
            && matches(&self.names, id.name())
            && self.kind.is_none_or(|kind| kind == id.resource_type());
        match self.created_after {
            Some(after) if is_selected => resource.time_created.map(|created| created >= after),
            _ => Some(is_selected),
        }
    }
}

impl fmt::Display for Selection {
    /// The selection as flags.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |patterns: &Patterns| patterns.globs().collect::<Vec<_>>().join(",");
        let mut parts = vec![];
        if !self.resource_groups.is_empty() {
            parts.push(format!("--resource-group {}", list(&self.resource_groups)));
        }
        if !self.names.is_empty() {
            parts.push(format!("--name {}", list(&self.names)));
        }
        if let Some(kind) = self.kind {
            parts.push(format!("--kind {}", kind.label()));
        }
        if let Some(after) = self.created_after {
            parts.push(format!("--created-after {}", after.format(&Rfc3339).unwrap_or_default()));
        }
        f.write_str(&parts.join(" "))
    }
}

//! The id of a disk or snapshot. Azure ignores its case.

use std::fmt;

/// A resource type of the emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// `Microsoft.Compute/disks`.
    Disk,
    /// `Microsoft.Compute/snapshots`.
    Snapshot,
}

impl ResourceKind {
    /// The last segment of the type.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Disk => "disks",
            Self::Snapshot => "snapshots",
        }
    }

    /// The whole type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Disk => "Microsoft.Compute/disks",
            Self::Snapshot => "Microsoft.Compute/snapshots",
        }
    }

    pub(crate) fn from_segment(segment: &str) -> Option<Self> {
        [Self::Disk, Self::Snapshot].into_iter().find(|kind| segment.eq_ignore_ascii_case(kind.segment()))
    }
}

/// The id of a disk or snapshot, in the given case.
#[derive(Clone, Debug)]
pub(crate) struct ResourceId {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) kind: ResourceKind,
    pub(crate) name: String,
}

impl ResourceId {
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let segments: Vec<&str> = id.strip_prefix('/')?.split('/').collect();
        let [subscriptions, subscription, groups, group, providers, namespace, kind, name] = segments[..]
        else {
            return None;
        };
        let fixed = subscriptions.eq_ignore_ascii_case("subscriptions")
            && groups.eq_ignore_ascii_case("resourceGroups")
            && providers.eq_ignore_ascii_case("providers")
            && namespace.eq_ignore_ascii_case("Microsoft.Compute")
            && [subscription, group, name].iter().all(|segment| !segment.is_empty());
        fixed.then_some(())?;
        Some(Self {
            subscription: subscription.to_owned(),
            group: group.to_owned(),
            kind: ResourceKind::from_segment(kind)?,
            name: name.to_owned(),
        })
    }

    /// The key of the resource in the state.
    pub(crate) fn key(&self) -> String {
        folded(&self.to_string())
    }

    /// The id as in lists: recordings have the resource group in upper case.
    pub(crate) fn in_lists(&self) -> String {
        Self { group: self.group.chars().map(upper).collect(), ..self.clone() }.to_string()
    }
}

/// A text by which two spellings of it can be compared. Azure compares names as .NET's `OrdinalIgnoreCase` does: each
/// character by its simple upper case, in every alphabet, without normalisation.
pub(crate) fn folded(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c.to_ascii_lowercase() } else { upper(c) }).collect()
}

fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if c.is_ascii() || !one.is_ascii() => one,
        _ => c,
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription, group, kind, name } = self;
        write!(
            out,
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{}/{name}",
            kind.type_name()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_without_regard_to_case() {
        let id =
            ResourceId::parse("/SUBSCRIPTIONS/s/resourcegroups/Rg/providers/MICROSOFT.COMPUTE/DISKS/Data")
                .unwrap();
        assert_eq!(
            id.to_string(),
            "/subscriptions/s/resourceGroups/Rg/providers/Microsoft.Compute/disks/Data"
        );
        assert_eq!(id.key(), "/subscriptions/s/resourcegroups/rg/providers/microsoft.compute/disks/data");
        assert_eq!(
            id.in_lists(),
            "/subscriptions/s/resourceGroups/RG/providers/Microsoft.Compute/disks/Data"
        );
        for wrong in [
            "",
            "/",
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups//providers/Microsoft.Compute/disks/d",
        ] {
            assert!(ResourceId::parse(wrong).is_none(), "{wrong}");
        }
    }
}

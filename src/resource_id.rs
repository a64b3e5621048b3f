//! The ARM resource ID of a managed disk or snapshot, and that of a [machine](MachineId).
//!
//! Only these two pass from an event into a URL, so parsing is strict about everything that could change the URL: it
//! refuses other providers, child resources, dot segments, encoded characters, queries, fragments and control characters.
//! Whether Azure allows a name is for ARM to say: a rule that is stricter than Azure's would leave a resource unsealed.

mod case;
mod machine;

use std::{fmt, hash, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

pub use case::{folded, is_same};
pub use machine::{Machine, MachineId};

/// The resource types that have a `dataAccessAuthMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
    /// `Microsoft.Compute/disks`
    Disk,
    /// `Microsoft.Compute/snapshots`
    Snapshot,
}

impl ResourceType {
    /// The type's segment in a resource ID, in ARM's spelling.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Disk => "disks",
            Self::Snapshot => "snapshots",
        }
    }

    /// A word from a closed set.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Snapshot => "snapshot",
        }
    }

    fn from_segment(segment: &str) -> Option<Self> {
        [Self::Disk, Self::Snapshot].into_iter().find(|kind| segment.eq_ignore_ascii_case(kind.segment()))
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Microsoft.Compute/{}", self.segment())
    }
}

/// The ID of one managed disk or snapshot:
/// `/subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.Compute/{disks|snapshots}/{name}`.
///
/// Equality and hash ignore case in every alphabet, as ARM does ([`folded`]). The names keep their spelling.
#[derive(Clone)]
pub struct ResourceId {
    /// The whole ID, which is needed more often than its parts, with the keywords in ARM's spelling.
    text: Box<str>,
    resource_type: ResourceType,
    group: Range<u32>,
    /// Where the name starts.
    name: u32,
}

/// Where the subscription's GUID is in every ID.
const SUBSCRIPTION: Range<usize> =
    "/subscriptions/".len().."/subscriptions/".len() + uuid::fmt::Hyphenated::LENGTH;

/// Why a text is not the resource ID that it was parsed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// The segments are not those of a resource ID of `Microsoft.Compute/disks` or `/snapshots`.
    #[error("not the resource ID of a managed disk or snapshot")]
    NotADiskOrSnapshot,
    /// The segments are not those of a virtual machine, a scale set or an instance of a scale set.
    #[error("not the resource ID of a virtual machine or scale set")]
    NotAMachine,
    /// The subscription ID is not a GUID.
    #[error("the subscription ID is not a GUID")]
    SubscriptionId,
    /// The resource group's name would change the URL, or cannot be shown.
    #[error("the resource group's name breaks Azure's naming rules")]
    ResourceGroup,
    /// The resource's own name would change the URL, or cannot be shown.
    #[error("the resource's name breaks Azure's naming rules")]
    Name,
}

impl ResourceId {
    /// The subscription's GUID, as spelled in the source.
    pub fn subscription_id(&self) -> &str {
        self.text.get(SUBSCRIPTION).unwrap_or_default()
    }

    /// The whole ID, with the keywords in ARM's spelling.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The resource group's name, as spelled in the source.
    pub fn resource_group(&self) -> &str {
        self.text.get(self.group.start as usize..self.group.end as usize).unwrap_or_default()
    }

    /// Disk or snapshot.
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// The disk's or snapshot's own name, as spelled in the source.
    pub fn name(&self) -> &str {
        self.text.get(self.name as usize..).unwrap_or_default()
    }
}

impl FromStr for ResourceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (subscription_id, resource_group, path) =
            in_compute(text).ok_or(Self::Err::NotADiskOrSnapshot)?;
        let [segment, name] = path[..] else { return Err(Self::Err::NotADiskOrSnapshot) };
        let resource_type = ResourceType::from_segment(segment).ok_or(Self::Err::NotADiskOrSnapshot)?;
        check_names(subscription_id, resource_group, &path)?;
        let before_group = ["/subscriptions/", subscription_id, "/resourceGroups/"];
        let before_name = ["/providers/Microsoft.Compute/", resource_type.segment(), "/"];
        // The names were checked: an ID has a few hundred bytes at most.
        let end = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let mut whole = String::with_capacity(text.len());
        whole.extend(before_group);
        let group = end(&whole);
        whole.push_str(resource_group);
        let group = group..end(&whole);
        whole.extend(before_name);
        let name_start = end(&whole);
        whole.push_str(name);
        Ok(Self { text: whole.into(), resource_type, group, name: name_start })
    }
}

/// The parts of a Compute resource's ID: subscription, resource group, and the segments after the provider, which
/// are types and names in turn.
fn in_compute(text: &str) -> Option<(&str, &str, Vec<&str>)> {
    let mut segments: Vec<&str> = text.split('/').collect();
    let path = segments.split_off(segments.len().min(7));
    let ["", subscriptions, subscription_id, groups, resource_group, providers, namespace] = segments[..]
    else {
        return None;
    };
    let keywords = [
        (subscriptions, "subscriptions"),
        (groups, "resourceGroups"),
        (providers, "providers"),
        (namespace, "Microsoft.Compute"),
    ];
    let is_of_compute = keywords.iter().all(|(segment, keyword)| segment.eq_ignore_ascii_case(keyword));
    is_of_compute.then_some((subscription_id, resource_group, path))
}

/// Checks the names in an ID.
fn check_names(subscription_id: &str, resource_group: &str, path: &[&str]) -> Result<(), ParseIdError> {
    if !is_subscription_id(subscription_id) {
        Err(ParseIdError::SubscriptionId)
    } else if !is_name(resource_group, GROUP_CHARS_MAX) {
        Err(ParseIdError::ResourceGroup)
    } else if !path.iter().skip(1).step_by(2).all(|name| is_name(name, NAME_CHARS_MAX)) {
        Err(ParseIdError::Name)
    } else {
        Ok(())
    }
}

/// Whether a text is a GUID in the form that Azure uses for subscription IDs.
pub fn is_subscription_id(text: &str) -> bool {
    text.len() == uuid::fmt::Hyphenated::LENGTH && uuid::Uuid::try_parse(text).is_ok()
}

/// Whether a text is the ID of a subscription or of something in one, and is safe as a URL's path.
pub fn is_scope(text: &str) -> bool {
    let mut segments = text.split('/');
    let is_root = segments.next() == Some("")
        && segments.next().is_some_and(|segment| segment.eq_ignore_ascii_case("subscriptions"))
        && segments.next().is_some_and(is_subscription_id);
    is_root && segments.all(|segment| is_name(segment, SEGMENT_CHARS_MAX))
}

/// The longest name of a resource group, in characters ("Naming rules and restrictions for Azure resources").
const GROUP_CHARS_MAX: usize = 90;
/// The longest name of a disk or snapshot, in characters; those of machines are shorter.
const NAME_CHARS_MAX: usize = 80;
/// The longest name of any resource type, in characters.
const SEGMENT_CHARS_MAX: usize = 260;

/// Whether a text can be one segment of a URL's path, and be shown in one line: letters, digits, marks and connectors of
/// any script, and `-.()`. That is Azure's pattern `^[-\w\._\(\)]+$` with .NET's `\w` at the least; which of them a
/// resource type takes, in what order and how many, is for ARM to say. The URL has them percent-encoded.
///
/// So nothing in it has a meaning in a URL, a shell or a terminal, or turns into such a character when it is normalised.
/// It does not end with a period, which makes dot segments and is dropped by some servers.
fn is_name(text: &str, chars_max: usize) -> bool {
    let is_allowed = |c: char| {
        if c.is_ascii() {
            c.is_ascii_alphanumeric() || "_-.()".contains(c)
        } else {
            c.is_alphanumeric() || unicode_ident::is_xid_continue(c)
        }
    };
    !text.is_empty()
        && !text.ends_with('.')
        && text.chars().all(is_allowed)
        && text.chars().take(chars_max + 1).count() <= chars_max
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        // No part holds a slash, so the parts are the same where the whole is.
        is_same(&self.text, &other.text)
    }
}

impl Eq for ResourceId {}

impl hash::Hash for ResourceId {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        case::hash(&self.text, state);
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;

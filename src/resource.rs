//! Disks and snapshots as Azure Resource Manager returns them, with only the members that the policy reads.
//!
//! Unknown members are ignored, and unknown values of Azure's enumerations are kept, because both
//! grow with every api-version ("extensible enums", Azure REST API guidelines).

pub mod properties;
pub mod tags;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    json::{Kept, Node},
    resource_id::{ResourceId, ResourceType},
};
use tags::Tags;

/// The members of a disk or snapshot that are read.
pub const MEMBERS: Kept = Kept::Members(&[
    ("id", Kept::Whole),
    ("type", Kept::Whole),
    ("location", Kept::Whole),
    ("managedBy", Kept::Whole),
    ("managedByExtended", Kept::Whole),
    ("tags", Kept::Whole),
    (
        "properties",
        Kept::Members(&[
            ("dataAccessAuthMode", Kept::Whole),
            ("provisioningState", Kept::Whole),
            ("diskState", Kept::Whole),
            ("networkAccessPolicy", Kept::Whole),
            ("publicNetworkAccess", Kept::Whole),
            ("diskAccessId", Kept::Whole),
            ("completionPercent", Kept::Whole),
            ("timeCreated", Kept::Whole),
            (
                "creationData",
                Kept::Members(&[("createOption", Kept::Whole), ("sourceResourceId", Kept::Whole)]),
            ),
        ]),
    ),
]);

/// Additional authentication requirements when exporting or uploading to a disk or snapshot
/// (`DataAccessAuthMode` of the disk resource provider).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub enum DataAccessAuthMode {
    /// A SAS URL works only for a caller with a Microsoft Entra identity and the data permissions.
    AzureActiveDirectory,
    /// A SAS URL alone gives access.
    None,
    /// A value that this version does not know.
    Other(String),
}

impl From<String> for DataAccessAuthMode {
    fn from(value: String) -> Self {
        [Self::AzureActiveDirectory, Self::None]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(&value))
            .unwrap_or(Self::Other(value))
    }
}

impl From<DataAccessAuthMode> for String {
    fn from(mode: DataAccessAuthMode) -> Self {
        mode.as_str().to_owned()
    }
}

impl DataAccessAuthMode {
    /// The mode of a JSON value. An absent member means `None`; what is no string is not a known mode.
    fn of(value: Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::String(text) => Self::from(text),
            other => Self::Other(other.to_string()),
        }
    }

    /// The value in ARM's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::AzureActiveDirectory => "AzureActiveDirectory",
            Self::None => "None",
            Self::Other(value) => value,
        }
    }
}

/// One disk or snapshot, as a GET or a list returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The ID with which it was requested.
    pub id: ResourceId,
    /// `location`, the region's name in ARM's spelling.
    pub location: Option<String>,
    /// `properties.dataAccessAuthMode`; ARM omits the member if it was never set; an absent
    /// member means `None`.
    pub data_access_auth_mode: DataAccessAuthMode,
    /// `properties.provisioningState`, `None` if ARM omits it, which means `Succeeded`
    /// ("Track asynchronous Azure operations").
    pub provisioning_state: Option<String>,
    /// `properties.diskState`
    pub disk_state: Option<String>,
    /// `properties.networkAccessPolicy`, if it is a string.
    pub network_access_policy: Option<String>,
    /// `properties.publicNetworkAccess`, if it is a string.
    pub public_network_access: Option<String>,
    /// Whether `properties.diskAccessId` has a value: private endpoints are chosen for exports.
    pub has_disk_access: bool,
    /// `properties.creationData.createOption`, if it is a string.
    pub create_option: Option<String>,
    /// `properties.completionPercent`, rounded down, if it is a percentage.
    pub completion_percent: Option<u8>,
    /// The machines that hold a disk: `managedBy`, and for a shared disk `managedByExtended`. None for snapshots.
    pub held_by: Vec<String>,
    /// `properties.creationData.sourceResourceId`, the disk or snapshot that it is a copy of.
    pub source: Option<String>,
    /// `properties.timeCreated`, if it is a time.
    pub time_created: Option<OffsetDateTime>,
    /// All tags of the resource.
    pub tags: Tags,
    /// The members whose values are unknown.
    pub unreadable: Vec<Member>,
}

/// A member that Azure has returned in a form that cannot be read, so that its value is unknown. An absent member and
/// `null` are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// `properties`, absent or of another type: nothing about the resource is known.
    Properties,
    /// `tags`
    Tags,
    /// `properties.provisioningState`
    ProvisioningState,
    /// `properties.diskState`
    DiskState,
    /// `properties.creationData.createOption`
    CreateOption,
    /// `properties.networkAccessPolicy` or `properties.publicNetworkAccess`
    NetworkAccess,
}

/// Why a text is not a resource of ARM: something else has answered.
#[derive(Debug, thiserror::Error)]
pub enum NotAResource {
    /// It is not JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is JSON, and has none of the members by which a resource is known.
    #[error("the answer is JSON without a resource in it")]
    Other,
}

/// The members that could be read so far.
#[derive(Default)]
struct Reader {
    unreadable: Vec<Member>,
}

impl Reader {
    /// A string; none if it is absent or `null`.
    fn text(&mut self, value: Value, member: Member) -> Option<String> {
        match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            _ => {
                self.unreadable.push(member);
                None
            }
        }
    }

    /// A string; none if it is absent, `null` or empty. Resource Graph returns an empty string where ARM omits the member.
    fn filled(&mut self, value: Value, member: Member) -> Option<String> {
        self.text(value, member).filter(|text| !text.is_empty())
    }

    fn tags(&mut self, value: Value) -> Tags {
        Tags::deserialize(value).unwrap_or_else(|_| {
            self.unreadable.push(Member::Tags);
            Tags::default()
        })
    }
}

impl Resource {
    /// Reads the body of a GET, or one element of a list. A member in an unexpected form does not hide the others: its
    /// value is unknown ([`Resource::cannot_read`]), and unknown is never a good value.
    ///
    /// # Errors
    /// The text is not JSON, or not a resource of ARM.
    pub fn from_json(id: &ResourceId, json: &[u8]) -> Result<Self, NotAResource> {
        match MEMBERS.of(json) {
            Ok(body) => Self::from_node(id, body),
            // A text that is read is no text, such as a character that was cut in half, or it is nested too deeply.
            Err(_) if is_whole(json) => Self::from_node(id, Node::Whole(json!({"properties": null}))),
            Err(error) => Err(error.into()),
        }
    }

    /// The same from JSON that was parsed before, with its [`MEMBERS`] at least, which are taken out of it.
    ///
    /// # Errors
    /// It is not a resource of ARM.
    pub fn from_node(id: &ResourceId, mut body: Node) -> Result<Self, NotAResource> {
        if !is_resource(&body) {
            return Err(NotAResource::Other);
        }
        let mut reader = Reader::default();
        let mut properties = body.take("properties");
        if !properties.is_object() {
            reader.unreadable.push(Member::Properties);
        }
        let mut creation_data = properties.take("creationData");
        let is_odd = !(creation_data.is_null() || creation_data.is_object());
        if is_odd {
            reader.unreadable.push(Member::CreateOption);
        }
        let source = if is_odd {
            vec![Value::from(creation_data.clone()).to_string()]
        } else {
            texts(taken(&mut creation_data, "sourceResourceId"))
        };
        let held_by =
            ["managedBy", "managedByExtended"].iter().flat_map(|name| texts(taken(&mut body, name)));
        let held_by = held_by.collect();
        let mut member = |name: &str| taken(&mut properties, name);
        Ok(Self {
            id: id.clone(),
            location: string(taken(&mut body, "location")),
            network_access_policy: reader.filled(member("networkAccessPolicy"), Member::NetworkAccess),
            public_network_access: reader.filled(member("publicNetworkAccess"), Member::NetworkAccess),
            has_disk_access: !texts(member("diskAccessId")).is_empty(),
            completion_percent: percentage(&member("completionPercent")),
            time_created: string(member("timeCreated"))
                .and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok()),
            provisioning_state: reader.text(member("provisioningState"), Member::ProvisioningState),
            disk_state: reader.text(member("diskState"), Member::DiskState),
            create_option: reader.text(taken(&mut creation_data, "createOption"), Member::CreateOption),
            data_access_auth_mode: if properties.is_object() {
                DataAccessAuthMode::of(taken(&mut properties, "dataAccessAuthMode"))
            } else {
                DataAccessAuthMode::Other(Value::from(properties).to_string())
            },
            held_by,
            source: source.into_iter().next_back(),
            tags: reader.tags(taken(&mut body, "tags")),
            unreadable: reader.unreadable,
        })
    }

    /// Whether Azure has returned this member in a form that cannot be read.
    pub fn cannot_read(&self, member: Member) -> bool {
        let is_of_properties = member != Member::Tags;
        self.unreadable.contains(&member)
            || (is_of_properties && self.unreadable.contains(&Member::Properties))
    }

    /// Whether it has this auth mode.
    pub fn has(&self, mode: &DataAccessAuthMode) -> bool {
        self.data_access_auth_mode == *mode
    }

    /// Whether its last write is known to have succeeded; an absent state means that it has ("Track asynchronous Azure
    /// operations").
    pub fn has_succeeded(&self) -> bool {
        match &self.provisioning_state {
            Some(state) => state.eq_ignore_ascii_case("Succeeded"),
            None => !self.cannot_read(Member::ProvisioningState),
        }
    }

    /// Whether its last write is known to have failed or to be canceled.
    pub fn has_failed(&self) -> bool {
        is_one_of(self.provisioning_state.as_deref(), &["Failed", "Canceled"])
    }

    /// Whether an earlier write is known to be in progress, so that ARM would refuse a new write with a conflict.
    pub fn is_provisioning(&self) -> bool {
        // The terminal states of "Track asynchronous Azure operations"; every other state is in progress.
        let state = self.provisioning_state.as_deref();
        state.is_some() && !is_one_of(state, &["Succeeded", "Failed", "Canceled"])
    }

    /// Whether `diskState` is one of these.
    pub fn is_in_state(&self, states: &[&str]) -> bool {
        is_one_of(self.disk_state.as_deref(), states)
    }

    /// Whether it was created with one of these options.
    pub fn is_made_by(&self, create_options: &[&str]) -> bool {
        is_one_of(self.create_option.as_deref(), create_options)
    }

    /// Whether a machine holds it, even if the machine is not named (`DiskState`).
    pub fn is_held(&self) -> bool {
        !self.held_by.is_empty() || self.is_in_state(&["Attached", "Reserved", "Frozen"])
    }

    /// Whether a machine holds it, or may hold it because its state cannot be read.
    pub fn may_be_held(&self) -> bool {
        self.is_held() || self.cannot_read(Member::DiskState)
    }

    /// Whether it is a disk that is known to be held by no machine.
    pub fn is_free_disk(&self) -> bool {
        self.id.resource_type() == ResourceType::Disk && !self.may_be_held()
    }

    /// Whether everything is named that can show its protection: the machines that hold it, and the source of which it
    /// is a copy. What is not an ID names nothing.
    pub fn names_its_relations(&self) -> bool {
        self.held_by.iter().chain(&self.source).all(|id| id.starts_with('/'))
    }

    /// Whether a SAS URL to its data is valid, other than one for an upload (`DiskState`).
    pub fn has_live_sas(&self) -> bool {
        self.is_in_state(&["ActiveSAS", "ActiveSASFrozen"])
    }

    /// Whether data is being written to the disk through an upload URL.
    pub fn is_uploading(&self) -> bool {
        self.is_in_state(&["ActiveUpload"])
    }
}

/// Compares values of Azure's enumerations, ignoring case as Azure does.
fn is_one_of(value: Option<&str>, known: &[&str]) -> bool {
    value.is_some_and(|value| known.iter().any(|known| known.eq_ignore_ascii_case(value)))
}

/// Whether a text that cannot be parsed has the form of a resource: a whole object of JSON with properties.
fn is_whole(json: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(json)
        .is_ok_and(|whole| whole.get().starts_with('{') && whole.get().contains("\"properties\""))
}

/// Whether a JSON value can be a resource of ARM: it has `properties`, or an ID or type of one. The answer to a
/// snapshot's PATCH has no `name`, so no member is required.
pub fn is_resource(body: &Node) -> bool {
    let starts = |member: &str, start: &str| {
        let text = body.text(member).and_then(|text| text.get(..start.len()));
        text.is_some_and(|text| text.eq_ignore_ascii_case(start))
    };
    body.has("properties") || starts("id", "/subscriptions/") || starts("type", "Microsoft.Compute/")
}

/// A member of an object, taken out of it; `null` if there is none.
fn taken(object: &mut Node, member: &str) -> Value {
    object.take(member).into()
}

fn string(value: Value) -> Option<String> {
    if let Value::String(text) = value { Some(text) } else { None }
}

fn percentage(value: &Value) -> Option<u8> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    (0..=100).rev().find(|percent| f64::from(*percent) <= number)
}

/// The strings of a member that is a string or a list of strings. A value of another type is kept as JSON: it is not
/// an ID, but it shows that the member has a value. Resource Graph returns an empty string where ARM omits the member.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Null => vec![],
        Value::String(text) if text.is_empty() => vec![],
        Value::String(text) => vec![text],
        Value::Array(values) => values.into_iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests;

//! Disks and snapshots as Azure Resource Manager returns them, with only the members that the policy reads.
//!
//! Unknown members are ignored, and unknown values of Azure's enumerations are kept, because both
//! grow with every api-version ("extensible enums", Azure REST API guidelines).

pub mod tags;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::resource_id::{ResourceId, ResourceType};
use tags::Tags;

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
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    location: Option<String>,
    properties: Properties,
    #[serde(default)]
    managed_by: Value,
    #[serde(default)]
    managed_by_extended: Value,
    #[serde(default)]
    tags: Option<Tags>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    data_access_auth_mode: Option<DataAccessAuthMode>,
    provisioning_state: Option<String>,
    disk_state: Option<String>,
    #[serde(default)]
    creation_data: Value,
    #[serde(default)]
    completion_percent: Value,
    time_created: Option<String>,
}

impl Resource {
    /// Reads the body of a GET, or one element of a list.
    ///
    /// # Errors
    /// The text is not JSON, or not a resource with `properties`.
    pub fn from_json(id: &ResourceId, json: &[u8]) -> Result<Self, serde_json::Error> {
        let Body { location, properties, managed_by, managed_by_extended, tags } =
            serde_json::from_slice(json)?;
        Ok(Self {
            id: id.clone(),
            location,
            data_access_auth_mode: properties.data_access_auth_mode.unwrap_or(DataAccessAuthMode::None),
            provisioning_state: properties.provisioning_state,
            disk_state: properties.disk_state,
            create_option: properties.creation_data["createOption"].as_str().map(str::to_owned),
            completion_percent: percentage(&properties.completion_percent),
            time_created: properties
                .time_created
                .and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok()),
            held_by: [managed_by, managed_by_extended].iter().flat_map(texts).collect(),
            source: texts(&properties.creation_data["sourceResourceId"]).pop(),
            tags: tags.unwrap_or_default(),
        })
    }

    /// Whether it has this auth mode.
    pub fn has(&self, mode: &DataAccessAuthMode) -> bool {
        self.data_access_auth_mode == *mode
    }

    /// Whether its last write has succeeded; an absent state means that it has ("Track asynchronous Azure operations").
    pub fn has_succeeded(&self) -> bool {
        self.provisioning_state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("Succeeded"))
    }

    /// Whether its last write has failed or was canceled.
    pub fn has_failed(&self) -> bool {
        !self.has_succeeded() && !self.is_provisioning()
    }

    /// Whether an earlier write is still in progress, so that ARM would refuse a new write with a conflict.
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

    /// Whether it is a disk that no machine holds.
    pub fn is_free_disk(&self) -> bool {
        self.id.resource_type() == ResourceType::Disk && !self.is_held()
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

fn percentage(value: &Value) -> Option<u8> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    (0..=100).rev().find(|percent| f64::from(*percent) <= number)
}

/// The strings of a member that is a string or a list of strings. A value of another type is kept as JSON: it is not
/// an ID, but it shows that the member has a value. Resource Graph returns an empty string where ARM omits the member.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null => vec![],
        Value::String(text) if text.is_empty() => vec![],
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Resource, serde_json::Error> {
        let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
        Resource::from_json(&id.parse().unwrap(), json.as_bytes())
    }

    #[test]
    fn an_absent_mode_is_none_and_an_unknown_one_is_kept() {
        for (properties, mode) in [
            ("{}", DataAccessAuthMode::None),
            (r#"{"dataAccessAuthMode":null}"#, DataAccessAuthMode::None),
            (r#"{"dataAccessAuthMode":"None"}"#, DataAccessAuthMode::None),
            (r#"{"dataAccessAuthMode":"AzureActiveDirectory"}"#, DataAccessAuthMode::AzureActiveDirectory),
            (r#"{"dataAccessAuthMode":"azureactivedirectory"}"#, DataAccessAuthMode::AzureActiveDirectory),
            (r#"{"dataAccessAuthMode":"Passkey"}"#, DataAccessAuthMode::Other("Passkey".into())),
        ] {
            let resource = read(&format!(r#"{{"properties":{properties}}}"#)).unwrap();
            assert_eq!(resource.data_access_auth_mode, mode, "{properties}");
        }
    }

    #[test]
    fn an_odd_create_option_or_percentage_is_no_failure() {
        for (properties, create_option, percent) in [
            ("{}", None, None),
            (r#"{"creationData":null,"completionPercent":null}"#, None, None),
            (r#"{"creationData":[1],"completionPercent":{}}"#, None, None),
            (r#"{"creationData":{"createOption":7},"completionPercent":"much"}"#, None, None),
            (
                r#"{"creationData":{"createOption":"Import"},"completionPercent":99.9}"#,
                Some("Import"),
                Some(99),
            ),
            (r#"{"creationData":{"createOption":"Odd"},"completionPercent":"40"}"#, Some("Odd"), Some(40)),
            (r#"{"completionPercent":-1}"#, None, None),
            (r#"{"completionPercent":1e300}"#, None, Some(100)),
        ] {
            let resource = read(&format!(r#"{{"properties":{properties}}}"#)).unwrap();
            let got = (resource.create_option.as_deref(), resource.completion_percent);
            assert_eq!(got, (create_option, percent), "{properties}");
        }
    }

    #[test]
    fn unknown_members_and_null_tags_are_tolerated() {
        let resource = read(
            "{\r\n  \"tags\": null,\r\n  \"sku\": {\"name\":\"Premium_LRS\"},\r\n  \"properties\": {\"new\":[1],\"provisioningState\":\"Updating\"}\r\n}",
        )
        .unwrap();
        assert!(resource.tags.is_empty());
        assert!(resource.is_provisioning());
    }

    #[test]
    fn what_is_no_resource_is_an_error() {
        for json in ["", "[]", "{}", "null", r#"{"properties":[]}"#, r#"{"error":{"code":"X"}}"#] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn only_terminal_states_end_provisioning() {
        for (state, provisioning) in [
            ("Succeeded", false),
            ("succeeded", false),
            ("Failed", false),
            ("Canceled", false),
            ("Updating", true),
            ("Creating", true),
            ("Deleting", true),
            ("SomethingNew", true),
        ] {
            let json = format!(r#"{{"properties":{{"provisioningState":"{state}"}}}}"#);
            assert_eq!(read(&json).unwrap().is_provisioning(), provisioning, "{state}");
        }
    }
}

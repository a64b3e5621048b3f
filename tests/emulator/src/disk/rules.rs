//! What the provider refuses in a body, before it changes anything.

use serde_json::Value;

use crate::{
    refusal::Refusal,
    resource_id::{ResourceId, ResourceKind},
    tag_rules::check_tags,
};

/// The values of `dataAccessAuthMode`.
pub(crate) const MODES: [&str; 2] = ["AzureActiveDirectory", "None"];

/// The members that a PATCH of a snapshot can set; a disk has more.
const UPDATABLE: [&str; 11] = [
    "osType",
    "diskSizeGB",
    "encryptionSettingsCollection",
    "encryption",
    "networkAccessPolicy",
    "diskAccessId",
    "supportsHibernation",
    "publicNetworkAccess",
    "dataAccessAuthMode",
    "supportedCapabilities",
    "snapshotAccessState",
];

const UPDATABLE_OF_DISKS: [&str; 11] = [
    "diskIOPSReadWrite",
    "diskMBpsReadWrite",
    "diskIOPSReadOnly",
    "diskMBpsReadOnly",
    "maxShares",
    "tier",
    "burstingEnabled",
    "purchasePlan",
    "propertyUpdatesInProgress",
    "optimizedForFrequentAttach",
    "availabilityPolicy",
];

/// Whether a PUT can be accepted.
pub(crate) fn check_put(id: &ResourceId, sent: &Value, exists: bool) -> Result<(), Refusal> {
    check_name(id)?;
    if sent["location"].as_str().is_none_or(str::is_empty) {
        return Err(Refusal::new(
            400,
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    }
    if !exists && sent["properties"]["creationData"].is_null() {
        let message = "Required parameter 'creationData' is missing (null).";
        return Err(Refusal::new(400, "InvalidParameter", message).with_target("creationData"));
    }
    check_values(&sent["properties"])?;
    check_tags(&sent["tags"])
}

/// Whether a PATCH can be accepted. An unknown member is refused, so that a misspelt one does not go
/// unnoticed; the text is approximated.
pub(crate) fn check_patch(kind: ResourceKind, sent: &Value) -> Result<(), Refusal> {
    let unknown = |name: &str, owner: &str| {
        let message = format!("Could not find member '{name}' on object of type '{owner}'");
        Err(Refusal::new(400, "BadRequest", &message).with_target(name))
    };
    let (owner, more): (&str, &[&str]) = match kind {
        ResourceKind::Disk => ("DiskUpdate", &UPDATABLE_OF_DISKS),
        ResourceKind::Snapshot => ("SnapshotUpdate", &[]),
    };
    for name in sent.as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
        if !["properties", "tags", "sku"].contains(&name) {
            return unknown(name, owner);
        }
    }
    for name in sent["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
        if !UPDATABLE.contains(&name) && !more.contains(&name) {
            return unknown(name, owner);
        }
    }
    check_values(&sent["properties"])?;
    check_tags(&sent["tags"])
}

fn check_values(properties: &Value) -> Result<(), Refusal> {
    const CHOICES: [(&str, &[&str]); 3] = [
        ("dataAccessAuthMode", &MODES),
        ("networkAccessPolicy", &["AllowAll", "AllowPrivate", "DenyAll"]),
        ("publicNetworkAccess", &["Enabled", "Disabled"]),
    ];
    for (name, values) in CHOICES {
        let value = &properties[name];
        let known =
            value.as_str().is_some_and(|text| values.iter().any(|known| known.eq_ignore_ascii_case(text)));
        if !value.is_null() && !known {
            return Err(Refusal::invalid_parameter(name, value.as_str().unwrap_or(&value.to_string())));
        }
    }
    check_access(properties)
}

/// Whether the members of a resource after a write agree, whichever of them was sent.
pub(crate) fn check_together(body: &Value) -> Result<(), Refusal> {
    check_access(&body["properties"])
}

/// A disk access resource goes with `AllowPrivate` alone (Azure/azure-cli #28510).
fn check_access(properties: &Value) -> Result<(), Refusal> {
    let private = properties["networkAccessPolicy"].as_str().is_none_or(|policy| policy == "AllowPrivate");
    if !properties["diskAccessId"].is_null() && !private {
        return Err(Refusal::conflicting_user_input());
    }
    Ok(())
}

fn check_name(id: &ResourceId) -> Result<(), Refusal> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if id.name.len() <= 80 && id.name.chars().all(allowed) {
        return Ok(());
    }
    let message =
        format!("The resource name '{}' is invalid: letters, digits, '_', '-', '.', at most 80.", id.name);
    Err(Refusal::new(400, "InvalidResourceName", &message).with_target("name"))
}

//! The body of a disk or snapshot: how the provider completes what a client sends.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    clock::timestamp,
    resource_id::{ResourceId, ResourceKind},
};

mod patch;
mod rules;

pub(crate) use patch::{patched, set_tags};
pub(crate) use rules::{check_patch, check_put, check_together};

/// The body of a PUT that creates a plain empty disk of 200 GiB, like the portal or a script.
pub fn disk_body(location: &str) -> Value {
    json!({
        "location": location,
        "sku": {"name": "Standard_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 200}
    })
}

/// The body of a PUT that creates a snapshot of a disk.
pub fn snapshot_body(location: &str, source: &str) -> Value {
    json!({
        "location": location,
        "sku": {"name": "Standard_LRS"},
        "properties": {
            "creationData": {"createOption": "Copy", "sourceResourceId": source},
            "diskSizeGB": 200,
            "incremental": true
        }
    })
}

/// The order of the members of `properties`. Other members of the request come after the creation data.
const ORDER: [&str; 22] = [
    "creationData",
    "diskSizeGB",
    "diskIOPSReadWrite",
    "diskMBpsReadWrite",
    "encryption",
    "incremental",
    "maxShares",
    "networkAccessPolicy",
    "diskAccessId",
    "publicNetworkAccess",
    "dataAccessAuthMode",
    "timeCreated",
    "provisioningState",
    "diskState",
    "diskSizeBytes",
    "uniqueId",
    "tier",
    "completionPercent",
    "burstingEnabled",
    "purchasePlan",
    "supportsHibernation",
    "supportedCapabilities",
];

/// The result of a PUT: everything that was sent, and what the provider adds. Members that were not sent are
/// removed, even if an earlier PUT or PATCH set them.
pub(crate) fn created(id: &ResourceId, sent: &Value, existing: Option<&Value>, now: OffsetDateTime) -> Value {
    let mut properties = sent["properties"].as_object().cloned().unwrap_or_default();
    let kept = existing.map_or(&Value::Null, |body| &body["properties"]);
    let premium = sent["sku"]["name"].as_str().is_some_and(|name| name.starts_with("Premium"));
    let size = properties.get("diskSizeGB").or(kept.get("diskSizeGB")).and_then(Value::as_u64).unwrap_or(32);
    let mut add = |name: &str, value: Value| {
        properties.entry(name).or_insert(value);
    };
    add("creationData", kept["creationData"].clone());
    add("diskSizeGB", json!(size));
    if id.kind == ResourceKind::Disk {
        add("diskIOPSReadWrite", json!(if premium { 120 } else { 500 }));
        add("diskMBpsReadWrite", json!(if premium { 25 } else { 60 }));
        if premium {
            add("tier", json!(tier(size)));
        }
    } else {
        add("incremental", json!(false));
    }
    add("encryption", json!({"type": "EncryptionAtRestWithPlatformKey"}));
    add("networkAccessPolicy", json!("AllowAll"));
    add("publicNetworkAccess", json!("Enabled"));
    let state = match properties.get("creationData").and_then(|data| data["createOption"].as_str()) {
        Some("Upload" | "UploadPreparedSecure") => "ReadyToUpload",
        _ => "Unattached",
    };
    let own = [
        ("timeCreated", json!(timestamp(now))),
        ("diskState", json!(state)),
        ("uniqueId", json!(uuid::Uuid::new_v4().to_string())),
    ];
    for (name, fresh) in own {
        let value = kept.get(name).cloned().unwrap_or(fresh);
        properties.insert(name.to_owned(), value);
    }
    properties.insert("diskSizeBytes".to_owned(), json!(size << 30));
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    fold_mode(&mut properties);
    let mut body = heading(id, true);
    body.insert("location".to_owned(), sent["location"].clone());
    copy(&mut body, existing.unwrap_or(&Value::Null), &["managedBy", "managedByExtended"]);
    copy(&mut body, sent, &["tags", "zones", "extendedLocation"]);
    body.insert("sku".to_owned(), sku(sent["sku"]["name"].as_str().unwrap_or("Standard_LRS")));
    body.insert("properties".to_owned(), Value::Object(ordered(properties)));
    Value::Object(body)
}

/// The 202 of a PUT: only what was sent.
pub(crate) fn accepted_put(id: &ResourceId, sent: &Value) -> Value {
    let mut body = heading(id, true);
    copy(&mut body, sent, &["location", "tags", "sku"]);
    let mut properties = sent["properties"].as_object().cloned().unwrap_or_default();
    fold_mode(&mut properties);
    properties.insert("provisioningState".to_owned(), json!("Updating"));
    body.insert("properties".to_owned(), Value::Object(ordered(properties)));
    Value::Object(body)
}

/// The 202 of a PATCH: a part of the resource, with what was sent. A snapshot's has no name.
pub(crate) fn accepted_patch(id: &ResourceId, current: &Value, sent: &Value) -> Value {
    let mut body = heading(id, id.kind == ResourceKind::Disk);
    copy(&mut body, current, &["location"]);
    copy(&mut body, sent, &["tags"]);
    copy(&mut body, current, &["sku"]);
    let mut properties = Map::new();
    copy(&mut properties, &current["properties"], &["creationData", "diskSizeGB"]);
    properties.extend(sent["properties"].as_object().cloned().unwrap_or_default());
    fold_mode(&mut properties);
    properties.insert("provisioningState".to_owned(), json!("Updating"));
    body.insert("properties".to_owned(), Value::Object(ordered(properties)));
    Value::Object(body)
}

fn heading(id: &ResourceId, with_name: bool) -> Map<String, Value> {
    let mut body = Map::new();
    if with_name {
        body.insert("name".to_owned(), json!(id.name));
    }
    body.insert("id".to_owned(), json!(id.to_string()));
    body.insert("type".to_owned(), json!(id.kind.type_name()));
    body
}

fn copy(into: &mut Map<String, Value>, from: &Value, names: &[&str]) {
    for name in names {
        if let Some(value) = from.get(name).filter(|value| !value.is_null()) {
            into.insert((*name).to_owned(), value.clone());
        }
    }
}

fn ordered(properties: Map<String, Value>) -> Map<String, Value> {
    let place = |name: &str| ORDER.iter().position(|known| *known == name).map_or(1, |place| 2 * place);
    let mut members: Vec<_> = properties.into_iter().filter(|(_, value)| !value.is_null()).collect();
    members.sort_by_key(|(name, _)| place(name));
    members.into_iter().collect()
}

/// Enumerations are read in any case and stored in their canonical one.
fn fold_mode(properties: &mut Map<String, Value>) {
    if let Some(mode) = properties.get_mut("dataAccessAuthMode") {
        let known = rules::MODES
            .into_iter()
            .find(|known| mode.as_str().is_some_and(|m| m.eq_ignore_ascii_case(known)));
        if let Some(known) = known {
            *mode = json!(known);
        }
    }
}

fn sku(name: &str) -> Value {
    let tier = match name {
        name if name.starts_with("Premium") => "Premium",
        name if name.starts_with("Ultra") => "Ultra",
        _ => "Standard",
    };
    json!({"name": name, "tier": tier})
}

/// The performance tier of a premium disk: the smallest one that fits its size.
fn tier(size: u64) -> &'static str {
    const TIERS: [(u64, &str); 13] = [
        (4, "P1"),
        (8, "P2"),
        (16, "P3"),
        (32, "P4"),
        (64, "P6"),
        (128, "P10"),
        (256, "P15"),
        (512, "P20"),
        (1024, "P30"),
        (2048, "P40"),
        (4096, "P50"),
        (8192, "P60"),
        (16384, "P70"),
    ];
    TIERS.iter().find(|(most, _)| size <= *most).map_or("P80", |(_, tier)| tier)
}

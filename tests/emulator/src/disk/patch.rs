//! The effect of a PATCH: properties are merged, tags are replaced as a whole.

use serde_json::{Map, Value, json};

use super::{fold_mode, ordered, sku};

/// The resource after a PATCH. `properties` follow the JSON merge patch of RFC 7396; tags, if given, replace
/// the whole set.
pub(crate) fn patched(current: &Value, sent: &Value) -> Value {
    let mut body = current.clone();
    if let Some(tags) = sent.get("tags").filter(|tags| !tags.is_null()) {
        set_tags(&mut body, tags.as_object().cloned().unwrap_or_default());
    }
    if let Some(name) = sent["sku"]["name"].as_str() {
        body["sku"] = sku(name);
    }
    if let Some(changes) = sent.get("properties") {
        merge(&mut body["properties"], changes);
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        let size = properties.get("diskSizeGB").and_then(Value::as_u64).unwrap_or(0);
        properties.insert("diskSizeBytes".to_owned(), json!(size << 30));
        fold_mode(properties);
        *properties = ordered(std::mem::take(properties));
    }
    body
}

/// Puts tags where the provider writes them: after the location.
pub(crate) fn set_tags(body: &mut Value, tags: Map<String, Value>) {
    let Some(members) = body.as_object_mut() else { return };
    members.shift_remove("tags");
    let place = members.keys().position(|name| name == "location").map_or(members.len(), |place| place + 1);
    members.shift_insert(place, "tags".to_owned(), Value::Object(tags));
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.shift_remove(name);
        } else {
            merge(members.entry(name.as_str()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_merged_and_tags_are_replaced() {
        let current = json!({
            "location": "westeurope", "tags": {"env": "dev"}, "sku": {"name": "Standard_LRS"},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4, "diskAccessId": "x"}
        });
        let mode = json!({"properties": {"dataAccessAuthMode": "azureactivedirectory"}});
        let after = patched(&current, &mode);
        assert_eq!(after["tags"], json!({"env": "dev"}), "absent tags stay");
        assert_eq!(after["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
        let after = patched(&current, &json!({"tags": {"a": "b"}, "properties": {"diskAccessId": null}}));
        assert_eq!(after["tags"], json!({"a": "b"}));
        assert!(after["properties"].get("diskAccessId").is_none());
        assert_eq!(after["properties"]["creationData"]["createOption"], "Empty");
        assert_eq!(patched(&current, &json!({"tags": {}}))["tags"], json!({}), "an empty set clears");
    }
}

//! Swagger 2.0 schema objects as closed JSON Schemas: a member that a definition lacks is a fault.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::{document::Documents, exceptions};

/// Who wrote the judged value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// A client: read-only members are unknown.
    Request,
    /// The service, in full.
    Answer,
    /// The service in a 202, which carries a part of the resource: nothing is required.
    Partial,
}

/// Compiles the schema `value` of `file`.
pub(super) fn compile(
    documents: &mut Documents,
    file: &Path,
    value: &Value,
    side: Side,
) -> Result<Validator, String> {
    let mut conversion = Conversion { documents, side, done: Map::new() };
    let root = conversion.schema(file, value)?;
    let bundle = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "allOf": [root],
        "definitions": conversion.done,
    });
    validator(&bundle)
}

/// Compiles a JSON Schema.
pub(super) fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::draft4::options()
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| format!("not a schema: {error}"))
}

/// Every fault of a value, as a JSON pointer and a description.
pub(super) fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator
        .iter_errors(value)
        .map(|error| {
            let pointer = error.instance_path().to_string();
            let pointer = if pointer.is_empty() { "/" } else { pointer.as_str() };
            format!("{pointer}: {error}")
        })
        .collect()
}

struct Conversion<'a> {
    documents: &'a mut Documents,
    side: Side,
    /// The definitions that are converted or in conversion: they refer to each other and to themselves.
    done: Map<String, Value>,
}

/// The members of an object, including its ancestors' (`allOf`).
#[derive(Default)]
struct Members {
    named: Vec<(String, PathBuf, String, Value)>,
    required: BTreeSet<String>,
    others: Option<(PathBuf, Value)>,
    /// Whether there are descendants with their own members.
    is_base: bool,
}

impl Conversion<'_> {
    fn schema(&mut self, file: &Path, value: &Value) -> Result<Value, String> {
        if let Some(reference) = value["$ref"].as_str() {
            return self.reference(file, reference);
        }
        self.inline(file, "", value)
    }

    fn reference(&mut self, file: &Path, reference: &str) -> Result<Value, String> {
        let part = self.documents.resolve(file, reference)?;
        // No separators in a name, as it becomes part of a pointer.
        let key = part.name.replace('/', ":");
        if !self.done.contains_key(&key) {
            self.done.insert(key.clone(), Value::Null);
            let schema = self.inline(&part.file, &part.name, &part.value)?;
            self.done.insert(key.clone(), schema);
        }
        Ok(json!({"$ref": format!("#/definitions/{key}")}))
    }

    fn inline(&mut self, file: &Path, name: &str, value: &Value) -> Result<Value, String> {
        if value.get("properties").is_some() || value.get("allOf").is_some() {
            return self.object(file, name, value);
        }
        let mut schema = Map::new();
        for keyword in COPIED {
            if let Some(given) = value.get(*keyword) {
                schema.insert((*keyword).to_owned(), given.clone());
            }
        }
        if let Some(items) = value.get("items") {
            schema.insert("items".to_owned(), self.schema(file, items)?);
        }
        if let Some(others) = value.get("additionalProperties").filter(|others| others.is_object()) {
            schema.insert("additionalProperties".to_owned(), self.schema(file, others)?);
        }
        match value["format"].as_str() {
            Some("date-time") => {
                schema.insert("format".to_owned(), json!("date-time"));
            }
            Some("int32") => {
                schema.entry("minimum").or_insert(json!(i32::MIN));
                schema.entry("maximum").or_insert(json!(i32::MAX));
            }
            _ => {}
        }
        Ok(Value::Object(schema))
    }

    fn object(&mut self, file: &Path, name: &str, value: &Value) -> Result<Value, String> {
        let mut members = Members::default();
        self.collect(file, name, value, &mut members)?;
        let mut properties = Map::new();
        for (member, file, definition, schema) in &members.named {
            if self.side == Side::Request && schema["readOnly"] == true {
                members.required.remove(member);
                continue;
            }
            let schema = match exceptions::instead(definition, member) {
                Some(instead) => instead,
                None => self.schema(file, schema)?,
            };
            properties.insert(member.clone(), schema);
        }
        let mut object = json!({"type": "object", "properties": properties});
        object["additionalProperties"] = match &members.others {
            Some((file, others)) => self.schema(file, others)?,
            None => json!(members.is_base),
        };
        if self.side != Side::Partial && !members.required.is_empty() {
            object["required"] = json!(members.required);
        }
        Ok(object)
    }

    fn collect(&mut self, file: &Path, name: &str, value: &Value, into: &mut Members) -> Result<(), String> {
        for ancestor in value["allOf"].as_array().into_iter().flatten() {
            match ancestor["$ref"].as_str() {
                Some(reference) => {
                    let part = self.documents.resolve(file, reference)?;
                    self.collect(&part.file, &part.name, &part.value, into)?;
                    // The value is the descendant, which is closed.
                    into.is_base = false;
                }
                None => self.collect(file, name, ancestor, into)?,
            }
        }
        for (member, schema) in value["properties"].as_object().into_iter().flatten() {
            into.named.retain(|(known, ..)| known != member);
            into.named.push((member.clone(), file.to_owned(), name.to_owned(), schema.clone()));
        }
        let required = value["required"].as_array().into_iter().flatten();
        into.required.extend(required.filter_map(Value::as_str).map(str::to_owned));
        if let Some(others) = value.get("additionalProperties").filter(|others| others.is_object()) {
            into.others = Some((file.to_owned(), others.clone()));
        }
        into.is_base |= value.get("discriminator").is_some();
        Ok(())
    }
}

/// Keywords with the same meaning in both. Enumerations stay closed even if they allow new values
/// (`modelAsString`): the judged version has none.
const COPIED: &[&str] = &[
    "type",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "uniqueItems",
];

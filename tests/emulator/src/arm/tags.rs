//! The tags API: the only way to write tags that cannot erase concurrent changes.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    Emulator,
    answer::Answer,
    context::Context,
    operation::{Change, TagChange},
    options::TagsStyle,
    refusal::Refusal,
    resource_id::ResourceId,
    tag_rules::check_tags,
};

impl Emulator {
    pub(super) fn get_tags(&self, id: &ResourceId) -> Result<Answer, Refusal> {
        let state = self.inner.state.lock();
        let stored = state.resources.get(&id.key()).ok_or_else(Refusal::resource_not_found)?;
        Ok(Answer::json(StatusCode::OK, &tags_resource(&stored.id.to_string(), &stored.body["tags"])))
    }

    /// The tags of a scope that is neither a disk nor a snapshot. It is assumed to exist.
    pub(super) fn get_scope_tags(&self, scope: &str) -> Answer {
        let state = self.inner.state.lock();
        let tags = state.scope_tags.get(&scope.to_ascii_lowercase()).cloned().unwrap_or_default();
        Answer::json(StatusCode::OK, &tags_resource(scope, &Value::Object(tags)))
    }

    pub(super) fn write_scope_tags(&self, context: &Context, scope: &str) -> Result<Answer, Refusal> {
        let (change, given) = read_change(context)?;
        let mut state = self.inner.state.lock();
        let tags = state.scope_tags.entry(scope.to_ascii_lowercase()).or_default();
        let after = change.of(tags.clone(), &given);
        check_tags(&Value::Object(after.clone()))?;
        tags.clone_from(&after);
        Ok(Answer::json(StatusCode::OK, &tags_resource(scope, &Value::Object(after))))
    }

    pub(super) fn write_tags(&self, context: &Context, id: &ResourceId) -> Result<Answer, Refusal> {
        let (change, given) = read_change(context)?;
        let stored = {
            let state = self.inner.state.lock();
            let stored = state.resources.get(&id.key()).ok_or_else(Refusal::resource_not_found)?;
            let mut after = change.of(stored.body["tags"].as_object().cloned().unwrap_or_default(), &given);
            // What a resource has already is not checked again, whatever its form.
            after.retain(|name, value| value.is_string() || given.contains_key(name));
            check_tags(&Value::Object(after))?;
            stored.id.clone()
        };
        let write = context.write(tags_id(&stored.to_string()));
        let change = Change::Tags(change, given);
        match self.inner.options.tags {
            TagsStyle::Merged => {
                let body = self.apply_now(&stored, &change, write)?;
                if context.request.method == "DELETE" {
                    return Ok(Answer::empty(StatusCode::OK));
                }
                let tags = body.map(|body| body["tags"].clone()).unwrap_or_default();
                Ok(Answer::json(StatusCode::OK, &tags_resource(&stored.to_string(), &tags)))
            }
            TagsStyle::BrokenPoll => {
                let operation = self.start(context, &stored, change, Some(write));
                let location = self.operation_url(context, &operation, true);
                Ok(Answer::empty(StatusCode::ACCEPTED).with("location", &location))
            }
        }
    }
}

/// The operation and the tags of the request.
fn read_change(context: &Context) -> Result<(TagChange, Map<String, Value>), Refusal> {
    let method = context.request.method.as_str();
    if method == "DELETE" {
        return Ok((TagChange::Replace, Map::new()));
    }
    let body = context.body()?;
    let tags = &body["properties"]["tags"];
    check_tags(tags)?;
    let change = match (method, body["operation"].as_str()) {
        ("PUT", _) => TagChange::Replace,
        (_, Some(word)) if word.eq_ignore_ascii_case("merge") => TagChange::Merge,
        (_, Some(word)) if word.eq_ignore_ascii_case("replace") => TagChange::Replace,
        (_, Some(word)) if word.eq_ignore_ascii_case("delete") => TagChange::Delete,
        (_, word) => {
            let message = format!("The tags operation '{}' is invalid.", word.unwrap_or_default());
            return Err(Refusal::new(400, "InvalidTagsPatchOperation", &message));
        }
    };
    Ok((change, tags.as_object().cloned().unwrap_or_default()))
}

fn tags_id(id: &str) -> String {
    format!("{id}/providers/Microsoft.Resources/tags/default")
}

fn tags_resource(id: &str, tags: &Value) -> Value {
    let tags = if tags.is_null() { json!({}) } else { tags.clone() };
    json!({
        "id": tags_id(id),
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": tags}
    })
}

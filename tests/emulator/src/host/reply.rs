//! The handler's reply, and how the host interprets it.

use serde_json::{Map, Value};

/// A reply as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawReply {
    /// The HTTP status.
    pub status: u16,
    /// The header `Content-Type`, if there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The handler succeeded and its outputs were accepted.
    Succeeded,
    /// The invocation failed.
    Failed(Failure),
    /// An empty 2xx: the host waits until `functionTimeout`, then kills the handler.
    Hung,
    /// The handler did not answer within `functionTimeout` and was killed.
    TimedOut,
}

/// Why an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection was refused or broke.
    Connection(String),
    /// The status was not 2xx. The body and its logs are lost.
    Status(u16),
    /// The content type of the body is not JSON.
    MediaType(Option<String>),
    /// The body is not a JSON object.
    InvalidJson(String),
    /// An output could not be bound: the name of the binding and the fault.
    Output(String, String),
    /// The trigger's value cannot be bound to this function.
    Trigger(String),
    /// The host has shut down, or the handler did not become ready.
    HostDown(String),
}

/// The parts of a reply that the host uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) outputs: Map<String, Value>,
    pub(super) return_value: Value,
    pub(super) logs: Vec<String>,
}

/// The host's reading of a reply before it binds the outputs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judgement {
    Answered(Answer),
    Failed(Failure),
    /// The result is null, so the invocation never completes.
    Hung,
}

pub(super) fn judge(reply: &RawReply) -> Judgement {
    if !(200..300).contains(&reply.status) {
        return Judgement::Failed(Failure::Status(reply.status));
    }
    // A missing body counts as null, with any content type.
    if reply.body.is_empty() {
        return Judgement::Hung;
    }
    let media_type = reply.content_type.as_deref().and_then(|value| value.split(';').next()).map(str::trim);
    let is_json = media_type.is_some_and(|name| {
        ["application/json", "text/json"].iter().any(|json| name.eq_ignore_ascii_case(json))
    });
    if !is_json {
        return Judgement::Failed(Failure::MediaType(reply.content_type.clone()));
    }
    match serde_json::from_slice(&reply.body) {
        Ok(Value::Null) => Judgement::Hung,
        Ok(Value::Object(object)) => answer(object).map_or_else(Judgement::Failed, Judgement::Answered),
        Ok(_) => Judgement::Failed(Failure::InvalidJson("not an object".to_owned())),
        Err(error) => Judgement::Failed(Failure::InvalidJson(error.to_string())),
    }
}

/// Reads the three properties, whose names can have any case. All are optional.
fn answer(object: Map<String, Value>) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    for (key, value) in object {
        let wrong = || Failure::InvalidJson(format!("{key} has the wrong type"));
        match (key.to_ascii_lowercase().as_str(), value) {
            ("outputs" | "logs", Value::Null) => {}
            ("outputs", Value::Object(outputs)) => answer.outputs = outputs,
            ("logs", Value::Array(logs)) => {
                answer.logs = logs.into_iter().map(log).collect::<Option<_>>().ok_or_else(wrong)?;
            }
            ("outputs" | "logs", _) => return Err(wrong()),
            ("returnvalue", value) => answer.return_value = value,
            _ => {}
        }
    }
    Ok(answer)
}

/// Newtonsoft reads scalars as strings.
fn log(value: Value) -> Option<String> {
    match value {
        Value::String(line) => Some(line),
        Value::Array(_) | Value::Object(_) => None,
        scalar => Some(scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, content_type: Option<&str>, body: &str) -> Judgement {
        let content_type = content_type.map(str::to_owned);
        judge(&RawReply { status, content_type, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn replies_are_judged_as_the_host_does() {
        let json = Some("application/json; charset=utf-8");
        for body in ["{}", r#"{"key1":"value1"}"#, r#"{"Outputs":null,"Logs":null,"ReturnValue":null}"#] {
            assert!(matches!(verdict(200, json, body), Judgement::Answered(_)), "{body}");
        }
        assert!(matches!(verdict(299, Some("Text/JSON"), "{}"), Judgement::Answered(_)));
        for (status, body) in [(200, ""), (204, ""), (200, "null")] {
            assert_eq!(verdict(status, json, body), Judgement::Hung, "{status} {body}");
        }
        assert_eq!(verdict(200, None, ""), Judgement::Hung);
        for content_type in [None, Some("text/plain"), Some("application/problem+json")] {
            let wrong = Failure::MediaType(content_type.map(str::to_owned));
            assert_eq!(verdict(200, content_type, "{}"), Judgement::Failed(wrong));
        }
        for body in ["{", "[]", "4", r#"{"Outputs":[]}"#, r#"{"Logs":"x"}"#] {
            let judged = verdict(200, json, body);
            assert!(matches!(judged, Judgement::Failed(Failure::InvalidJson(_))), "{body}");
        }
        for status in [302, 400, 500] {
            assert_eq!(verdict(status, json, "{}"), Judgement::Failed(Failure::Status(status)));
        }
    }

    #[test]
    fn property_names_may_have_any_case_and_output_names_keep_theirs() {
        let reply = r#"{"outputs":{"Pending":1},"LOGS":["a",2],"returnValue":"r"}"#;
        let Judgement::Answered(answer) = verdict(200, Some("application/json"), reply) else { panic!() };
        assert_eq!(answer.outputs["Pending"], 1);
        assert_eq!(answer.logs, ["a", "2"]);
        assert_eq!(answer.return_value, "r");
    }
}

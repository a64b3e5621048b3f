//! The handler's reply, and how the host interprets it.

use super::json::Token;

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
    /// A 2xx that is empty, blank or null: the host waits until `functionTimeout`, then kills the handler.
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
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) outputs: Vec<(String, Token)>,
    pub(super) return_value: Token,
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

/// `DefaultHttpWorkerService` and `HttpContent.ReadAsAsync` (`System.Net.Http.Formatting`). Redirects were followed
/// before. XML, which the real host reads as well, fails here.
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
    let invalid = |error: &dyn std::fmt::Display| Judgement::Failed(Failure::InvalidJson(error.to_string()));
    let text = match std::str::from_utf8(&reply.body) {
        Ok(text) => text.trim_start_matches('\u{feff}'),
        Err(error) => return invalid(&error),
    };
    match Token::read_first(text) {
        Ok(None | Some(Token::Null)) => Judgement::Hung,
        Ok(Some(Token::Object(members))) => {
            answer(members).map_or_else(Judgement::Failed, Judgement::Answered)
        }
        Ok(Some(_)) => invalid(&"not an object"),
        Err(error) => invalid(&error),
    }
}

/// Reads the three properties, whose names can have any case. All are optional, and of two the last counts.
fn answer(members: Vec<(String, Token)>) -> Result<Answer, Failure> {
    let mut answer = Answer { outputs: Vec::new(), return_value: Token::Null, logs: Vec::new() };
    for (name, value) in members {
        let wrong = || Failure::InvalidJson(format!("{name} has the wrong type"));
        match (name.to_ascii_lowercase().as_str(), value) {
            ("outputs" | "logs", Token::Null) => {}
            ("outputs", Token::Object(outputs)) => answer.outputs = outputs,
            ("logs", Token::Array(logs)) => {
                answer.logs = logs.iter().map(log).collect::<Option<_>>().ok_or_else(wrong)?;
            }
            ("outputs" | "logs", _) => return Err(wrong()),
            ("returnvalue", value) => answer.return_value = value,
            _ => {}
        }
    }
    Ok(answer)
}

/// Newtonsoft reads scalars as texts, and the logger shows null as `[null]`.
fn log(value: &Token) -> Option<String> {
    match value {
        Token::Text(line) => Some(line.clone()),
        Token::Null => Some("[null]".to_owned()),
        Token::Array(_) | Token::Object(_) => None,
        Token::Float(_) => Some(value.display()),
        scalar => Some(scalar.compact()),
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
        for (status, body) in [(200, ""), (204, ""), (200, "null"), (200, "  ")] {
            assert_eq!(verdict(status, json, body), Judgement::Hung, "{status} {body}");
        }
        assert_eq!(verdict(200, None, ""), Judgement::Hung);
        for content_type in [None, Some("text/plain"), Some("application/problem+json")] {
            let wrong = Failure::MediaType(content_type.map(str::to_owned));
            assert_eq!(verdict(200, content_type, "{}"), Judgement::Failed(wrong));
        }
        for body in ["{} x", "{}{}", "\u{feff}{}", "/*c*/{}", "{'Outputs':{}}"] {
            assert!(matches!(verdict(200, json, body), Judgement::Answered(_)), "{body}");
        }
        let failing = ["{", "[]", "4", "<html/>", r#"{"Outputs":[]}"#, r#"{"Logs":"x"}"#, r#"{"Logs":[{}]}"#];
        for body in failing {
            let judged = verdict(200, json, body);
            assert!(matches!(judged, Judgement::Failed(Failure::InvalidJson(_))), "{body}");
        }
        for status in [302, 400, 500] {
            assert_eq!(verdict(status, json, "{}"), Judgement::Failed(Failure::Status(status)));
        }
    }

    #[test]
    fn property_names_may_have_any_case_and_output_names_keep_theirs() {
        let reply = r#"{"outputs":{"Pending":1},"LOGS":["a",2,null,true],"returnValue":"r"}"#;
        let Judgement::Answered(answer) = verdict(200, Some("application/json"), reply) else { panic!() };
        assert_eq!(answer.outputs, [("Pending".to_owned(), Token::Integer("1".to_owned()))]);
        assert_eq!(answer.logs, ["a", "2", "[null]", "true"]);
        assert_eq!(answer.return_value, Token::Text("r".to_owned()));
        let Judgement::Answered(answer) =
            verdict(200, Some("application/json"), r#"{"Logs":["a"],"logs":["b"]}"#)
        else {
            panic!()
        };
        assert_eq!(answer.logs, ["b"]);
    }
}

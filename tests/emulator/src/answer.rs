//! A response before it reaches a transport, and JSON as the Compute provider formats it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

/// Status, headers and body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// How the transport delivers a response.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    /// Sends it.
    Whole(Answer),
    /// Announces the full length, sends half of it, and breaks the connection.
    Half(Answer),
    /// Sends it without its length, and then blanks without end.
    Endless(Answer),
    /// Breaks the connection without a response.
    Reset,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Vec::new() }
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", crlf(body))
    }

    pub(crate) fn text(status: StatusCode, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut answer = Self::empty(status);
        answer.body = body.into();
        answer.set("content-type", content_type);
        answer
    }

    /// Sets a header. A value that no header can carry is omitted.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }
}

/// Two spaces of indent and CRLF, without a line break at the end. Line feeds inside strings are escaped in
/// JSON, so every raw one is a line break.
pub(crate) fn crlf(value: &Value) -> String {
    format!("{value:#}").replace('\n', "\r\n")
}

/// The status of an ended operation. The resource in it is not indented, as it was formatted when it was
/// stored.
pub(crate) fn crlf_with_output(status: &Value, output: &Value) -> String {
    const PLACE: &str = "\u{1}";
    let mut status = status.clone();
    status["properties"]["output"] = Value::String(PLACE.to_owned());
    if let Some(name) = status.as_object_mut().and_then(|members| members.shift_remove("name")) {
        status["name"] = name;
    }
    crlf(&status).replace(&Value::from(PLACE).to_string(), &crlf(output))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_output_of_an_operation_is_spliced_in_without_indent() {
        let text = crlf_with_output(&json!({"status": "Succeeded", "name": "n"}), &json!({"a": {"b": 1}}));
        assert_eq!(
            text,
            "{\r\n  \"status\": \"Succeeded\",\r\n  \"properties\": {\r\n    \"output\": {\r\n  \"a\": {\r\n    \
             \"b\": 1\r\n  }\r\n}\r\n  },\r\n  \"name\": \"n\"\r\n}"
        );
    }
}

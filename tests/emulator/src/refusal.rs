//! Azure's error responses, each in its observed shape.
//!
//! Messages can have placeholders for values of the refused request: `{id}`, `{name}`, `{type}`, `{group}`,
//! `{subscription}`, `{action}`, `{verb}`, `{oid}` and `{appid}`.

use std::{borrow::Cow, fmt};

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::answer::Answer;

mod catalogue;

/// A response other than success.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: u16,
    body: Value,
    headers: Vec<(Cow<'static, str>, String)>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.body.get("error").unwrap_or(&self.body);
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        write!(out, "{} {}: {}", self.status, text("code"), text("message"))
    }
}

impl std::error::Error for Refusal {}

/// The values of the request that a refusal can name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) group: String,
    pub(crate) subscription: String,
    pub(crate) action: String,
    pub(crate) verb: &'static str,
    pub(crate) object_id: String,
    pub(crate) app_id: String,
}

impl Refusal {
    /// A refusal in Resource Manager's envelope: `{"error": {"code", "message"}}`.
    pub fn new(status: u16, code: &str, message: &str) -> Self {
        Self::from_body(status, json!({"error": {"code": code, "message": message}}))
    }

    /// A refusal whose body has no known envelope.
    pub fn from_body(status: u16, body: Value) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    /// The status of the response.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The same with an additional header; the name is in lower case.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same without this header; the name is in lower case.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// The same with `error.target`.
    #[must_use]
    pub fn with_target(mut self, target: &str) -> Self {
        self.body["error"]["target"] = Value::from(target);
        self
    }

    pub(crate) fn answer(&self, subject: &Subject) -> Answer {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = Answer::json(status, &subject.fill(&self.body));
        for (name, value) in &self.headers {
            let (name, value) = (HeaderName::try_from(name.as_ref()), HeaderValue::from_str(value));
            if let (Ok(name), Ok(value)) = (name, value) {
                answer.headers.insert(name, value);
            }
        }
        answer
    }
}

impl Subject {
    fn fill(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => Value::String(self.fill_text(text)),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect())
            }
            other => other.clone(),
        }
    }

    fn fill_text(&self, text: &str) -> String {
        [
            ("{id}", self.id.as_str()),
            ("{name}", &self.name),
            ("{type}", &self.type_name),
            ("{group}", &self.group),
            ("{subscription}", &self.subscription),
            ("{action}", &self.action),
            ("{verb}", self.verb),
            ("{oid}", &self.object_id),
            ("{appid}", &self.app_id),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
    }
}

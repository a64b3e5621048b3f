//! The answers to the Functions host.
//!
//! An empty success makes the host wait forever, a wrong content type fails the invocation, and the
//! host discards the body and logs of a failure. So there is one type of answer, which always has a body.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::pending::Pending;
use crate::text;

/// The answer to an invocation.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// The invocation succeeded.
    Succeeded {
        /// Messages for the output bindings.
        outputs: Outputs,
        /// One line per result, for the host's log; escaped when sent.
        logs: Vec<String>,
    },
    /// The invocation failed; its trigger retries it.
    Failed {
        /// The HTTP status.
        status: StatusCode,
        /// The reason, in one line. The host discards it; it is for people who call the handler with curl.
        message: String,
    },
}

/// Messages for the queues of the output bindings. The host puts them in the order of function.json, so that an outcome
/// is on its queue before its message is on the poison queue, whenever the process ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Resources that are pending.
    pub pending: Vec<Pending>,
    /// Outcomes that a person must know: a CloudEvent each, in JSON.
    pub outcomes: Vec<String>,
    /// A message that is given up, as it was received.
    pub poison: Option<String>,
}

impl From<Vec<Pending>> for Outputs {
    fn from(pending: Vec<Pending>) -> Self {
        Self { pending, ..Self::default() }
    }
}

/// "Azure Functions custom handlers", response payload.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InvocationResponse<'a> {
    outputs: Bound<'a>,
    logs: Vec<Cow<'a, str>>,
    return_value: (),
}

/// A text is an element of an array, because the host decodes one that stands alone if it is valid base64, and writes
/// each date of one that is JSON anew. It leaves the elements of an array as they are.
#[derive(Serialize)]
struct Bound<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Messages<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    outcomes: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    poison: &'a [String],
}

/// An object is one message; from an array, the host creates one message per element.
#[derive(Serialize)]
#[serde(untagged)]
enum Messages<'a> {
    One(&'a Pending),
    Many(&'a [Pending]),
}

#[derive(Serialize)]
struct Failure<'a> {
    error: Cow<'a, str>,
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let (status, body) = match &self {
            Self::Succeeded { outputs: Outputs { pending, outcomes, poison }, logs } => {
                let pending = match pending.as_slice() {
                    [] => None,
                    [one] => Some(Messages::One(one)),
                    many => Some(Messages::Many(many)),
                };
                let logs = logs.iter().map(|line| text::line(line)).collect();
                let response = InvocationResponse {
                    outputs: Bound { pending, outcomes, poison: poison.as_slice() },
                    logs,
                    return_value: (),
                };
                (StatusCode::OK, serde_json::to_string(&response))
            }
            Self::Failed { status, message } => {
                (*status, serde_json::to_string(&Failure { error: text::line(message) }))
            }
        };
        // Texts and IDs always serialize. If they ever did not, the host must not get a success.
        let (status, body) = match body {
            Ok(body) => (status, body),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
        };
        (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
    }
}

impl Reply {
    /// A success without outputs.
    pub fn done(log: String) -> Self {
        Self::Succeeded { outputs: Outputs::default(), logs: vec![log] }
    }

    /// A failure.
    pub fn failed(status: StatusCode, message: impl std::fmt::Display) -> Self {
        Self::Failed { status, message: message.to_string() }
    }
}

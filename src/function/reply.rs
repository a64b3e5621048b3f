//! What the Functions host gets for an answer.
//!
//! An empty success makes the host wait for ever, a wrong content type fails the invocation, and a
//! failure's body and logs are thrown away: so there is one type of answer, and it always has a body.

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::pending::Pending;

/// The answer to an invocation.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// The invocation succeeded.
    Succeeded {
        /// For the output binding `pending`.
        pending: Vec<Pending>,
        /// One line a result, for the host's own log.
        logs: Vec<String>,
    },
    /// The invocation failed: whoever triggered it will do so again.
    Failed {
        /// The HTTP status.
        status: StatusCode,
        /// Why, in one line. The host throws it away; a person with curl does not.
        message: String,
    },
}

/// "Azure Functions custom handlers", response payload.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InvocationResponse<'a> {
    outputs: Outputs<'a>,
    logs: &'a [String],
    return_value: (),
}

#[derive(Serialize)]
struct Outputs<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Messages<'a>>,
}

/// One message is an object; of an array, the host makes one message an element.
#[derive(Serialize)]
#[serde(untagged)]
enum Messages<'a> {
    One(&'a Pending),
    Many(&'a [Pending]),
}

#[derive(Serialize)]
struct Failure<'a> {
    error: &'a str,
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let (status, body) = match &self {
            Self::Succeeded { pending, logs } => {
                let pending = match pending.as_slice() {
                    [] => None,
                    [one] => Some(Messages::One(one)),
                    many => Some(Messages::Many(many)),
                };
                let response = InvocationResponse { outputs: Outputs { pending }, logs, return_value: () };
                (StatusCode::OK, serde_json::to_string(&response))
            }
            Self::Failed { status, message } => (*status, serde_json::to_string(&Failure { error: message })),
        };
        // Texts and ids always serialize; were it not so, the host must still not get a success.
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
        Self::Succeeded { pending: vec![], logs: vec![log] }
    }

    /// A failure.
    pub fn failed(status: StatusCode, message: impl std::fmt::Display) -> Self {
        Self::Failed { status, message: message.to_string() }
    }
}

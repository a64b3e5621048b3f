//! What went wrong with a request to ARM, and who can mend it.
//!
//! The one place that distinguishes a failure of the resource from a failure of the system: by HTTP status
//! first and by code second, because `OperationNotAllowed` comes with 409 and with 429
//! ("Troubleshoot Compute throttling errors").

mod code;

use std::{borrow::Cow, fmt, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::api::{Api, OPERATION};
use crate::azure::NoToken;

words! {
    /// What kind of trouble it is, and so who can mend it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Failure, reason of reasons {
        /// The resource is not there. Nothing to do.
        Gone => "gone",
        /// Another write of the same resource got in between: look again.
        Overtaken => "overtaken",
    } + {
        /// This resource cannot be sealed now; others can.
        Resource(ResourceFailure),
        /// Nothing can be sealed now.
        System(SystemFailure),
    }
}

words! {
    /// Why one resource cannot be sealed now.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ResourceFailure, reason of reasons {
        /// 409: it is attached, in use, or in another state in which ARM refuses the change.
        Conflict => "conflict",
        /// 409 `ScopeLocked`: a management lock.
        Locked => "locked",
        /// 403 `RequestDisallowedByPolicy`: an Azure Policy denies the value.
        DisallowedByPolicy => "disallowed_by_policy",
        /// 403 `DenyAssignmentAuthorizationFailed`: a managed application or a locked node resource group.
        DenyAssignment => "deny_assignment",
        /// 403: no role with the needed actions on this scope.
        Forbidden => "forbidden",
        /// 404 `SubscriptionNotFound`: the identity's tenant does not know the subscription.
        SubscriptionNotFound => "subscription_not_found",
        /// 401 `InvalidAuthenticationTokenTenant`: the subscription is in another tenant than the identity.
        WrongTenant => "wrong_tenant",
        /// ARM does not take the request as it is.
        Refused => "refused",
        /// The answer is longer, or nested more deeply, than any that ARM gives.
        AnswerTooLarge => "answer_too_large",
        /// The long-running operation ended in `Failed`.
        OperationFailed => "operation_failed",
        /// The long-running operation ended in `Canceled`.
        OperationCanceled => "operation_canceled",
    }
}

words! {
    /// Why nothing can be sealed now.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum SystemFailure, reason of reasons {
        /// The identity endpoint gave no token.
        NoToken => "no_token",
        /// ARM refused the token.
        Unauthorized => "unauthorized",
        /// ARM could not be reached, or its answer broke off.
        Unreachable => "unreachable",
        /// Azure refuses to list the subscriptions in scope, so it is unknown what may be sealed.
        ScopeUnreadable => "scope_unreadable",
        /// ARM did not answer in time.
        Timeout => "timeout",
        /// 429, or a gate that an earlier 429 closed for longer than the deadline allows.
        Throttled => "throttled",
        /// 5xx
        ServerError => "server_error",
        /// An answer that ARM could not have given: something stands in between.
        Unreadable => "unreadable",
    }
}

/// A request to ARM that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What failed, as [`Api::what`](super::Api::what) has it.
    pub what: &'static str,
    /// What kind of trouble it is.
    pub failure: Failure,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// `error.code`
    pub code: Option<String>,
    /// The code of the innermost error, if it is another one.
    pub innermost_code: Option<String>,
    /// `error.message` with the innermost error's in front, or what the transport says, in one line. A log shows its
    /// beginning (`{}`), a command all of it (`{:#}`).
    pub message: String,
    /// How long ARM wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl std::error::Error for Error {}

impl From<NoToken> for Error {
    fn from(NoToken(message): NoToken) -> Self {
        Self::without_answer("getting a token", SystemFailure::NoToken, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: ", self.what)?;
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        if let Some(code) = &self.code {
            write!(f, "{code} ")?;
        }
        // A refusal names the scope and the policy at its end, which a person needs; a line of a log has its bound.
        if f.alternate() { f.write_str(&self.message) } else { write!(f, "{}", beginning(&self.message)) }
    }
}

impl Error {
    /// The failure's word.
    pub const fn reason(&self) -> &'static str {
        self.failure.reason()
    }

    /// Every word that [`Self::reason`] gives.
    pub fn reasons() -> Vec<&'static str> {
        Failure::reasons()
    }

    /// An error without an answer from ARM.
    pub fn without_answer(what: &'static str, failure: SystemFailure, message: impl fmt::Display) -> Self {
        Self {
            what,
            failure: Failure::System(failure),
            status: None,
            code: None,
            innermost_code: None,
            message: whole_line(&message.to_string()),
            retry_after: None,
        }
    }

    /// An answer that is no success.
    pub fn from_answer(what: &'static str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let read = Body::read(body);
        if (400..500).contains(&status) && read.as_ref().is_err_and(is_too_deep) {
            let failure = Failure::Resource(ResourceFailure::AnswerTooLarge);
            let message = format!("the answer has more than {LEVELS_MAX} levels");
            let (code, innermost_code) = (None, None);
            return Self { what, failure, status: Some(status), code, innermost_code, message, retry_after };
        }
        let (code, innermost_code, message) = parts(&read.unwrap_or_default());
        Self {
            what,
            failure: classify(status, code.as_deref()),
            status: Some(status),
            code: code.as_deref().map(one_line),
            innermost_code: innermost_code.as_deref().map(one_line),
            message: whole_line(message.as_deref().unwrap_or("no error message in the answer")),
            retry_after,
        }
    }

    /// The same for an answer of more than `max` bytes, of which nothing is believed but its status. A success that
    /// cannot be read concerns this resource, or this page: another may be shorter.
    #[must_use]
    pub fn too_large(mut self, max: usize) -> Self {
        if self.status.is_some_and(|status| (200..300).contains(&status)) {
            self.failure = Failure::Resource(ResourceFailure::AnswerTooLarge);
            self.status = None;
        }
        self.message = format!("the answer has more than {max} bytes");
        self
    }

    /// The same with the action that the identity's role lacks, where that is the trouble. In front, because
    /// ARM's own words may be cut off.
    #[must_use]
    pub fn naming(mut self, api: &Api) -> Self {
        if self.failure == Failure::Resource(ResourceFailure::Forbidden)
            && let Some(action) = api.action
        {
            self.message = format!("the identity's role lacks {action}: {}", self.message);
        }
        self
    }

    /// Whether Azure refuses only this request, so that other requests can be tried.
    pub fn is_refusal(&self) -> bool {
        !matches!(self.failure, Failure::System(failure) if failure != SystemFailure::ScopeUnreadable)
    }

    /// Whether the quota is spent: waiting ends it.
    pub fn is_throttled(&self) -> bool {
        self.failure == Failure::System(SystemFailure::Throttled)
    }

    /// Whether ARM may have applied the request, and no answer says so: none came in time, or it broke off.
    pub fn is_without_answer(&self) -> bool {
        use SystemFailure::{Timeout, Unreachable, Unreadable};
        self.status.is_none() && matches!(self.failure, Failure::System(Timeout | Unreachable | Unreadable))
    }

    /// Whether it is the end of a long-running operation, and not a failure to read its state.
    pub fn is_of_operation(&self) -> bool {
        use ResourceFailure::{OperationCanceled, OperationFailed};
        self.status.is_none()
            && matches!(
                self.failure,
                Failure::Overtaken | Failure::Resource(OperationFailed | OperationCanceled)
            )
    }

    /// The end of a long-running operation that did not succeed. ARM reports it with status 200.
    pub fn from_operation(is_canceled: bool, error: Option<&Body>) -> Self {
        let (code, innermost_code, message) = error.map(parts).unwrap_or_default();
        let failure = match code.as_deref() {
            Some(code) if is_concurrent_write(code) => Failure::Overtaken,
            _ if is_canceled => Failure::Resource(ResourceFailure::OperationCanceled),
            _ => Failure::Resource(ResourceFailure::OperationFailed),
        };
        let message = message.as_deref().unwrap_or("no error in the operation");
        Self {
            what: OPERATION.what,
            failure,
            status: None,
            code: code.as_deref().map(one_line),
            innermost_code: innermost_code.as_deref().map(one_line),
            message: whole_line(message),
            retry_after: None,
        }
    }
}

/// ARM's error body, in its envelope (`{"error":{…}}`) or flat, as the Compute provider's throttling sends it. A member
/// in an unexpected form counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub struct Body {
    /// `code`
    pub code: Option<String>,
    /// `message`
    pub message: Option<String>,
    /// `error` (an envelope, or one within another, as gateways make it), `details` and `innererror`, in this order.
    nested: Vec<Body>,
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        let code = |value: &Value| match value {
            Value::Number(number) => Some(number.to_string()),
            value => value.as_str().filter(|code| !code.is_empty()).map(str::to_owned),
        };
        let details = value["details"].as_array().into_iter().flatten();
        let nested = [&value["error"]].into_iter().chain(details).chain([&value["innererror"]]);
        Self {
            code: code(&value["code"]),
            message: value["message"].as_str().or_else(|| value.as_str()).map(str::to_owned),
            nested: nested.filter(|one| !one.is_null()).cloned().map(Self::from).collect(),
        }
    }
}

impl Body {
    fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The outermost error that has a code, which decides what kind of trouble it is.
    fn telling(&self) -> Option<&Self> {
        if self.code.is_some() { Some(self) } else { self.nested.iter().find_map(Self::telling) }
    }

    /// The innermost error below this one that has another code: often the only one that says what is wrong.
    fn innermost(&self) -> Option<&Self> {
        let inner = self.nested.iter().find_map(Self::telling)?;
        inner.innermost().or_else(|| (inner.code != self.code).then_some(inner))
    }
}

/// Code, innermost code and message of an error body. The message begins with the innermost error, because the end may
/// be cut off.
fn parts(body: &Body) -> (Option<String>, Option<String>, Option<String>) {
    let body = body.telling().unwrap_or(body);
    let Some(inner) = body.innermost() else { return (body.code.clone(), None, body.message.clone()) };
    let code = inner.code.as_deref().unwrap_or_default();
    let message = match (&inner.message, &body.message) {
        (Some(inner), Some(outer)) => format!("{code}: {inner} ({outer})"),
        (Some(message), None) | (None, Some(message)) => format!("{code}: {message}"),
        (None, None) => code.to_owned(),
    };
    (body.code.clone(), inner.code.clone(), Some(message))
}

/// The levels of JSON that are read: the limit of `serde_json`, which protects the stack.
const LEVELS_MAX: usize = 127;

/// Whether JSON could not be read because it is nested too deeply. `serde_json` says so in words alone.
fn is_too_deep(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("recursion limit exceeded")
}

/// The codes by which ARM and the services behind it say that something does not exist. A 404 without one of them
/// is no such word: a proxy or a wrong endpoint answers 404 as well.
const NOT_FOUND: [&str; 6] = [
    "ContainerNotFound",
    "NotFound",
    "ParentResourceNotFound",
    "QueueNotFound",
    "ResourceGroupNotFound",
    "ResourceNotFound",
];

fn classify(status: u16, code: Option<&str>) -> Failure {
    use Failure::{Gone, Overtaken, Resource, System};
    let is = |known: &str| code.is_some_and(|code| code.eq_ignore_ascii_case(known));
    match status {
        401 if is("InvalidAuthenticationTokenTenant") => Resource(ResourceFailure::WrongTenant),
        401 => System(SystemFailure::Unauthorized),
        408 => System(SystemFailure::Timeout),
        429 => System(SystemFailure::Throttled),
        // ARM gives every refusal a code, so something else has answered.
        400..=499 if code.is_none_or(str::is_empty) => System(SystemFailure::Unreadable),
        403 if is("RequestDisallowedByPolicy") => Resource(ResourceFailure::DisallowedByPolicy),
        403 if is("DenyAssignmentAuthorizationFailed") => Resource(ResourceFailure::DenyAssignment),
        403 => Resource(ResourceFailure::Forbidden),
        404 if is("SubscriptionNotFound") => Resource(ResourceFailure::SubscriptionNotFound),
        404 if NOT_FOUND.iter().any(|known| is(known)) => Gone,
        409 if is("ScopeLocked") => Resource(ResourceFailure::Locked),
        409 if code.is_some_and(is_concurrent_write) => Overtaken,
        409 => Resource(ResourceFailure::Conflict),
        400..=499 => Resource(ResourceFailure::Refused),
        500..=599 => System(SystemFailure::ServerError),
        _ => System(SystemFailure::Unreadable),
    }
}

/// The codes of ARM and of the Compute provider for a write that met another one.
fn is_concurrent_write(code: &str) -> bool {
    ["Conflict", "ConflictingConcurrentWriteNotAllowed", "OperationPreempted"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(code))
}

/// How many characters of a message a line of a log shows.
const SHOWN_MAX: usize = 300;
/// How many characters of a message are kept. ARM's are shorter; what answers in its place may send anything.
const KEPT_MAX: usize = 16_384;

/// Texts become one line of a log: no control characters, and no end of a long body.
pub(super) fn one_line(text: &str) -> String {
    line_of(text, SHOWN_MAX)
}

/// The same for a message, which a command shows whole.
fn whole_line(text: &str) -> String {
    line_of(text, KEPT_MAX)
}

fn line_of(text: &str, chars_max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(chars_max));
    for (count, c) in text.chars().enumerate() {
        if count == chars_max {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

/// The part of a message that a line of a log shows.
fn beginning(message: &str) -> Cow<'_, str> {
    match message.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &message[..end])),
        _ => Cow::Borrowed(message),
    }
}

#[cfg(test)]
mod tests;

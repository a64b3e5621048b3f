//! Faults as JSON: the body of `POST /faults`.
//!
//! ```json
//! {"action": {"refuse": {"as": "throttledArm", "retryAfter": 2}}, "kind": "patch", "resource": "disk-1"}
//! ```
//!
//! - `action`, the only required member:
//!   - `{"refuse": R}`: the request changes nothing and is refused.
//!   - `{"refuseAfterApplying": R}`: it takes effect and is still refused.
//!   - `{"text": {"status": 502, "contentType": "text/plain", "body": "…"}}`, `{"html": {"status": 503}}`: it
//!     changes nothing and gets this response.
//!   - `"reset"`, `"resetAfterApplying"`: the connection breaks, before or after it takes effect.
//!   - `"half"`: half of the response arrives. `"endless"`: it never ends. `{"padded": {"bytes": 2000000}}`: it is
//!     padded with blanks to this length.
//!   - `{"delay": {"milliseconds": 500}}`: the response is delayed.
//!   - `{"late": {"milliseconds": 500}}`: it takes effect at once, and the response is delayed.
//!   - `"hold"`, `"holdAfterApplying"`: it stops until `POST /faults/{id}/release` or `/cut-off`.
//!   - `"staleRead"`: a GET shows the state before the last write. `"notYetVisible"`: a GET answers 404.
//!   - `"byteOrderMark"`: the response begins with one. `"pageLeadsToItself"`, `"pageNeverEnds"`: the page of a list or
//!     of a query leads to itself, or to the same rows again by a new address or token.
//!   - `{"operationFails": {"code": "…", "message": "…"}}`, `"operationCanceled"`, `"operationPreempted"`,
//!     `"operationNeverEnds"`: the write is accepted, and its operation ends (or does not end) like this.
//! - `kind`, one or a list of: `get`, `list`, `put`, `patch`, `delete`, `access`, `machine`, `tagsRead`, `tagsWrite`,
//!   `poll`, `query`, `token` (the managed-identity endpoint), `other`. Without it: any.
//! - `method`: an HTTP method. `resource`: a name or a whole id. `subscription`: an id.
//! - `times`: how many requests it affects (default 1); `"always"`: every one. `after`: how many pass first.
//! - `delayMilliseconds`: additional delay of the affected requests.
//!
//! `R` is a refusal in one of three forms:
//! - a word: one of those of [`Named`];
//! - `{"as": WORD, "retryAfter": SECONDS, "status": STATUS}` for those that take a parameter;
//! - `{"status": 409, "code": "…", "message": "…", "headers": {"retry-after": "5"}}`, or with `body`, any
//!   JSON, instead of `code` and `message`.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::{Fault, Injected, Kind, Refusal};

/// A fault that was injected over HTTP.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) id: u64,
    /// The posted body.
    pub(super) order: Value,
    pub(super) injected: Injected,
}

impl Ordered {
    pub(super) fn describe(&self) -> Value {
        json!({"id": self.id, "met": self.injected.fired(), "fault": self.order})
    }
}

/// A refusal by name. Those with `retryAfter` take it in seconds (default 1); `serverError` takes `status`
/// (default 500).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each has the name of a function of `Refusal`")]
pub enum Named {
    ActiveSas,
    AuthorizationFailed,
    ClaimsChallenge,
    Conflict,
    DenyAssignment,
    DisallowedByPolicy,
    ExpiredToken,
    OperationNotAllowed,
    ResourceGroupNotFound,
    ResourceNotFound,
    ScopeLocked,
    ServerError,
    SubscriptionNotFound,
    /// Takes `retryAfter`.
    ThrottledArm,
    /// Takes `retryAfter`.
    ThrottledCompute,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Order {
    action: Action,
    kind: Option<Value>,
    method: Option<String>,
    resource: Option<String>,
    subscription: Option<String>,
    times: Option<Value>,
    #[serde(default)]
    after: u32,
    #[serde(default)]
    delay_milliseconds: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Refuse(Value),
    RefuseAfterApplying(Value),
    Text(Text),
    Html(Html),
    Reset,
    ResetAfterApplying,
    Half,
    Endless,
    Padded(Padded),
    Delay(Delay),
    Late(Delay),
    Hold,
    HoldAfterApplying,
    StaleRead,
    NotYetVisible,
    ByteOrderMark,
    PageLeadsToItself,
    PageNeverEnds,
    OperationFails(OperationFails),
    OperationCanceled,
    OperationPreempted,
    OperationNeverEnds,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Text {
    status: u16,
    content_type: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Html {
    status: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delay {
    milliseconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Padded {
    bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationFails {
    code: String,
    message: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ByName {
    r#as: Named,
    retry_after: Option<u64>,
    status: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Free {
    status: u16,
    code: Option<String>,
    message: Option<String>,
    body: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// The fault that a body describes, and the body; or why it is invalid.
pub(super) fn read(body: &[u8]) -> Result<(Fault, Value), String> {
    let posted: Value =
        serde_json::from_slice(body).map_err(|fault| format!("the body is not JSON: {fault}"))?;
    let order: Order = parsed("fault", posted.clone())?;
    let mut fault = action(order.action)?;
    for kind in kinds(order.kind)? {
        fault = fault.on(kind);
    }
    if let Some(method) = &order.method {
        fault = fault.method(method);
    }
    if let Some(resource) = order.resource {
        fault = fault.resource(resource);
    }
    if let Some(subscription) = order.subscription {
        fault = fault.subscription(subscription);
    }
    fault = match order.times {
        None => fault,
        Some(Value::String(word)) if word == "always" => fault.always(),
        Some(times) => {
            let number = times.as_u64().and_then(|times| u32::try_from(times).ok());
            fault.times(number.ok_or_else(|| format!("times: {times} is neither a number nor \"always\""))?)
        }
    };
    if order.delay_milliseconds > 0 {
        fault = fault.delayed(Duration::from_millis(order.delay_milliseconds));
    }
    Ok((fault.after(order.after), posted))
}

fn parsed<T: for<'a> Deserialize<'a>>(name: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|fault| format!("{name}: {fault}"))
}

fn kinds(given: Option<Value>) -> Result<Vec<Kind>, String> {
    match given {
        None => Ok(Vec::new()),
        Some(list @ Value::Array(_)) => parsed("kind", list),
        Some(one) => parsed("kind", one).map(|kind| vec![kind]),
    }
}

fn action(action: Action) -> Result<Fault, String> {
    Ok(match action {
        Action::Refuse(given) => Fault::refuse(refusal(given)?),
        Action::RefuseAfterApplying(given) => Fault::refuse_after_applying(refusal(given)?),
        Action::Text(text) => Fault::text(status(text.status)?, text.content_type, text.body),
        Action::Html(html) => Fault::html(status(html.status)?),
        Action::Reset => Fault::reset(),
        Action::ResetAfterApplying => Fault::reset_after_applying(),
        Action::Half => Fault::half_an_answer(),
        Action::Endless => Fault::endless_answer(),
        Action::Padded(padded) => Fault::padded_answer(padded.bytes),
        Action::Delay(delay) => Fault::delay(Duration::from_millis(delay.milliseconds)),
        Action::Late(delay) => Fault::late(Duration::from_millis(delay.milliseconds)),
        Action::Hold => Fault::hold_before_applying(),
        Action::HoldAfterApplying => Fault::hold_after_applying(),
        Action::StaleRead => Fault::stale_read(),
        Action::NotYetVisible => Fault::not_yet_visible(1),
        Action::ByteOrderMark => Fault::byte_order_mark(),
        Action::PageLeadsToItself => Fault::page_leads_to_itself(),
        Action::PageNeverEnds => Fault::page_never_ends(),
        Action::OperationFails(end) => Fault::operation_fails(end.code, end.message),
        Action::OperationCanceled => Fault::operation_canceled(),
        Action::OperationPreempted => Fault::operation_preempted(),
        Action::OperationNeverEnds => Fault::operation_never_ends(),
    })
}

fn status(status: u16) -> Result<u16, String> {
    let is_status = (200..=599).contains(&status);
    is_status.then_some(status).ok_or_else(|| format!("status: {status} is not from 200 to 599"))
}

fn refusal(given: Value) -> Result<Refusal, String> {
    if given.is_string() {
        return named(ByName { r#as: parsed("refuse", given)?, retry_after: None, status: None });
    }
    if given.get("as").is_some() {
        return named(parsed("refuse", given)?);
    }
    let free: Free = parsed("refuse", given)?;
    let status = status(free.status)?;
    let mut refusal = match (free.code, free.body) {
        (Some(code), None) => Refusal::new(status, &code, &free.message.unwrap_or_default()),
        (None, Some(body)) => Refusal::from_body(status, body),
        _ => return Err("refuse: set either code (and optionally message) or body".to_owned()),
    };
    for (name, value) in free.headers {
        let is_header = axum::http::HeaderName::try_from(name.as_str()).is_ok()
            && axum::http::HeaderValue::from_str(&value).is_ok();
        if !is_header {
            return Err(format!("refuse: {name:?} is not a header, or its value cannot be sent"));
        }
        refusal = refusal.with_header(name, value);
    }
    Ok(refusal)
}

fn named(given: ByName) -> Result<Refusal, String> {
    let takes_seconds = matches!(given.r#as, Named::ThrottledArm | Named::ThrottledCompute);
    let takes_status = given.r#as == Named::ServerError;
    if (given.retry_after.is_some() && !takes_seconds) || (given.status.is_some() && !takes_status) {
        return Err("refuse: retryAfter only applies to throttled refusals, status to serverError".to_owned());
    }
    let seconds = given.retry_after.unwrap_or(1);
    Ok(match given.r#as {
        Named::ActiveSas => Refusal::active_sas(),
        Named::AuthorizationFailed => Refusal::authorization_failed(),
        Named::ClaimsChallenge => Refusal::claims_challenge(),
        Named::Conflict => Refusal::conflict(),
        Named::DenyAssignment => Refusal::deny_assignment(),
        Named::DisallowedByPolicy => Refusal::disallowed_by_policy(),
        Named::ExpiredToken => Refusal::expired_token(),
        Named::OperationNotAllowed => Refusal::operation_not_allowed(),
        Named::ResourceGroupNotFound => Refusal::resource_group_not_found(),
        Named::ResourceNotFound => Refusal::resource_not_found(),
        Named::ScopeLocked => Refusal::scope_locked(),
        Named::ServerError => Refusal::server_error(status(given.status.unwrap_or(500))?),
        Named::SubscriptionNotFound => Refusal::subscription_not_found(),
        Named::ThrottledArm => Refusal::throttled_arm(seconds),
        Named::ThrottledCompute => Refusal::throttled_compute(seconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_can_be_said() {
        let actions = [
            json!({"refuse": "scopeLocked"}),
            json!({"refuse": {"as": "throttledCompute", "retryAfter": 3}}),
            json!({"refuse": {"as": "serverError", "status": 503}}),
            json!({"refuse": {"status": 409, "code": "C", "message": "M", "headers": {"Retry-After": "5"}}}),
            json!({"refuseAfterApplying": {"status": 500, "body": {"any": "thing"}}}),
            json!({"text": {"status": 502, "contentType": "text/plain", "body": "x"}}),
            json!({"html": {"status": 503}}),
            json!("reset"),
            json!("resetAfterApplying"),
            json!("half"),
            json!({"delay": {"milliseconds": 5}}),
            json!({"late": {"milliseconds": 5}}),
            json!("hold"),
            json!("holdAfterApplying"),
            json!("staleRead"),
            json!("notYetVisible"),
            json!({"operationFails": {"code": "C", "message": "M"}}),
            json!("operationCanceled"),
            json!("operationPreempted"),
            json!("operationNeverEnds"),
        ];
        for action in actions {
            let order = json!({
                "action": action, "kind": ["patch", "token"], "method": "PATCH", "resource": "d",
                "times": "always", "after": 1, "delayMilliseconds": 2
            });
            assert!(read(order.to_string().as_bytes()).is_ok(), "{order}");
        }
    }

    #[test]
    fn faults_of_the_body_are_reported() {
        for (order, told) in [
            ("{", "the body is not JSON"),
            ("{}", "fault: missing field `action`"),
            (r#"{"action": "explode"}"#, "fault: unknown variant `explode`"),
            (r#"{"action": "reset", "kinds": "get"}"#, "fault: unknown field `kinds`"),
            (r#"{"action": "reset", "kind": "gett"}"#, "kind: unknown variant `gett`"),
            (r#"{"action": "reset", "times": -1}"#, "times: -1 is neither"),
            (r#"{"action": {"refuse": "tired"}}"#, "refuse: unknown variant `tired`"),
            (
                r#"{"action": {"refuse": {"as": "conflict", "retryAfter": 1}}}"#,
                "refuse: retryAfter only applies",
            ),
            (r#"{"action": {"refuse": {"status": 99, "code": "C"}}}"#, "status: 99"),
            (r#"{"action": {"refuse": {"status": 409}}}"#, "refuse: set either code"),
            (
                r#"{"action": {"refuse": {"status": 409, "code": "C", "headers": {"a b": "c"}}}}"#,
                "refuse: \"a b\" is not a header",
            ),
        ] {
            let fault = read(order.as_bytes()).map(|_| ()).unwrap_err();
            assert!(fault.starts_with(told), "{order}: {fault}");
        }
    }
}

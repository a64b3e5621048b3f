//! The answers of identity endpoints, in the one form that `azure_identity` reads.
//!
//! App Service, the instance metadata service, Azure Arc and the emulators of others write the same members in
//! different forms: `expires_on` as a number, as text, with a fraction, or as a date of the server's culture; `resource`
//! and `token_type` may be missing; a byte order mark may stand before all. `azure_identity` reads one of these, so
//! the answer is rewritten on its way there.

use std::{sync::Arc, time::Duration};

use azure_core::{
    Error,
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request},
};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::azure::azure_cli::{OUTPUT_MAX, without_mark};

/// How long one attempt may take. The endpoint is on the machine or at the next hop, and answers within a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// A token that is valid for longer counts as valid for a year: the libraries that add such a time fail beyond the
/// end of the calendar.
const LIFETIME_MAX: i64 = 365 * 24 * 60 * 60;

/// The HTTP client for a credential. It bounds the size and the time of an answer, and rewrites it.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) http: Arc<dyn HttpClient>,
    pub(super) now: fn() -> OffsetDateTime,
}

#[async_trait::async_trait]
impl HttpClient for Answers {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let exchange = async {
            let (status, headers, mut stream) = self.http.execute_request(request).await?.deconstruct();
            let mut body = Vec::new();
            while let Some(part) = stream.next().await {
                body.extend_from_slice(&part?);
                if body.len() > OUTPUT_MAX {
                    let message = format!("the answer has more than {OUTPUT_MAX} bytes");
                    return Err(Error::with_message(ErrorKind::DataConversion, message));
                }
            }
            let body = without_mark(&body);
            let body = if status.is_success() {
                let token = token(body, (self.now)());
                token.ok_or_else(|| {
                    Error::with_message(ErrorKind::DataConversion, "the answer has no token")
                })?
            } else {
                refusal(body)
            };
            Ok(AsyncRawResponse::from_bytes(status, headers, body))
        };
        // A fault of the connection, so that the credential tries again.
        let late = |_| Err(Error::with_message(ErrorKind::Io, "no answer in time"));
        tokio::time::timeout(ATTEMPT_TIMEOUT, exchange).await.unwrap_or_else(late)
    }
}

/// An answer with a token: with `expires_on` as text, `expires_in` as a number, and the members that must be there.
/// None if there is no token in it.
pub(super) fn token(body: &[u8], now: OffsetDateTime) -> Option<Vec<u8>> {
    let mut answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty())?;
    let now = now.unix_timestamp();
    let end = answer.get("expires_on").and_then(moment);
    let left = answer.get("expires_in").and_then(seconds);
    let end = end.or_else(|| left.map(|left| now.saturating_add(left.min(LIFETIME_MAX))));
    if end.is_none() {
        tracing::warn!("a token has no readable expiry: it is used, and asked for again soon");
    }
    // Nobody knows how long it is valid, so it counts as if it had expired on its way here.
    let end = end.unwrap_or(now).clamp(0, now.saturating_add(LIFETIME_MAX).max(0));
    let left = left.unwrap_or_else(|| end.saturating_sub(now)).min(LIFETIME_MAX);
    answer.insert("expires_on".to_owned(), json!(end.to_string()));
    answer.insert("expires_in".to_owned(), json!(left));
    answer.remove("ext_expires_in");
    for (name, usual) in [("token_type", "Bearer"), ("resource", "")] {
        if !answer.get(name).is_some_and(Value::is_string) {
            answer.insert(name.to_owned(), json!(usual));
        }
    }
    serde_json::to_vec(&answer).ok()
}

/// A refusal, whose description has no character that JSON escapes: `azure_identity` reads it only then. Microsoft
/// Entra ID's descriptions have several lines.
fn refusal(body: &[u8]) -> Vec<u8> {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(body) else { return body.to_vec() };
    if let Some(Value::String(description)) = answer.get_mut("error_description") {
        let plain = |c: char| match c {
            '"' => '\'',
            '\\' => '/',
            c if c.is_control() => ' ',
            c => c,
        };
        *description = description.chars().map(plain).collect();
    }
    serde_json::to_vec(&answer).unwrap_or_else(|_| body.to_vec())
}

/// A number of seconds, as a number or as text, with or without a fraction.
fn seconds(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let whole = text.parse::<u64>().ok().or_else(|| {
        let seconds = text.parse::<f64>().ok()?;
        Duration::try_from_secs_f64(seconds).ok().map(|seconds| seconds.as_secs())
    })?;
    i64::try_from(whole).ok()
}

/// A moment in seconds since 1970: a number of them, or a date.
fn moment(value: &Value) -> Option<i64> {
    let by_number = seconds(value).and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let moment = by_number.or_else(|| value.as_str().and_then(|text| date(text.trim())))?;
    Some(moment.unix_timestamp())
}

/// A date as RFC 3339 has it, or as .NET writes it in the invariant culture and in the American one, which is what
/// App Service did (Azure/azure-sdk-for-net #12869, Azure/azure-sdk-for-python #9393).
fn date(text: &str) -> Option<OffsetDateTime> {
    let of_24_hours = format_description!(
        "[month padding:none]/[day padding:none]/[year] [hour padding:none]:[minute]:[second] [offset_hour \
         sign:mandatory]:[offset_minute]"
    );
    let of_12_hours = format_description!(
        "[month padding:none]/[day padding:none]/[year] [hour repr:12 padding:none]:[minute]:[second] [period \
         case_sensitive:false] [offset_hour sign:mandatory]:[offset_minute]"
    );
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, of_24_hours))
        .or_else(|_| OffsetDateTime::parse(text, of_12_hours))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;

    fn read(answer: &Value) -> Map<String, Value> {
        let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
        serde_json::from_slice(&token(answer.to_string().as_bytes(), now).unwrap()).unwrap()
    }

    #[test]
    fn every_form_of_the_expiry_is_read() {
        let end = (NOW + 3_600).to_string();
        for (members, expected) in [
            (json!({"expires_on": end}), NOW + 3_600),
            (json!({"expires_on": NOW + 3_600}), NOW + 3_600),
            (json!({"expires_on": format!("{end}.0")}), NOW + 3_600),
            (json!({"expires_on": 1_795_003_600.5}), NOW + 3_600),
            (json!({"expires_on": "2026-11-18T12:06:40+00:00"}), NOW + 3_600),
            (json!({"expires_on": "11/18/2026 12:06:40 +00:00"}), NOW + 3_600),
            (json!({"expires_on": "11/18/2026 2:06:40 PM +02:00"}), NOW + 3_600),
            (json!({"expires_in": "3599"}), NOW + 3_599),
            (json!({"expires_in": 3_599.0}), NOW + 3_599),
            (json!({"expires_on": "soon", "expires_in": 60}), NOW + 60),
            (json!({"expires_on": "soon"}), NOW),
            (json!({"expires_on": -1}), NOW),
            (json!({"expires_on": 9_000_000_000_000_000_000_i64}), NOW),
            (json!({"expires_in": u64::MAX}), NOW),
            (json!({"expires_in": i64::MAX}), NOW + LIFETIME_MAX),
            (json!({}), NOW),
        ] {
            let mut answer = members.clone();
            answer["access_token"] = json!("t");
            let answer = read(&answer);
            assert_eq!(answer["expires_on"], expected.to_string(), "{members}");
            let left = answer["expires_in"].as_i64().unwrap();
            assert!((0..=LIFETIME_MAX).contains(&left), "{members}: {left}");
            assert_eq!((&answer["token_type"], &answer["resource"]), (&json!("Bearer"), &json!("")));
        }
    }

    #[test]
    fn what_has_no_token_is_none() {
        let now = OffsetDateTime::UNIX_EPOCH;
        for answer in ["", "<html>", "[]", "{}", r#"{"access_token": ""}"#, r#"{"access_token": 7}"#] {
            assert_eq!(token(answer.as_bytes(), now), None, "{answer}");
        }
    }

    #[test]
    fn a_refusals_description_is_readable_without_escapes() {
        let body = br#"{"error": "invalid_client", "error_codes": [7000215], "error_description": "AADSTS7000215: \"no\"\r\nTrace"}"#;
        let answer: Value = serde_json::from_slice(&refusal(body)).unwrap();
        assert_eq!(answer["error_description"], "AADSTS7000215: 'no'  Trace");
        assert_eq!(refusal(b"<html>"), b"<html>");
    }
}

//! What ARM answers, for a fuzzer.
#![expect(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

use azure_core::http::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, value::RawValue};
use time::OffsetDateTime;

use super::{Permissions, error::Error, list::read_all, operation::Operation, retry};
use crate::resource_id::ResourceId;

const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
const MESSAGE_LEN_MAX: usize = 4_096;

fn id() -> Option<ResourceId> {
    ID.parse().ok()
}

/// Elements of a list: each is read, or named in one line.
pub fn list(data: &[u8]) {
    let Ok(elements) = serde_json::from_slice::<Vec<Box<RawValue>>>(data) else { return };
    let (resources, unreadable) = read_all(&elements);
    assert_eq!(resources.len() + unreadable.len(), elements.len(), "an element is lost");
    for fault in unreadable {
        for text in [&fault.what, &fault.why] {
            assert!(text.len() <= MESSAGE_LEN_MAX && !text.contains(['\n', '\r']), "{text:?}");
        }
    }
}

/// An answer of Resource Graph.
pub fn rows(data: &[u8]) {
    let Ok(answer) = super::parse::<super::graph::QueryAnswer>(&super::api::QUERY, data) else { return };
    let (resources, unreadable) = read_all(&answer.data);
    assert_eq!(resources.len() + unreadable.len(), answer.data.len(), "a row is lost");
}

/// A refusal: two bytes of status, and its body.
pub fn error(data: &[u8]) {
    let [high, low, body @ ..] = data else { return };
    let status = 400 + u16::from_be_bytes([*high, *low]) % 200;
    let error = Error::from_answer("read", status, body, None);
    let said = error.to_string();
    assert!(said.len() <= MESSAGE_LEN_MAX, "{} bytes", said.len());
    assert!(!said.contains(char::is_control), "a refusal has several lines: {said:?}");
    let _ = error.reason();
}

/// Headers of a write, one `name: value` a line: the address to poll is ARM's own, without credentials.
pub fn operation(data: &[u8]) {
    let (Some(id), Some(headers)) = (id(), headers(data)) else { return };
    let Ok(endpoint) = Url::parse("https://management.azure.com") else { return };
    let operation = Operation::from_headers(&id, &headers, &endpoint, OffsetDateTime::UNIX_EPOCH);
    if let Some(url) = operation.url() {
        assert_eq!(url.origin(), endpoint.origin(), "{url}");
        assert!(url.username().is_empty() && url.password().is_none(), "credentials in a URL");
    }
}

/// Headers of a refusal: no wait is longer than an hour.
pub fn retry_after(data: &[u8]) {
    let Some(headers) = headers(data) else { return };
    let wait = retry::retry_after(&headers, OffsetDateTime::UNIX_EPOCH);
    assert!(wait.is_none_or(|wait| wait.as_secs() <= 3_600), "{wait:?}");
}

/// The roles of an identity: without one that names it, nothing is allowed.
pub fn permissions(data: &[u8]) {
    let Ok(roles) = serde_json::from_slice::<Vec<Value>>(data) else { return };
    let permissions = Permissions::from_json(&roles);
    let is_allowed = permissions.allow("Microsoft.Compute/disks/write");
    assert!(!is_allowed || permissions.patterns().next().is_some(), "no role allows it");
    assert!(!Permissions::from_json(&[]).allow("Microsoft.Compute/disks/write"));
}

fn headers(data: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in std::str::from_utf8(data).ok()?.lines() {
        let (name, value) = line.split_once(':')?;
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if name.bytes().all(is_token)
            && let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value.trim()))
        {
            headers.insert(name, value);
        }
    }
    Some(headers)
}

//! What identity endpoints answer, for a fuzzer.
#![expect(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::answer::token;

/// An answer with a token: rewriting it keeps the token, and twice is once.
pub fn answer(data: &[u8]) {
    let now = OffsetDateTime::UNIX_EPOCH;
    let Some(written) = token(data, now) else { return };
    let members = |json: &[u8]| serde_json::from_slice::<Map<String, Value>>(json).unwrap_or_default();
    let (given, rewritten) = (members(data), members(&written));
    assert_eq!(given.get("access_token"), rewritten.get("access_token"));
    assert!(rewritten["expires_on"].is_string() && rewritten["expires_in"].is_number());
    let again = token(&written, now).map(|again| members(&again)).unwrap_or_default();
    for name in ["access_token", "expires_on", "expires_in", "token_type", "resource"] {
        assert_eq!(again.get(name), rewritten.get(name), "{name}");
    }
}

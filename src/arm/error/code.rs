//! The codes of ARM and of the providers that are known by name, for a metric that must not grow with whatever
//! a provider comes up with.

use super::Error;

/// "Troubleshoot common Azure deployment errors", "Azure Resource Manager request limits and throttling", and
/// the Compute provider's own.
pub(super) const KNOWN: [&str; 33] = [
    "AuthorizationFailed",
    "BadGateway",
    "BadRequest",
    "Canceled",
    "ChangeDiskSizeWhileActiveSasNotAllowed",
    "Conflict",
    "ConflictingConcurrentWriteNotAllowed",
    "ConflictingUserInput",
    "DenyAssignmentAuthorizationFailed",
    "ExpiredAuthenticationToken",
    "GatewayTimeout",
    "InternalExecutionError",
    "InternalServerError",
    "InvalidApiVersionParameter",
    "InvalidAuthenticationToken",
    "InvalidAuthenticationTokenTenant",
    "InvalidParameter",
    "InvalidResourceType",
    "LinkedAuthorizationFailed",
    "MethodNotAllowed",
    "NotFound",
    "OperationNotAllowed",
    "OperationPreempted",
    "PreconditionFailed",
    "RequestDisallowedByPolicy",
    "RequestTimeout",
    "ResourceGroupNotFound",
    "ResourceNotFound",
    "ScopeLocked",
    "ServerTimeout",
    "ServiceUnavailable",
    "SubscriptionNotFound",
    "SubscriptionRequestsThrottled",
];

/// The word for every other code, as the semantic conventions have it.
pub(super) const OTHER: &str = "_OTHER";

impl Error {
    /// ARM's code as a word of a closed set: as it is if it is known, else `_OTHER`; none where ARM gave none.
    pub fn known_code(&self) -> Option<&'static str> {
        let code = self.code.as_deref()?;
        Some(KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(code)).unwrap_or(OTHER))
    }

    /// Whose limit a 429 is about: ARM's codes name what is throttled, and a provider has codes of its own.
    pub(in crate::arm) fn throttle(&self) -> &'static str {
        match self.code.as_deref() {
            Some(code) if code.ends_with("RequestsThrottled") => "arm",
            _ => "provider",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::SystemFailure, *};

    fn error(code: &str) -> Error {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
        Error::from_answer("reading the resource", 429, body.as_bytes(), None)
    }

    #[test]
    fn an_unknown_code_is_other() {
        assert_eq!(error("scopelocked").known_code(), Some("ScopeLocked"));
        assert_eq!(error("Disk42Broken").known_code(), Some("_OTHER"));
        assert_eq!(Error::without_answer("m", SystemFailure::Timeout, "m").known_code(), None);
    }

    #[test]
    fn the_known_codes_are_those_of_the_table() {
        let page = include_str!("../../../docs/telemetry.md");
        let list = page.split("## Codes").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        let line = list.lines().find(|line| line.starts_with(&format!("`{}`", KNOWN[0]))).unwrap();
        assert_eq!(line.split('`').skip(1).step_by(2).collect::<Vec<_>>(), KNOWN);
    }

    #[test]
    fn arms_limit_is_told_from_a_providers() {
        assert_eq!(error("SubscriptionRequestsThrottled").throttle(), "arm");
        assert_eq!(error("OperationNotAllowed").throttle(), "provider");
        assert_eq!(error("RateLimiting").throttle(), "provider");
    }
}

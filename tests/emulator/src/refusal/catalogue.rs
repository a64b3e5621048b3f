//! Ready-made refusals. If the exact text is unknown, the comment says so.

use serde_json::json;

use super::Refusal;

impl Refusal {
    /// 409: a read-only lock on the resource group.
    pub fn scope_locked() -> Self {
        Self::new(
            409,
            "ScopeLocked",
            "The scope '{id}' cannot perform write operation because following scope(s) are locked: \
             '/subscriptions/{subscription}/resourceGroups/{group}'. Please remove the lock and try again.",
        )
    }

    /// 403: a policy with the effect `deny`.
    pub fn disallowed_by_policy() -> Self {
        let policy = "/subscriptions/{subscription}/providers/Microsoft.Authorization";
        Self::new(
            403,
            "RequestDisallowedByPolicy",
            &format!(
                "Resource '{{name}}' was disallowed by policy. Policy identifiers: \
                 '[{{\"policyAssignment\":{{\"name\":\"Deny the mode\",\"id\":\"{policy}/policyAssignments/deny-mode\"}}}}]'."
            ),
        )
        .with_target("{name}")
    }

    /// 403: a deny assignment, as managed resource groups have.
    pub fn deny_assignment() -> Self {
        Self::new(
            403,
            "DenyAssignmentAuthorizationFailed",
            "The client '{appid}' with object id '{oid}' has permission to perform action '{action}' on scope '{id}'; \
             however, the access is denied because of the deny assignment with name 'System deny assignment created \
             by managed application' and Id '0d0d0d0d0d0d0d0d' at scope \
             '/subscriptions/{subscription}/resourceGroups/{group}'.",
        )
    }

    /// 403: no role allows the action.
    pub fn authorization_failed() -> Self {
        Self::new(
            403,
            "AuthorizationFailed",
            "The client '{appid}' with object id '{oid}' does not have authorization to perform action '{action}' \
             over scope '{id}' or the scope is invalid. If access was recently granted, please refresh your \
             credentials.",
        )
    }

    /// 409: another request of the same resource is in progress.
    pub fn conflict() -> Self {
        Self::new(
            409,
            "Conflict",
            "The request failed due to conflict with a concurrent request. To resolve it, please refer to \
             https://aka.ms/activitylog to get more details on the conflicting requests.",
        )
    }

    /// 409 with the code of a throttled request. Its text is invented.
    pub fn operation_not_allowed() -> Self {
        Self::new(409, "OperationNotAllowed", "Cannot update '{name}' in its current state.")
    }

    /// 429 of Resource Manager, with `Retry-After` in seconds.
    pub fn throttled_arm(retry_after: u64) -> Self {
        Self::new(
            429,
            "SubscriptionRequestsThrottled",
            &format!(
                "Number of '{{verb}}' requests for subscription '{{subscription}}' actor '{{oid}}' exceeded. Please try again \
                 after '{retry_after}' seconds."
            ),
        )
        .with_header("retry-after", retry_after.to_string())
    }

    /// 429 of the identity endpoint, with `Retry-After` in seconds ("How to use managed identities for Azure resources on
    /// an Azure VM to acquire an access token", "Error handling").
    pub fn throttled_identity(retry_after: u64) -> Self {
        let body = serde_json::json!({"error": "too_many_requests", "error_description": "Temporarily throttled, too many requests"});
        Self::from_body(429, body).with_header("retry-after", retry_after.to_string())
    }

    /// 429 of Resource Graph, which names the time in a header of its own, in hours, minutes and seconds ("Guidance
    /// for throttled requests in Azure Resource Graph"; azure-docs issue 43481, azure-sdk-for-python issue 5412).
    pub fn throttled_graph(resets_after: &str) -> Self {
        Self::new(429, "RateLimiting", "Please provide below info when asking for support.")
            .with_header("x-ms-user-quota-remaining", "0")
            .with_header("x-ms-user-quota-resets-after", resets_after)
    }

    /// 429 of the Compute provider, without the envelope, with `Retry-After` in seconds.
    pub fn throttled_compute(retry_after: u64) -> Self {
        Self::throttled_compute_group("CreateUpdateDisks30Min", 25_000, retry_after)
    }

    pub(crate) fn throttled_compute_group(window: &str, allowed: u32, retry_after: u64) -> Self {
        let measured = format!(
            "{{\"operationGroup\":\"{window}\",\"allowedRequestCount\":{allowed},\"measuredRequestCount\":{}}}",
            allowed.saturating_add(1)
        );
        Self::from_body(
            429,
            json!({
                "code": "OperationNotAllowed",
                "message": "The server rejected the request because too many requests have been received for this \
                            subscription.",
                "details": [{"code": "TooManyRequests", "target": window, "message": measured}]
            }),
        )
        .with_header("retry-after", retry_after.to_string())
        .with_header("x-ms-ratelimit-remaining-resource", format!("Microsoft.Compute/{window};0"))
    }

    /// 400 of Resource Graph: the page has too many bytes (microsoft/ARI #199, Azure/cosmos-explorer PR #1877).
    pub fn response_payload_too_large() -> Self {
        let message = "Response payload size is 17825792, and has exceeded the limit of 16777216. Please consider \
                       querying less data at a time and make paginated call if needed.";
        let details = json!([{"code": "ResponsePayloadTooLarge", "message": message}]);
        let outer = "Please provide below info when asking for support: timestamp = t, correlationId = c.";
        Self::from_body(400, json!({"error": {"code": "BadRequest", "message": outer, "details": details}}))
    }

    /// 404: no such resource.
    pub fn resource_not_found() -> Self {
        Self::new(
            404,
            "ResourceNotFound",
            "The Resource '{type}/{name}' under resource group '{group}' was not found. For more details please go \
             to https://aka.ms/ARMResourceNotFoundFix",
        )
    }

    /// 404: no such resource group.
    pub fn resource_group_not_found() -> Self {
        Self::new(404, "ResourceGroupNotFound", "Resource group '{group}' could not be found.")
    }

    /// 404: no such subscription in the tenant.
    pub fn subscription_not_found() -> Self {
        Self::new(404, "SubscriptionNotFound", "The subscription '{subscription}' could not be found.")
    }

    /// 401: the token is of another tenant than the subscription ("Troubleshoot common Azure deployment errors").
    pub fn invalid_token_tenant() -> Self {
        Self::unauthorized(
            "InvalidAuthenticationTokenTenant",
            "The access token is from the wrong issuer. It must match the tenant associated with this subscription.",
            "invalid_token",
        )
    }

    /// 400: a disk access without its network policy.
    pub fn conflicting_user_input() -> Self {
        Self::new(
            400,
            "ConflictingUserInput",
            "Disk Access is only supported for disks with NetworkAccessPolicy AllowPrivate",
        )
    }

    /// 400: a value that the provider does not know.
    pub fn invalid_parameter(name: &str, value: &str) -> Self {
        Self::new(400, "InvalidParameter", &format!("The value '{value}' of parameter '{name}' is invalid."))
            .with_target(name)
    }

    /// 409: a change of size while a shared access signature is active.
    pub fn active_sas() -> Self {
        Self::new(
            409,
            "ChangeDiskSizeWhileActiveSasNotAllowed",
            "The disk {name} has an active SAS URI. Retry after the SAS URI expires or revoke it.",
        )
    }

    /// An internal error of Azure: 500, 502, 503 (with `Retry-After: 10`) or 504.
    pub fn server_error(status: u16) -> Self {
        match status {
            503 => Self::new(
                503,
                "ServerTimeout",
                "The request timed out. Diagnostic information: timestamp '-'.",
            )
            .with_header("retry-after", "10"),
            502 => Self::new(
                502,
                "BadGateway",
                "The gateway did not receive a response from 'Microsoft.Compute'.",
            ),
            504 => Self::new(
                504,
                "GatewayTimeout",
                "The gateway did not receive a response from 'Microsoft.Compute' within the specified time period.",
            ),
            other => Self::new(
                other,
                "InternalServerError",
                "An internal execution error occurred. Please retry later.",
            ),
        }
    }

    /// 401: the token has expired.
    pub fn expired_token() -> Self {
        Self::unauthorized(
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
            "invalid_token",
        )
    }

    /// 401 with a claims challenge of continuous access evaluation: only a token with these claims is
    /// accepted.
    pub fn claims_challenge() -> Self {
        let mut refusal =
            Self::new(401, "InvalidAuthenticationToken", "Continuous access evaluation denied the token.");
        refusal.headers.push((
            "www-authenticate".into(),
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
             error=\"insufficient_claims\", \
             claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ==\""
                .to_owned(),
        ));
        refusal
    }

    pub(crate) fn unauthorized(code: &str, message: &str, error: &str) -> Self {
        let uri = "https://login.microsoftonline.com/common/oauth2/authorize";
        Self::new(401, code, message).with_header(
            "www-authenticate",
            format!("Bearer authorization_uri=\"{uri}\", error=\"{error}\", error_description=\"{message}\""),
        )
    }
}

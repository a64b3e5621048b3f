//! Every code that the fact sheets name, and who can mend it.

use super::{Error, Failure, ResourceFailure as Resource, SystemFailure as System};

fn failure(status: u16, code: &str) -> Failure {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
    Error::from_answer("reading the resource", status, body.as_bytes(), None).failure
}

#[test]
fn status_decides_first_and_code_second() {
    for (status, code, expected) in [
        (400, "InvalidApiVersionParameter", Failure::Resource(Resource::Refused)),
        (400, "BadRequest", Failure::Resource(Resource::Refused)),
        (401, "ExpiredAuthenticationToken", Failure::System(System::Unauthorized)),
        (401, "InvalidAuthenticationTokenTenant", Failure::Resource(Resource::WrongTenant)),
        (403, "AuthorizationFailed", Failure::Resource(Resource::Forbidden)),
        (403, "LinkedAuthorizationFailed", Failure::Resource(Resource::Forbidden)),
        (403, "RequestDisallowedByPolicy", Failure::Resource(Resource::DisallowedByPolicy)),
        (403, "DenyAssignmentAuthorizationFailed", Failure::Resource(Resource::DenyAssignment)),
        (404, "ResourceNotFound", Failure::Gone),
        (404, "ResourceGroupNotFound", Failure::Gone),
        (404, "NotFound", Failure::Gone),
        (404, "SubscriptionNotFound", Failure::Resource(Resource::SubscriptionNotFound)),
        (404, "InvalidResourceType", Failure::Resource(Resource::Refused)),
        (405, "MethodNotAllowed", Failure::Resource(Resource::Refused)),
        (408, "RequestTimeout", Failure::System(System::Timeout)),
        (409, "OperationNotAllowed", Failure::Resource(Resource::Conflict)),
        (409, "ChangeDiskSizeWhileActiveSasNotAllowed", Failure::Resource(Resource::Conflict)),
        (409, "ScopeLocked", Failure::Resource(Resource::Locked)),
        (409, "Conflict", Failure::Overtaken),
        (409, "ConflictingConcurrentWriteNotAllowed", Failure::Overtaken),
        (409, "SomethingNew", Failure::Resource(Resource::Conflict)),
        (412, "PreconditionFailed", Failure::Resource(Resource::Refused)),
        (429, "OperationNotAllowed", Failure::System(System::Throttled)),
        (429, "SubscriptionRequestsThrottled", Failure::System(System::Throttled)),
        (500, "InternalServerError", Failure::System(System::ServerError)),
        (502, "BadGateway", Failure::System(System::ServerError)),
        (503, "ServiceUnavailable", Failure::System(System::ServerError)),
        (504, "GatewayTimeout", Failure::System(System::ServerError)),
        (302, "", Failure::System(System::Unreadable)),
    ] {
        assert_eq!(failure(status, code), expected, "{status} {code}");
    }
}

#[test]
fn operations_that_were_overtaken_are_looked_at_again() {
    let body = |code: &str| super::Body { code: Some(code.into()), ..Default::default() };
    let ended = |is_canceled, code: &str| Error::from_operation(is_canceled, Some(&body(code))).failure;
    assert_eq!(ended(false, "OperationPreempted"), Failure::Overtaken);
    assert_eq!(ended(true, "OperationPreempted"), Failure::Overtaken);
    assert_eq!(ended(false, "InternalExecutionError"), Failure::Resource(Resource::OperationFailed));
    assert_eq!(ended(true, "Canceled"), Failure::Resource(Resource::OperationCanceled));
    assert_eq!(Error::from_operation(false, None).failure, Failure::Resource(Resource::OperationFailed));
}

#[test]
fn both_forms_of_the_error_body_are_read_and_any_other_is_survived() {
    for (body, code) in [
        (r#"{"error":{"code":"A","message":"m","details":[{"code":"B"}],"innererror":{}}}"#, Some("A")),
        (r#"{"code":"A","message":"m","details":[]}"#, Some("A")),
        (r#"{"error":{"message":"m","details":[{"message":"m"},{"code":"B"}]}}"#, Some("B")),
        (r#"{"error":{"code":"","innererror":{"code":"C"}}}"#, Some("C")),
        (r#"{"error":{"error":{"code":"D","message":"m"}}}"#, Some("D")),
        (r#"{"error":{"message":"m"}}"#, None),
        (r#"{"error":null}"#, None),
        (r#"{"error":"text"}"#, None),
        ("<html>Bad Gateway</html>", None),
        ("", None),
        ("[]", None),
    ] {
        let error = Error::from_answer("setting dataAccessAuthMode", 409, body.as_bytes(), None);
        assert_eq!(error.code.as_deref(), code, "{body}");
    }
}

#[test]
fn messages_are_one_line_of_bounded_length() {
    let body = format!(r#"{{"error":{{"code":"A","message":"a\r\nb{}"}}}}"#, "x".repeat(9_000));
    let text = Error::from_answer("setting dataAccessAuthMode", 409, body.as_bytes(), None).to_string();
    assert!(text.starts_with("setting dataAccessAuthMode failed: 409 A a  bx"), "{text}");
    assert!(text.chars().count() < 400 && !text.contains('\n'));
}

#[test]
fn what_is_longer_or_deeper_than_arms_answers_concerns_the_resource_and_names_the_bound() {
    let deep =
        |levels: usize| format!("{}{{\"code\":\"A\"}}{}", "{\"error\":".repeat(levels), "}".repeat(levels));
    let refused = |status, levels| {
        Error::from_answer("setting dataAccessAuthMode", status, deep(levels).as_bytes(), None)
    };
    assert_eq!(refused(409, 60).code.as_deref(), Some("A"));
    let error = refused(409, 5_000);
    assert_eq!(error.failure, Failure::Resource(Resource::AnswerTooLarge));
    assert_eq!(error.message, "the answer has more than 127 levels");
    assert_eq!(refused(500, 5_000).failure, Failure::System(System::ServerError));

    let too_large = |status| Error::from_answer("reading the resource", status, b"", None).too_large(1_000);
    let error = too_large(200);
    assert_eq!(error.failure, Failure::Resource(Resource::AnswerTooLarge));
    assert_eq!(error.to_string(), "reading the resource failed: the answer has more than 1000 bytes");
    assert_eq!(too_large(429).failure, Failure::System(System::Throttled), "its status is believed");
    assert_eq!(too_large(503).failure, Failure::System(System::ServerError));
    let code = format!(r#"{{"code":"{}"}}"#, "x".repeat(9_000));
    let error = Error::from_answer("reading the resource", 409, code.as_bytes(), None);
    assert!(error.code.is_some_and(|code| code.len() < 400));
}

//! What an operation's headers and polls mean.

use azure_core::Bytes;

use super::*;
use crate::{arm::error::ResourceFailure, resource::DataAccessAuthMode};

const ARM: &str = "https://management.azure.com";

fn disk() -> ResourceId {
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d"
        .parse()
        .unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(*name, value.parse().unwrap());
    }
    headers
}

fn operation(pairs: &[(&'static str, &str)]) -> Operation {
    Operation::from_headers(&disk(), &headers(pairs), &Url::parse(ARM).unwrap(), OffsetDateTime::UNIX_EPOCH)
}

#[test]
fn azure_async_operation_goes_before_location_and_a_long_url_is_kept_as_it_is() {
    let long =
        format!("{ARM}/subscriptions/s/DiskOperations/1?p=x&t=6&c=MII{}&s=-_~.%2B&h=y", "A".repeat(4_500));
    match operation(&[("azure-asyncoperation", &long), ("location", "https://management.azure.com/l")]).status
    {
        Some(Status::AsyncOperation(url)) => assert_eq!(url.as_str(), long),
        other => panic!("{other:?}"),
    }
    let only = operation(&[("location", "https://management.azure.com/l"), ("retry-after", "2")]);
    assert!(matches!(only.status, Some(Status::Location(_))));
    assert_eq!(only.retry_after, Some(Duration::from_secs(2)));
}

#[test]
fn an_operation_elsewhere_than_at_arm_is_not_followed() {
    for url in [
        "https://evil.example/op",
        "http://management.azure.com/op",
        "https://management.azure.com:8443/op",
        "https://management.azure.com.evil.example/op",
        "https://management.azure.com@evil.example/op",
        "/relative",
        "",
    ] {
        assert!(operation(&[("azure-asyncoperation", url)]).status.is_none(), "{url}");
    }
}

fn poll(status: &Status, code: u16, body: &str) -> Result<State, Error> {
    let answer = Answer { status: code, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) };
    state(status, &answer, &disk())
}

fn carries_the_mode(state: &State) -> bool {
    let mode = DataAccessAuthMode::AzureActiveDirectory;
    matches!(state, State::Succeeded(Some(resource)) if resource.data_access_auth_mode == mode)
}

const SEALED: &str = r#"{"properties":{"dataAccessAuthMode":"AzureActiveDirectory"}}"#;

#[test]
fn only_a_terminal_status_ends_an_asynchronous_operation() {
    let status = Status::AsyncOperation(Url::parse(ARM).unwrap());
    for running in ["InProgress", "Running", "Accepted", "Created", "SomethingNew"] {
        let body = format!("{{\r\n  \"status\": \"{running}\"\r\n}}");
        assert_eq!(poll(&status, 200, &body).unwrap(), State::Running, "{running}");
    }
    let output = format!(r#"{{"status":"succeeded","properties":{{"output":{SEALED}}}}}"#);
    assert!(carries_the_mode(&poll(&status, 200, &output).unwrap()));
    for bare in [r#"{"status":"Succeeded"}"#, r#"{"status":"Succeeded","properties":null}"#] {
        assert_eq!(poll(&status, 200, bare).unwrap(), State::Succeeded(None), "{bare}");
    }
    for unclear in ["{}", "", "<html>", "[]", r#"{"status":null}"#] {
        assert_eq!(poll(&status, 200, unclear).unwrap(), State::Unknown, "{unclear}");
        assert_eq!(poll(&status, 202, unclear).unwrap(), State::Unknown, "{unclear}");
    }
    for (body, failure) in [
        (
            r#"{"status":"Failed","error":{"code":"InternalExecutionError"}}"#,
            ResourceFailure::OperationFailed,
        ),
        (r#"{"status":"Failed"}"#, ResourceFailure::OperationFailed),
        (r#"{"status":"Canceled"}"#, ResourceFailure::OperationCanceled),
        (r#"{"status":"Cancelled"}"#, ResourceFailure::OperationCanceled),
    ] {
        assert_eq!(poll(&status, 200, body).unwrap_err().failure, Failure::Resource(failure), "{body}");
    }
    let preempted = r#"{"status":"Failed","error":{"code":"OperationPreempted","message":"m"}}"#;
    assert_eq!(poll(&status, 200, preempted).unwrap_err().failure, Failure::Overtaken);
}

#[test]
fn a_location_is_running_while_it_answers_202() {
    let status = Status::Location(Url::parse(ARM).unwrap());
    assert_eq!(poll(&status, 202, "").unwrap(), State::Running);
    assert!(carries_the_mode(&poll(&status, 200, SEALED).unwrap()));
    assert_eq!(poll(&status, 204, "").unwrap(), State::Succeeded(None));
}

#[test]
fn a_token_goes_to_arms_own_address_alone_and_beside_no_credentials() {
    let endpoint = Url::parse("https://management.azure.com").unwrap();
    for (url, is_arms) in [
        ("https://management.azure.com/operations/1?sig=x", true),
        ("https://MANAGEMENT.azure.com:443/", true),
        ("https://user:s3cret@management.azure.com/operations/1", false),
        ("https://user@management.azure.com/", false),
        ("https://:s3cret@management.azure.com/", false),
        ("http://management.azure.com/", false),
        ("https://management.azure.com@evil.example/", false),
        ("https://management.azure.com.evil.example/", false),
    ] {
        assert_eq!(is_of(&endpoint, &Url::parse(url).unwrap()), is_arms, "{url}");
    }
}

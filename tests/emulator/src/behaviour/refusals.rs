//! Requests that Resource Manager refuses before it reads the resource.

use std::time::Duration;

use azure_core::http::Method;
use serde_json::json;

use super::{ARM, Client, SUBSCRIPTION, VERSION, user};
use crate::{options::Options, write::Caller};

#[tokio::test(start_paused = true)]
async fn tokens_are_looked_at() {
    let mut client = Client::immediate();
    let target = format!("{}?{VERSION}", client.seed("d"));
    let emulator = client.emulator.clone();
    let stranger = Caller { tenant_id: "bbbbbbbb-0000-4000-8000-000000000000".to_owned(), ..user() };
    let good = emulator.token_for(&user(), ARM);
    let (head, signature) = good.rsplit_once('.').unwrap();
    for (token, code) in [
        (None, "AuthenticationFailed"),
        (Some("x".to_owned()), "InvalidAuthenticationToken"),
        (Some(format!("{head}.x{signature}")), "InvalidAuthenticationToken"),
        (
            Some(emulator.token_for(&user(), "https://graph.microsoft.com")),
            "InvalidAuthenticationTokenAudience",
        ),
        (Some(emulator.token_for(&stranger, ARM)), "InvalidAuthenticationTokenTenant"),
        (Some(emulator.token_for_lifetime(&user(), ARM, Duration::ZERO)), "ExpiredAuthenticationToken"),
    ] {
        client.token = token;
        let reply = client.get(&target).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, code));
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer authorization_uri="));
    }
    client.token = Some(good);
    assert_eq!(client.get(&target).await.status, 200);
    tokio::time::advance(Duration::from_hours(24)).await;
    assert_eq!(client.get(&target).await.code(), "ExpiredAuthenticationToken");
}

#[tokio::test(start_paused = true)]
async fn any_token_will_do_where_the_options_say_so() {
    let mut client = Client::new(Options { accept_any_token: true, ..Options::immediate() });
    let target = format!("{}?{VERSION}", client.seed("d"));
    client.token = Some("anything".to_owned());
    assert_eq!(client.get(&target).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn versions_are_looked_at() {
    let client = Client::immediate();
    let id = client.seed("d");
    for (query, code) in [
        ("", "MissingApiVersionParameter"),
        ("?api-version=", "MissingApiVersionParameter"),
        ("?api-version=latest", "InvalidApiVersionParameter"),
        ("?api-version=2021-08-01", "NoRegisteredProviderFound"),
        ("?api-version=2030-01-01", "NoRegisteredProviderFound"),
    ] {
        let reply = client.get(&format!("{id}{query}")).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{query}");
    }
    for version in ["2021-12-01", "2025-01-02", "2026-03-02"] {
        assert_eq!(client.get(&format!("{id}?api-version={version}")).await.status, 200);
    }
    let tags = format!("{id}/providers/Microsoft.Resources/tags/default?{VERSION}");
    assert_eq!(client.get(&tags).await.code(), "InvalidApiVersionParameter");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_not_found() {
    let client =
        Client::new(Options { subscriptions: vec![SUBSCRIPTION.to_owned()], ..Options::immediate() });
    let provider = format!("/subscriptions/{SUBSCRIPTION}/providers");
    for (path, code) in [
        ("/subscriptions/22222222-2222-4333-8444-555555555555", "SubscriptionNotFound"),
        ("/subscriptions/nonsense", "InvalidSubscriptionId"),
        (&format!("{provider}/Microsoft.Compute/teapots"), "InvalidResourceType"),
        (&format!("{provider}/Microsoft.Tea/pots"), "InvalidResourceNamespace"),
        ("/nowhere", "NotFound"),
    ] {
        assert_eq!(client.get(&format!("{path}?{VERSION}")).await.code(), code);
    }
    let list = format!("{provider}/Microsoft.Compute/disks?{VERSION}");
    let reply = client.send(Method::Post, &list, Some(&json!({}))).await;
    assert_eq!((reply.status, reply.code().as_str()), (405, "MethodNotAllowed"));
}

#[tokio::test(start_paused = true)]
async fn the_usual_headers_are_there() {
    let client = Client::immediate();
    let reply = client.get(&format!("{}?{VERSION}", client.seed("d"))).await;
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("expires", "-1"),
        ("content-type", "application/json; charset=utf-8"),
        ("server", "Microsoft-HTTPAPI/2.0"),
    ] {
        assert_eq!(reply.header(name), Some(value));
    }
    let correlation = reply.header("x-ms-correlation-request-id").unwrap();
    let routing = reply.header("x-ms-routing-request-id").unwrap();
    assert!(routing.starts_with("WESTEUROPE:") && routing.ends_with(correlation));
    assert!(reply.text.starts_with("{\r\n  \"name\": \"d\",\r\n") && !reply.text.ends_with('\n'));
    assert_eq!(reply.header("content-length"), Some(reply.text.len().to_string().as_str()));
}

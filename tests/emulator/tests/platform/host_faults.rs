//! What goes wrong at the host's edges: the webhook, a handler that cannot be started, time limits.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use diskseal_emulator::host::{
    Failure, FunctionsHost, HostError, Trigger, Verdict, WebhookAnswer, WebhookRequest,
};
use serde_json::{Value, json};

use crate::host::{App, event, play, started};

const INITIALIZATION: &str = "AzureFunctionsJobHost__customHandler__initializationTimeout";

async fn post(host: &FunctionsHost, function: &str, event_type: Option<&str>, body: &str) -> WebhookAnswer {
    let request = WebhookRequest { method: "POST", event_type, origin: None, body };
    host.event_grid(function).receive(request).await
}

/// `EventGridExtensionConfigProvider`, as recorded (`event-grid/webhook-*.json`).
#[tokio::test]
async fn the_webhook_answers_as_the_extension_does() {
    let (_app, host) = started(&[("AzureWebJobs_on-many_Disabled", "1")]).await;
    let events = json!([event(&json!({}))]).to_string();
    for (function, event_type, body, status) in [
        ("on-write", Some("Notification"), events.as_str(), 202),
        ("on-write", Some("nOTIFICATION"), &events, 202),
        ("on-write", Some("Unsubscribe"), "", 202),
        ("on-write", Some("Other"), &events, 400),
        ("on-write", None, &events, 400),
        ("ON-WRITE", Some("Notification"), &events, 404),
        ("queued", Some("Notification"), &events, 404),
        ("on-many", Some("Notification"), &events, 404),
        ("on-write", Some("Notification"), "", 500),
        ("on-write", Some("Notification"), "[1]", 500),
        ("on-write", Some("Notification"), "[] x", 500),
        ("on-write", Some("Notification"), "/* c */ []", 500),
        ("on-write", Some("Notification"), "[]", 202),
        ("on-write", Some("SubscriptionValidation"), "[{}]", 500),
    ] {
        let answer = post(&host, function, event_type, body).await;
        assert_eq!(answer.status, status, "{function} {event_type:?} {body}: {answer:?}");
    }
    assert_eq!(host.invocations().len(), 2);
    let mixed = json!([event(&json!({})), 1]).to_string();
    assert_eq!(post(&host, "on-write", Some("Notification"), &mixed).await.status, 500);
    assert_eq!(host.invocations().len(), 3, "the event before it was started");
    let code = json!([{ "data": { "validationCode": "512d38b6" } }]).to_string();
    let answer = post(&host, "on-write", Some("SubscriptionValidation"), &code).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"validationResponse":"512d38b6"}"#));
    let options =
        WebhookRequest { method: "OPTIONS", event_type: None, origin: Some("eventgrid.azure.net"), body: "" };
    let answer = host.event_grid("on-write").receive(options).await;
    assert_eq!((answer.status, answer.allowed_origin.as_deref()), (200, Some("eventgrid.azure.net")));
    let failing = json!([event(&json!({ "status": 500 }))]).to_string();
    let answer = post(&host, "on-write", Some("Notification"), &failing).await;
    assert_eq!(answer.body, "Exception while executing function: Functions.on-write");
}

/// One try, no count, and calls that wait four times the limit, are sent, and fail (`process/binary-missing.json`).
#[tokio::test]
async fn a_handler_that_cannot_be_started_is_tried_once_and_in_silence() {
    let app = App::new(&[(INITIALIZATION, "00:00:00.1")]);
    fs::remove_file(app.root().join("handler")).unwrap();
    let host = app.start();
    assert!(
        matches!(host.ready().await, Err(HostError::Down(reason)) if reason.contains("cannot be started"))
    );
    let call = play(&host, json!({})).await;
    assert!(matches!(call.verdict, Verdict::Failed(Failure::Connection(_))), "{call:?}");
    assert!(host.exits().is_empty());
    assert!(matches!(host.ready().await, Err(HostError::Down(reason)) if reason.contains("timed out")));
}

/// `WorkerProcess` sets the bit where it may (`process/binary-not-executable.json`).
#[tokio::test]
async fn a_handler_without_its_execute_bit_gets_it() {
    let app = App::new(&[]);
    let handler = app.root().join("handler");
    let copy = app.root().join("copy");
    fs::copy(&handler, &copy).unwrap();
    fs::rename(&copy, &handler).unwrap();
    fs::set_permissions(&handler, fs::Permissions::from_mode(0o644)).unwrap();
    let host = app.start();
    host.ready().await.unwrap();
    assert_eq!(fs::metadata(&handler).unwrap().permissions().mode() & 0o777, 0o755);
}

/// Before the handler is ready, code 0 is noticed only at the end of the wait (`process/exit-0-at-start.json`); a
/// connection that is closed without an answer counts as ready (`process/ready-closes-connection.json`).
#[tokio::test]
async fn the_wait_for_a_handler_ends_in_its_time_or_with_any_answer() {
    let app = App::new(&[("PUPPET_START", "0"), (INITIALIZATION, "00:00:00.1")]);
    let host = app.start();
    assert!(matches!(host.ready().await, Err(HostError::Down(_))));
    assert_eq!(host.exits().iter().filter(|exit| exit.counted && exit.code == Some(0)).count(), 3);
    for (name, value) in [("PUPPET_START", "closes"), ("PUPPET_ROOT", "500")] {
        let app = App::new(&[(name, value)]);
        app.start().ready().await.unwrap();
    }
}

/// `functionTimeout` counts from the invocation, and covers the wait for the handler (`FunctionExecutor`).
#[tokio::test]
async fn the_time_limit_covers_the_wait_for_the_handler() {
    let limit = ("AzureFunctionsJobHost__functionTimeout", "00:00:00.2");
    let app = App::new(&[("PUPPET_START", "deaf"), limit]);
    let host = app.start();
    assert_eq!(play(&host, json!({})).await.verdict, Verdict::TimedOut);
}

/// An element that is too large fails the invocation; those before it are on the queue.
#[tokio::test]
async fn what_was_put_before_a_failed_output_stays() {
    let (_app, host) = started(&[]).await;
    let outputs = json!({ "pending": [{ "n": 1 }, { "s": "x".repeat(64 * 1024) }, { "n": 3 }] });
    let body = json!({ "Outputs": outputs }).to_string();
    let trigger: Value = event(&json!({ "body": body }));
    let call = host.invoke("on-write", Trigger::Event(trigger)).await.unwrap();
    assert!(matches!(call.verdict, Verdict::Failed(Failure::Output(_, _))), "{call:?}");
    assert_eq!(host.queues().queue("out").len(), 1);
    assert_eq!(host.function_timeout(), Some(Duration::from_mins(30)));
}

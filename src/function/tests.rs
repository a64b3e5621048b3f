//! The edges of the protocol, without ARM: requests that need no context get an answer without one.

use axum::{
    body::{Body, to_bytes},
    http::{Request, header::CONTENT_TYPE},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

/// The status, the type and the body of the answer.
async fn call(
    router: Router,
    method: &str,
    path: &str,
    body: impl Into<Body>,
) -> (StatusCode, String, String) {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let (head, body) = router.oneshot(request).await.unwrap().into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    (head.status, content_type.unwrap_or_default(), String::from_utf8(body).unwrap())
}

fn app() -> Router {
    router(Arc::new(App::new(Duration::from_secs(25))))
}

#[tokio::test]
async fn the_readiness_poll_is_answered_before_anything_is_warm() {
    assert_eq!(call(app(), "GET", "/", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_invocation_gets_a_status_a_type_and_a_reason() {
    for (path, body, status) in [
        ("/nothing", "{}".to_owned(), StatusCode::NOT_FOUND),
        ("/SEAL-ON-WRITE", "{}".to_owned(), StatusCode::NOT_FOUND),
        ("/api/seal_on_write", "{}".to_owned(), StatusCode::NOT_FOUND),
        ("/seal_on_write", String::new(), StatusCode::BAD_REQUEST),
        ("/seal_queued", r#"{"Data":{}}"#.to_owned(), StatusCode::BAD_REQUEST),
        ("/sweep", r#"{"Data":{"timer":"x"}}"#.to_owned(), StatusCode::BAD_REQUEST),
        ("/seal_on_write", "x".repeat(BODY_BYTES_MAX + 1), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let (actual, content_type, reply) = call(app(), "POST", path, body).await;
        assert_eq!((actual, content_type.as_str()), (status, "application/json"), "{path}");
        let reply: Value = serde_json::from_str(&reply).unwrap();
        assert!(!reply["error"].as_str().unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read() {
    let padding = "x".repeat(BODY_BYTES_MAX - 30);
    let body = format!(r#"{{"Data":{{"x":"{padding}"}}}}"#);
    let (status, ..) = call(app(), "POST", "/seal_on_write", body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "read, and found to have no event");
}

#[tokio::test(start_paused = true)]
async fn an_invocation_that_is_never_warm_fails_within_its_deadline() {
    let event = json!({"Data": {"event": {}}}).to_string();
    let (status, _, reply) = call(app(), "POST", "/seal_on_write", event).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.contains("still starting"));
}

#[tokio::test]
async fn a_panic_fails_its_own_invocation_alone() {
    async fn broken() -> StatusCode {
        panic!("a defect");
    }
    let router = guarded(Router::new().route("/broken", post(broken)).route("/whole", post(|| async { "" })));
    let (status, content_type, reply) = call(router.clone(), "POST", "/broken", "").await;
    assert_eq!((status, content_type.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "application/json"));
    assert!(!reply.contains("a defect"), "the panic's message is not sent to the caller");
    assert_eq!(call(router, "POST", "/whole", "").await.0, StatusCode::OK);
}

fn message(name: &str) -> Value {
    let group = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg";
    json!({
        "resource": format!("{group}/providers/Microsoft.Compute/disks/{name}"),
        "reason": "conflict",
        "firstSeen": "2026-11-24T01:02:03Z",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "correlationId": "a1b2",
    })
}

async fn body_of(reply: Reply) -> Value {
    let response = reply.into_response();
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_success_is_never_empty_and_its_outputs_are_objects() {
    let done = body_of(Reply::done("sealed".into())).await;
    assert_eq!(done, json!({"Outputs": {}, "Logs": ["sealed"], "ReturnValue": null}));

    let pending = |name: &str| serde_json::from_value::<Pending>(message(name)).unwrap();
    let one = body_of(Reply::Succeeded { outputs: vec![pending("a")].into(), logs: vec![] }).await;
    assert_eq!(one["Outputs"]["pending"], message("a"));
    let two =
        body_of(Reply::Succeeded { outputs: vec![pending("a"), pending("b")].into(), logs: vec![] }).await;
    assert_eq!(two["Outputs"]["pending"], json!([message("a"), message("b")]));
}

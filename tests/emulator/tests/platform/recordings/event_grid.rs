//! Events and the webhook.

use diskseal_emulator::host::{FunctionsHost, Trigger, WebhookRequest};
use serde_json::{Value, json};

use super::{App, Handler, case, event_function, names, queue_function, recorded, same_requests, text};

pub(super) async fn post(host: &FunctionsHost, given: &Value) -> (u16, Option<String>, String) {
    let header = |wanted: &str| {
        let mut headers = given["headers"].as_array().into_iter().flatten();
        headers.find(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(wanted))?[1].as_str()
    };
    let request = WebhookRequest {
        method: text(&given["method"], "a method"),
        event_type: header("aeg-event-type"),
        origin: header("WebHook-Request-Origin"),
        body: text(&given["body"], "a body"),
    };
    let answer = host.event_grid(text(&given["function"], "a function")).receive(request).await;
    (answer.status, answer.allowed_origin, answer.body)
}

#[tokio::test(start_paused = true)]
async fn events_reach_the_handler_as_recorded() {
    for name in names("event-grid") {
        if name == "event-grid/eventgrid-cardinality-many" {
            continue;
        }
        let case = case(&name);
        let handler = Handler::answering(&case["reply"]);
        let app = App::new(&json!({}), &[event_function(), queue_function()]);
        let host = app.start(&handler);
        let (status, origin, body) = post(&host, &case["given"]).await;
        let webhook = &case["webhook"];
        assert_eq!(json!(status), webhook["status"], "{name}");
        if case["webhookThrew"].is_null() {
            assert_eq!(json!(body), webhook["body"], "{name}");
            let headers = webhook["headers"].as_array().unwrap();
            let allowed = headers.iter().find(|header| header[0] == "Webhook-Allowed-Origin");
            assert_eq!(origin.as_deref(), allowed.and_then(|header| header[1].as_str()), "{name}");
        }
        same_requests(&name, &handler.seen(), &recorded(&case));
        let called = if handler.seen().is_empty() { "notCalled" } else { "called" };
        let ended = host.invocations().iter().all(diskseal_emulator::host::Invocation::succeeded);
        match text(&case["outcome"], &name) {
            "notCalled" => assert_eq!(called, "notCalled", "{name}"),
            outcome => assert_eq!(ended, outcome == "succeeded", "{name}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_events_in_one_call_are_a_text_as_recorded() {
    let name = "event-grid/eventgrid-cardinality-many";
    if !names("event-grid").iter().any(|known| known == name) {
        return;
    }
    let case = case(name);
    let trigger =
        json!({ "type": "eventGridTrigger", "direction": "in", "name": "event", "cardinality": "many" });
    let app = App::new(&json!({}), &[("seal_on_write", json!([trigger]))]);
    let handler = Handler::default();
    let host = app.start(&handler);
    for request in recorded(&case) {
        let body: Value = serde_json::from_str(text(&request["body"], name)).unwrap();
        let events = serde_json::from_str(text(&body["Data"]["event"], name)).unwrap();
        assert!(host.invoke("seal_on_write", Trigger::Events(events)).await.unwrap().succeeded());
    }
    same_requests(name, &handler.seen(), &recorded(&case));
}

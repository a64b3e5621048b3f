//! The control surface and the custom topic, over HTTP.

use std::{collections::BTreeMap, path::Path};

use diskseal_emulator::{
    Options, disk_body,
    estate::disk_id,
    event_grid::EventGridOptions,
    local_azure::{LocalAzure, Setup},
};
use reqwest::{Certificate, Client, Response};
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;

const SUBSCRIPTION: &str = "11111111-2222-4333-8444-555555555555";

async fn start() -> (LocalAzure, Client) {
    // Another test may have installed it already.
    let _ = ring::default_provider().install_default();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let puppet = Path::new(env!("CARGO_BIN_EXE_puppet"));
    let mut setup = Setup::new(&repository, puppet, "seal_on_write");
    setup.azure = Options::immediate();
    setup.queue_speed = 1e6;
    setup.event_grid = EventGridOptions { speed: 1e6, ..EventGridOptions::default() };
    let schedule = ("DISKSEAL_SWEEP_SCHEDULE".to_owned(), "0 0 * * * *".to_owned());
    let azure = LocalAzure::start(setup, |_| BTreeMap::from([schedule])).await.unwrap();
    let authority = Certificate::from_pem(&std::fs::read(azure.serving.ca_pem()).unwrap()).unwrap();
    (azure, Client::builder().tls_certs_only([authority]).build().unwrap())
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

struct Remote(String, Client);

impl Remote {
    async fn get(&self, path: &str) -> (u16, Value) {
        read(self.1.get(format!("{}{path}", self.0)).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.1.post(format!("{}{path}", self.0)).body(body.to_string());
        read(request.send().await.unwrap()).await
    }

    async fn delete(&self, path: &str) -> u16 {
        self.1.delete(format!("{}{path}", self.0)).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn records_in_process_and_over_http_are_equal() {
    let (azure, client) = start().await;
    let remote = Remote(azure.control.url.clone(), client.clone());
    let id = disk_id(SUBSCRIPTION, "rg-app", "disk-1");
    azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
    assert_eq!(remote.get("/resources").await.1[0]["id"], json!(id));

    let fault = json!({
        "action": {"refuse": {"as": "throttledArm", "retryAfter": 7}}, "kind": "get", "resource": "disk-1"
    });
    let (status, ordered) = remote.post("/faults", &fault).await;
    assert_eq!((status, &ordered["id"], &ordered["met"]), (201, &json!(1), &json!(0)));
    let get = client.get(format!("{}{id}?api-version=2024-03-02", azure.serving.arm_https));
    let jane = diskseal_emulator::write::Caller::user("0d0d0d0d-0000-4000-8000-000000000001", "Jane Doe");
    let get = get.bearer_auth(azure.emulator.token_for(&jane, "https://management.azure.com/"));
    let refused = get.try_clone().unwrap().send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(get.send().await.unwrap().status(), 200, "once, unless more is said");
    assert_eq!(remote.get("/faults").await.1[0]["met"], 1);
    let journal = remote.get("/journal?resource=DISK-1").await.1;
    assert_eq!((&journal[0]["kind"], &journal[0]["fault"]), (&json!("get"), &json!("refuse")));
    assert_eq!(journal[1]["callerObjectId"], json!(jane.object_id));
    assert_eq!(remote.get("/journal?last=1").await.1[0]["status"], 200);

    let (_, held) = remote.post("/faults", &json!({"action": "hold"})).await;
    assert_eq!(remote.post("/faults/2/release", &json!(null)).await.0, 204);
    assert_eq!(remote.delete("/faults/2").await, 204);
    assert_eq!((held["id"].clone(), remote.delete("/faults/2").await), (json!(2), 404));
    assert_eq!(remote.delete("/faults").await, 204);
    assert_eq!(remote.get("/faults").await.1, json!([]));

    let (_, index) = remote.get("/").await;
    assert_eq!(index["requests"].as_array().unwrap().len(), 22);
    for (status, answer) in [
        remote.get("/nothing").await,
        remote.get("/journal?since=yesterday").await,
        remote.post("/faults", &json!({"action": "explode"})).await,
        remote.post("/resources", &json!({})).await,
        remote.post("/events/disk-1", &json!({"late": 1})).await,
        remote.post("/timer/nobody", &json!({})).await,
    ] {
        assert!((400..500).contains(&status) && answer["error"].is_string(), "{status} {answer}");
    }
}

#[tokio::test]
async fn the_handler_is_driven_over_http() {
    let (azure, client) = start().await;
    let remote = Remote(azure.control.url.clone(), client);
    let reply = json!({"Outputs": {"pending": {"id": "/d", "puppet": {"status": 500}}}}).to_string();
    let events = json!([crate::host::event(&json!({ "body": reply })), crate::host::event(&json!({}))]);
    assert_eq!(remote.post("/publish", &events).await, (202, json!({"published": 2})));
    azure.event_grid.idle().await;
    azure.host.queues_drained().await;
    assert_eq!(remote.get("/deliveries").await.1["stats"]["delivered"], 2);
    assert_eq!(remote.get("/dead-letters").await.1, json!([]));
    let poison = &remote.get("/queue").await.1["diskseal-pending-poison"];
    assert_eq!(poison[0]["content"]["id"], "/d", "the content, not its Base64: {poison}");
    let invocations = remote.get("/invocations?function=seal_on_write").await.1;
    assert_eq!(invocations.as_array().unwrap().len(), 2);

    let pid = azure.host.pid("seal_on_write").unwrap();
    let (status, exit) = remote.post("/kill", &json!({})).await;
    assert_eq!((status, &exit["pid"], &exit["signal"]), (200, &json!(pid), &json!(9)));
    azure.host.ready().await.unwrap();
    let (front, queued) = (azure.host.pid("seal_on_write"), azure.host.pid("seal_queued"));
    let (status, exit) = remote.post("/kill?group=function:seal_queued", &json!({})).await;
    assert_eq!((status, &exit["pid"]), (200, &json!(queued)));
    azure.host.ready().await.unwrap();
    assert_eq!(azure.host.pid("seal_on_write"), front, "the other groups go on");
    assert_eq!(remote.post("/kill?group=nobody", &json!({})).await.0, 404);
    let (status, invocation) = remote.post("/timer/sweep", &json!({})).await;
    assert_eq!((status, &invocation["verdict"]), (200, &json!("succeeded")));
    assert!(remote.get("/console").await.1.is_array() && remote.get("/spans").await.1.is_array());
    assert_eq!(remote.get("/metrics?name=none").await.1, json!([]));
}

#[tokio::test]
async fn events_are_published_as_to_a_topic_of_azure() {
    let (azure, client) = start().await;
    let topic = azure.control.topic.clone().unwrap();
    let publish = |endpoint: &str, kind: &str, key: &str, body: &Value| {
        let request = client.post(format!("{endpoint}?api-version=2018-01-01"));
        request.header("content-type", kind).header("aeg-sas-key", key).body(body.to_string()).send()
    };
    let event = json!({
        "id": "1", "subject": "/s", "eventType": "t", "eventTime": "2026-11-24T01:02:03.4567891Z", "data": {}
    });
    let cloud = json!({"id": "1", "source": "/s", "specversion": "1.0", "type": "t", "data": {}});
    for (endpoint, kind, body) in [
        (&topic.https, "application/json; charset=utf-8", json!([event, event])),
        (&topic.http, "application/cloudevents-batch+json; charset=utf-8", json!([cloud])),
        (&topic.https, "application/cloudevents+json", cloud.clone()),
    ] {
        let answer = publish(endpoint, kind, &topic.key, &body).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, ""), "{kind}");
    }
    azure.event_grid.idle().await;
    assert_eq!(azure.event_grid.stats().delivered, 4);

    for (kind, key, body, expected, told) in [
        ("application/json", "wrong", json!([event]), 401, "Unauthorized"),
        ("application/json", topic.key.as_str(), event.clone(), 400, "BadRequest"),
        ("application/json", topic.key.as_str(), json!([{"id": "1"}]), 400, "BadRequest"),
        ("application/cloudevents-batch+json", topic.key.as_str(), json!([event]), 400, "BadRequest"),
        ("text/plain", topic.key.as_str(), json!([event]), 415, "UnsupportedMediaType"),
        (
            "application/json",
            topic.key.as_str(),
            json!(["x".repeat(1_100_000)]),
            413,
            "RequestEntityTooLarge",
        ),
    ] {
        let (status, answer) = read(publish(&topic.http, kind, key, &body).await.unwrap()).await;
        assert_eq!((status, &answer["error"]["code"]), (expected, &json!(told)), "{answer}");
        assert!(answer["error"]["details"][0]["message"].is_string());
    }
    let without = client.post(&topic.http).header("aeg-sas-key", &topic.key).send().await.unwrap();
    assert_eq!(without.status(), 400, "no api-version");
    azure.event_grid.idle().await;
    assert_eq!(azure.event_grid.stats().published, 4, "nothing of a batch that is refused");
}

#[tokio::test]
async fn pages_of_others_cannot_use_it() {
    let (azure, client) = start().await;
    let url = format!("{}/faults", azure.control.url);
    let own = azure.control.url.as_str();
    let post = |name: &'static str, value: &str| {
        client.post(&url).header(name, value).body(json!({"action": "reset"}).to_string()).send()
    };
    for (name, value, expected) in [
        ("origin", own, 201),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://127.0.0.1:1", 403),
        ("origin", &own.replace("http:", "https:"), 403),
        ("host", "evil.example", 403),
        ("host", &own.replace("http://127.0.0.1", "localhost"), 201),
    ] {
        let answer = post(name, value).await.unwrap();
        assert!(answer.headers().get("access-control-allow-origin").is_none());
        assert_eq!(answer.status().as_u16(), expected, "{name}: {value}");
    }
    let get = client.get(&url).header("host", "evil.example").send().await.unwrap();
    assert_eq!(get.status(), 403, "a foreign name must not read either");
    let faults: Value = read(client.get(&url).send().await.unwrap()).await.1;
    assert_eq!(faults.as_array().unwrap().len(), 2, "what was refused has done nothing: {faults}");
}

#[tokio::test]
async fn rows_of_resource_graph_are_added_as_they_are() {
    let (azure, client) = start().await;
    let remote = Remote(azure.control.url.clone(), client);
    let row = json!({"id": "/vault/x", "type": "a/b", "properties": {"sourceResourceId": {"odd": true}}});
    for (table, body, status) in [
        ("recoveryservicesresources", &row, 201),
        ("resources", &row, 201),
        ("recoveryservicesresources", &json!([1]), 400),
        ("securityresources", &row, 404),
    ] {
        assert_eq!(remote.post(&format!("/rows/{table}"), body).await.0, status, "{table}");
    }
}

//! The custom-handler protocol, as the real host uses it.

use std::path::Path;

use diskseal_emulator::{
    disk_body,
    fault::{Fault, Kind, Refusal},
    host::{RawReply, Trigger},
    local_azure::LocalAzure,
    queue::Encoding,
};
use serde_json::{Value, json};

use super::{disk, event, is_sealed, setup, start};
use crate::world::SUBSCRIPTION;

fn quoted(value: &Value) -> Value {
    Value::String(value.to_string())
}

fn body(reply: &RawReply) -> Value {
    assert_eq!(reply.content_type.as_deref(), Some("application/json"));
    serde_json::from_slice(&reply.body).unwrap()
}

#[tokio::test]
async fn an_envelope_is_read_in_every_form_that_the_host_knows() {
    let azure = start(setup(), &[]).await;
    let forms: [fn(Value) -> Value; 8] = [
        |event| event,
        |event| quoted(&event),
        |event| quoted(&quoted(&event)),
        |event| json!([event]),
        |event| quoted(&json!([event])),
        |event| quoted(&quoted(&json!([event]))),
        |event| json!([quoted(&event)]),
        |event| json!([event, event]),
    ];
    for (number, form) in forms.into_iter().enumerate() {
        let id = disk(&format!("d{number}"));
        azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
        let envelope = json!({
            "Data": {"event": form(event(&id))},
            "Metadata": {"data": event(&id)["data"], "sys": {"MethodName": "seal_on_write"}},
        });
        let reply = azure.host.invoke_raw("seal_on_write", envelope.to_string()).await.unwrap();
        assert_eq!(reply.status, 200);
        let reply = body(&reply);
        assert_eq!(reply["Outputs"], json!({}), "{number}");
        assert_eq!(reply["ReturnValue"], Value::Null);
        assert!(reply["Logs"][0].as_str().unwrap().ends_with(&id), "{reply}");
        assert!(is_sealed(&azure, &id), "form {number}");
    }
}

#[tokio::test]
async fn the_hosts_own_envelopes_are_read_for_every_trigger() {
    let azure = start(setup(), &[]).await;
    let id = disk("event");
    azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
    let invocation = azure.host.invoke("seal_on_write", Trigger::Event(event(&id))).await.unwrap();
    assert!(invocation.succeeded(), "{invocation:?}");
    assert!(is_sealed(&azure, &id));
    let id = disk("queued");
    azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
    let message = json!({"resource": id, "reason": "conflict", "firstSeen": "2026-11-24T01:02:03Z"});
    let text = Encoding::Base64.encode(message.to_string().as_bytes());
    azure.queues.queue("diskseal-pending").put(text).unwrap();
    azure.host.queues_drained().await;
    assert!(is_sealed(&azure, &id));
    assert!(azure.host.fire_timer("sweep").await.unwrap().succeeded());
}

/// A copy of the app in which the Event Grid trigger receives batches.
fn batching_app() -> tempfile::TempDir {
    let (repository, copy) = (Path::new(env!("CARGO_MANIFEST_DIR")), tempfile::tempdir().unwrap());
    std::fs::copy(repository.join("host.json"), copy.path().join("host.json")).unwrap();
    for name in ["seal_on_write", "seal_queued", "sweep"] {
        let file = Path::new("function-definitions").join(name).join("function.json");
        std::fs::create_dir_all(copy.path().join(&file).parent().unwrap()).unwrap();
        let mut definition: Value =
            serde_json::from_slice(&std::fs::read(repository.join(&file)).unwrap()).unwrap();
        if definition["bindings"][0]["type"] == "eventGridTrigger" {
            definition["bindings"][0]["cardinality"] = json!("many");
        }
        std::fs::write(copy.path().join(&file), definition.to_string()).unwrap();
    }
    copy
}

async fn start_batching(more: &[(&str, &str)]) -> LocalAzure {
    let app = batching_app();
    let mut setup = setup();
    (setup.repository_root, setup.app_root) = (app.path().to_owned(), None);
    start(setup, more).await
}

#[tokio::test]
async fn of_a_batch_the_bad_go_to_the_queue_and_the_good_are_sealed() {
    let azure = start_batching(&[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("bad1").times(1));
    azure
        .emulator
        .inject(Fault::refuse(Refusal::deny_assignment()).on(Kind::Patch).resource("bad2").times(1));
    let names = ["good1", "bad1", "good2", "bad2"];
    for name in names {
        azure.emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    let mut events: Vec<_> = names.iter().map(|name| event(&disk(name))).collect();
    events.push(json!({"eventType": "Something.Else", "subject": disk("other")}));
    let invocation = azure.host.invoke("seal_on_write", Trigger::Events(events)).await.unwrap();
    assert!(invocation.succeeded(), "{invocation:?}");
    let mut pending: Vec<_> = invocation.outputs["pending"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["reason"].as_str().unwrap().to_owned())
        .collect();
    pending.sort();
    assert_eq!(pending, ["deny_assignment", "locked"]);
    assert_eq!(invocation.logs.len(), 5);
    azure.host.queues_drained().await;
    for name in names {
        assert!(is_sealed(&azure, &disk(name)), "{name}");
    }
}

#[tokio::test]
async fn a_batch_with_a_failure_of_the_system_comes_again_as_a_whole() {
    let azure = start_batching(&[("DISKSEAL_DEADLINE", "1")]).await;
    azure.emulator.inject(Fault::refuse(Refusal::server_error(500)).on(Kind::Get).resource("b").always());
    for name in ["a", "b"] {
        azure.emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    let events = vec![event(&disk("a")), event(&disk("b"))];
    let invocation = azure.host.invoke("seal_on_write", Trigger::Events(events)).await.unwrap();
    assert!(!invocation.succeeded());
    assert!(is_sealed(&azure, &disk("a")), "what could be sealed is");
}

#[tokio::test]
async fn refusals_are_logged_in_one_line_with_the_reason() {
    let azure = start(setup(), &[]).await;
    let reply = azure.host.invoke_raw("seal_on_write", r#"{"Data":{"events":[]}}"#).await.unwrap();
    assert_eq!(reply.status, 400);
    assert!(body(&reply)["error"].as_str().unwrap().contains("Data.event"));
    let line = azure.host.wait_for_line(|line| line.text.contains("refused with 400")).await;
    assert!(line.text.contains("Data.event") && line.text.contains("invocation_id="), "{line:?}");
    let large = "x".repeat(4 * 1024 * 1024 + 1);
    assert_eq!(azure.host.invoke_raw("seal_on_write", large).await.unwrap().status, 413);
    assert_eq!(azure.host.invoke_raw("nothing", "{}").await.unwrap().status, 404);
}

#[tokio::test]
async fn claims_and_tokens_are_never_logged_or_traced() {
    let azure = start(setup(), &[("RUST_LOG", "trace")]).await;
    let id = disk("d");
    azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
    let mut event = event(&id);
    event["data"]["claims"] = json!({
        "name": "Jane Secret",
        "ipaddr": "203.0.113.77",
        "http://schemas.microsoft.com/identity/claims/objectidentifier": "0d0d0d0d-5ec2-4e70-8000-000000000001",
    });
    event["data"]["authorization"] = json!({"scope": id, "evidence": {"principalId": "0d0d0d0d5ec2"}});
    let invocation = azure.host.invoke("seal_on_write", Trigger::Event(event)).await.unwrap();
    assert!(invocation.succeeded());
    azure.collector.wait_for(|span| span.name == "seal_on_write").await;
    azure.host.kill("seal_on_write").await;
    let told = format!("{:?} {:?}", azure.host.console(), azure.collector.spans());
    for secret in ["Jane", "203.0.113.77", "0d0d0d0d", "Bearer", "eyJ", &azure.serving.identity_header] {
        assert!(!told.contains(secret), "{secret} was logged or traced");
    }
    assert!(told.contains(SUBSCRIPTION));
}

//! `diskseal pending`, with the real binary: both queues, decoded, and what to do where they may not be read.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use diskseal_emulator::{
    Emulator, Options,
    estate::{disk_id, snapshot_id},
    fault::Refusal,
    queue::{QueueMessage, Queues},
    serve::Serving,
};
use serde_json::{Value, json};

use super::{
    commands::{command, program},
    tables::{OTHER, conforms, snapshots},
};
use crate::world::SUBSCRIPTION;

const SCHEMA: &str = include_str!("../../../docs/schemas/pending-1.json");
const PENDING: &str = "diskseal-pending";
const POISON: &str = "diskseal-pending-poison";
const SETTING: &str = "AzureWebJobsStorage__queueServiceUri";

fn app() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-diskseal/providers/Microsoft.Web/sites/func-diskseal"
    )
}

async fn installation() -> (Emulator, Serving) {
    let mut options = Options {
        subscriptions: vec![SUBSCRIPTION.to_owned(), OTHER.to_owned()],
        subscription_names: [(SUBSCRIPTION.to_owned(), "Production".to_owned())].into(),
        ..Options::immediate()
    };
    options.audiences.push("https://storage.azure.com".to_owned());
    let azure = Emulator::new(options);
    let serving = azure.serve().await.unwrap();
    azure.install(&app(), &[("DISKSEAL_MODE", "enforce"), (SETTING, &serving.arm_https)]);
    (azure, serving)
}

/// A message that came so long ago, after so many receipts.
fn message(id: &str, reason: &str, hours: i64, receipts: u32) -> QueueMessage {
    let first_seen = time::OffsetDateTime::now_utc() - time::Duration::hours(hours);
    let first_seen = first_seen.format(&time::format_description::well_known::Rfc3339).unwrap();
    let content = json!({"resource": id, "reason": reason, "firstSeen": first_seen});
    let mut message = Queues::new(1.0).queue("any").put(STANDARD.encode(content.to_string())).unwrap();
    message.insertion_time -= time::Duration::hours(hours);
    message.expiration_time -= time::Duration::hours(hours);
    message.dequeue_count = receipts;
    message
}

fn foreign(text: &str) -> QueueMessage {
    Queues::new(1.0).queue("any").put(text).unwrap()
}

fn fill(azure: &Emulator) {
    let disk = |name: &str| disk_id(SUBSCRIPTION, "rg-web", name);
    azure.put_queue(
        PENDING,
        5,
        &[
            message(&disk("locked"), "locked", 2, 2),
            message(&snapshot_id(OTHER, "rg-研究", "before-upgrade"), "disallowed_by_policy", 1, 0),
            message(&disk("listed"), "sweep", 1, 15),
            foreign("c2VjcmV0IG9mIHNvbWVib2R5"),
        ],
    );
    azure.put_queue(POISON, 1, &[message(&disk("given-up-after-16-receipts"), "forbidden", 48, 0)]);
}

async fn pending(serving: &Serving, more: &[&str]) -> (Option<i32>, String, String) {
    command(serving, &[&["pending", "--app", &app()], more].concat(), "").await
}

#[tokio::test]
async fn both_queues_are_listed_with_reason_age_and_next_try() {
    let (azure, serving) = installation().await;
    fill(&azure);
    let app = app();
    snapshots(&serving, "pending", &["pending", "--app", &app]).await;
    snapshots(&serving, "pending_wide", &["pending", "--app", &app, "-o", "wide"]).await;
    let (code, out, err) = pending(&serving, &[]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(!out.contains("c2Vj") && !out.contains("secret"), "somebody else's text is never shown: {out}");
    let journal = azure.journal();
    assert!(journal.iter().all(|exchange| matches!(exchange.method.as_str(), "GET" | "POST")));
    let received = |path: &str| path.ends_with("/messages");
    let of_queues: Vec<_> = journal.iter().filter(|exchange| received(&exchange.path)).collect();
    assert!(!of_queues.is_empty() && of_queues.iter().all(|exchange| exchange.method == "GET"));
}

#[tokio::test]
async fn the_json_has_what_its_schema_says() {
    let (azure, serving) = installation().await;
    fill(&azure);
    let (code, out, _) = pending(&serving, &["-o", "json"]).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    conforms(SCHEMA, &json);
    assert_eq!(code, Some(0));
    let queue = &json["pending"];
    assert_eq!((&queue["messages"], &queue["unseen"], &queue["foreign"]), (&json!(5), &json!(1), &json!(1)));
    let rows: Vec<_> = queue["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
            (
                text("name"),
                text("subscriptionName"),
                text("outcome"),
                text("reason"),
                one["nextTrySeconds"].clone(),
            )
        })
        .collect();
    let row = |name: &str, subscription: &str, reason: &str, next: u64| {
        (name.to_owned(), subscription.to_owned(), "pending".to_owned(), reason.to_owned(), json!(next))
    };
    assert_eq!(
        rows,
        [
            row("locked", "Production", "locked", 300),
            row("before-upgrade", "Local 99999999", "disallowed_by_policy", 0),
            row("listed", "Production", "sweep", 0),
        ]
    );
    let given_up = &json["poison"]["resources"][0];
    assert_eq!((&given_up["outcome"], &given_up["nextTrySeconds"]), (&json!("given_up"), &Value::Null));
    assert_eq!(given_up["detail"], "the handler's identity lacks a role on it");
}

/// With the emulator's own queue, whose hidden messages no client can read.
#[tokio::test]
async fn a_message_that_waits_for_its_next_try_is_counted_and_not_listed() {
    let (azure, serving) = installation().await;
    let queues = Queues::new(1.0);
    azure.serve_queues(&queues);
    let queue = queues.queue(PENDING);
    for name in ["tried", "new"] {
        let content = json!({"resource": disk_id(SUBSCRIPTION, "rg-web", name), "reason": "locked", "firstSeen": "2026-11-27T01:02:03Z"});
        queue.put(STANDARD.encode(content.to_string())).unwrap();
        if name == "tried" {
            queue.receive(1, Duration::from_mins(5));
        }
    }
    let (code, out, _) = pending(&serving, &[]).await;
    assert_eq!(code, Some(0));
    assert!(out.starts_with("diskseal-pending: 2 messages: 1 hidden until the next try"), "{out}");
    assert!(out.contains("\nnew ") && !out.contains("tried "), "{out}");
    assert!(out.contains("diskseal-pending-poison: no messages\n"), "{out}");
    let (_, out, _) = pending(&serving, &["-o", "json"]).await;
    conforms(SCHEMA, &serde_json::from_str(&out).unwrap());

    // More than one peek returns, all of them visible.
    let many: Vec<_> = (0..32)
        .map(|number| message(&disk_id(SUBSCRIPTION, "rg", &format!("d{number}")), "locked", 1, 0))
        .collect();
    azure.put_queue(POISON, 41, &many);
    let (_, out, _) = pending(&serving, &[]).await;
    assert!(out.contains("41 messages: 9 behind the first 32 or hidden"), "{out}");
}

#[tokio::test]
async fn a_missing_role_is_named_with_the_command_that_assigns_it() {
    let (azure, serving) = installation().await;
    let object_id = azure.options().system_identity.as_ref().unwrap().object_id.clone();
    let refusal = |code: &'static str| {
        Refusal::new(403, "AuthorizationFailed", "Not authorized.").with_header("x-ms-error-code", code)
    };
    // "Common REST API error codes": the role is missing, or the network is refused.
    azure.refuse_fact(&format!("/{PENDING}"), refusal("AuthorizationPermissionMismatch"));
    let (code, out, err) = pending(&serving, &[]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    for part in [
        "needs the role Storage Queue Data Reader",
        &format!("az role assignment create --assignee {object_id} \\"),
        "--role \"Storage Queue Data Reader\"",
        "--scope $(az storage account show --name localhost --query id --output tsv)",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
    azure.refuse_fact(&format!("/{PENDING}"), refusal("AuthorizationFailure"));
    let (code, _, err) = pending(&serving, &[]).await;
    assert!(code == Some(1) && err.contains("firewall") && !err.contains("az role"), "{err}");
    azure.refuse_fact(&format!("/{PENDING}"), Refusal::new(500, "InternalError", "The server is busy."));
    let (code, out, err) = pending(&serving, &[]).await;
    assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
    // Half an answer is none.
    azure.forget_fact(&format!("/{PENDING}"));
    azure.refuse_fact(&format!("/{POISON}"), refusal("AuthorizationPermissionMismatch"));
    let (code, out, _) = pending(&serving, &[]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn the_address_is_that_of_the_flag_the_environment_or_the_app() {
    let (azure, serving) = installation().await;
    fill(&azure);
    azure.install(&app(), &[("DISKSEAL_MODE", "enforce")]);
    let (code, out, err) = pending(&serving, &[]).await;
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("--storage-account https://ACCOUNT.queue.core.windows.net"), "{err}");
    let (code, out, _) = pending(&serving, &["--storage-account", &serving.arm_https]).await;
    assert!(code == Some(0) && out.contains("given-up"), "{out}");
    let output = program(&serving, &["pending", "--app", &app()])
        .env(SETTING, &serving.arm_https)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let (code, _, err) = pending(&serving, &["--storage-account", "http://st.queue.core.windows.net"]).await;
    assert!(code == Some(2) && err.contains("is not a queue service"), "{err}");
}

//! The poison queue, as `diskseal doctor` and `diskseal report` show it.

use base64::{Engine, engine::general_purpose::STANDARD};
use diskseal_emulator::{
    Emulator, Options,
    fault::{Fault, Kind, Refusal},
    queue::{QueueMessage, Queues},
    serve::Serving,
};
use serde_json::{Value, json};

use super::{commands::command, disk};
use crate::world::SUBSCRIPTION;

const POISON: &str = "diskseal-pending-poison";
const SETTING: &str = "AzureWebJobsStorage__queueServiceUri";

fn app() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-diskseal/providers/Microsoft.Web/sites/func-diskseal"
    )
}

/// A message that was given up two days ago.
fn given_up(name: &str) -> QueueMessage {
    let content = json!({"resource": disk(name), "reason": "locked", "firstSeen": "2026-11-24T01:02:03Z"});
    let mut message = Queues::new(1.0).queue("any").put(STANDARD.encode(content.to_string())).unwrap();
    message.insertion_time -= time::Duration::hours(48);
    message
}

/// An app whose settings name the queue service.
async fn installation() -> (Emulator, Serving) {
    let mut options = Options { subscriptions: vec![SUBSCRIPTION.to_owned()], ..Options::immediate() };
    options.audiences.push("https://storage.azure.com".to_owned());
    let azure = Emulator::new(options);
    let serving = azure.serve().await.unwrap();
    azure.install(&app(), &[("DISKSEAL_MODE", "enforce"), (SETTING, &serving.arm_https)]);
    azure.put_fact("/diskseal-pending", json!({}));
    (azure, serving)
}

async fn doctor(serving: &Serving) -> Vec<Value> {
    let (_, out, err) = command(serving, &["doctor", "--app", &app(), "--output", "json"], "").await;
    let findings: Vec<Value> =
        serde_json::from_str(&out).unwrap_or_else(|fault| panic!("{fault}: {out}{err}"));
    findings.into_iter().filter(|finding| finding["about"].to_string().contains("diskseal-pending")).collect()
}

async fn report(serving: &Serving, output: &str) -> (Option<i32>, String) {
    let (code, out, _) = command(serving, &["report", "--app", &app(), "--output", output], "").await;
    (code, out)
}

#[tokio::test]
async fn doctor_counts_the_messages_and_names_their_resources_by_the_apps_own_setting() {
    let (azure, serving) = installation().await;
    azure.put_queue(POISON, 40, &[given_up("a"), given_up("b")]);
    let found = doctor(&serving).await;
    assert_eq!(
        (found.len(), &found[0]["verdict"], &found[1]["verdict"]),
        (2, &json!("ok"), &json!("warning"))
    );
    let text = found[1]["finding"].as_str().unwrap();
    assert!(text.starts_with("40 messages have used up their receipts, the oldest 2 days ago: "), "{text}");
    assert!(text.ends_with(&format!("{} (locked), {} (locked)", disk("a"), disk("b"))), "{text}");
    assert!(found[1]["remedy"].as_str().unwrap().contains("docs/runbook.md#poisoned"));

    let journal = azure.journal();
    let peeks = journal
        .iter()
        .filter(|exchange| exchange.method == "GET" && exchange.path.ends_with("-poison/messages"));
    assert_eq!(peeks.count(), 1, "peeked at, so nothing is received or deleted");
}

#[tokio::test]
async fn an_empty_or_missing_poison_queue_is_right_and_an_unreadable_one_is_not() {
    let (azure, serving) = installation().await;
    let verdicts = |found: &[Value]| found.iter().map(|one| one["verdict"].clone()).collect::<Vec<_>>();
    assert_eq!(verdicts(&doctor(&serving).await), ["ok", "ok"], "it does not exist");
    azure.put_queue(POISON, 0, &[]);
    assert_eq!(verdicts(&doctor(&serving).await), ["ok", "ok"]);

    let refused = || Refusal::new(403, "AuthorizationFailed", "This request is not authorized.");
    let lacks_role = refused().with_header("x-ms-error-code", "AuthorizationPermissionMismatch");
    azure.refuse_fact(&format!("/{POISON}"), lacks_role);
    let found = doctor(&serving).await;
    assert_eq!(verdicts(&found), ["ok", "warning"]);
    assert!(found[1]["remedy"].as_str().unwrap().contains("Storage Queue Data Reader"), "{found:?}");
    azure.refuse_fact(&format!("/{POISON}"), Refusal::new(500, "InternalError", "The server is busy."));
    assert_eq!(verdicts(&doctor(&serving).await), ["ok", "failed"]);
}

#[tokio::test]
async fn the_report_has_count_and_age_in_every_format_that_people_read() {
    let (azure, serving) = installation().await;
    azure.put_queue(POISON, 3, &[given_up("a")]);
    let (code, out) = report(&serving, "json").await;
    let json: Value = serde_json::from_str(&out).unwrap();
    let queue = &json["poisonQueue"];
    assert_eq!((code, &queue["messages"], &queue["error"]), (Some(0), &json!(3), &Value::Null), "{out}");
    let age = queue["oldestAgeSeconds"].as_i64().unwrap();
    assert!((172_800..176_400).contains(&age), "{age}");
    for output in ["table", "html"] {
        let (_, out) = report(&serving, output).await;
        assert!(out.contains("3 messages, the oldest since ") && out.contains("(2 days)"), "{output}: {out}");
    }

    azure.refuse_fact(&format!("/{POISON}"), Refusal::new(403, "AuthorizationFailed", "Not authorized."));
    let (code, out) = report(&serving, "json").await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0), "what the queue holds says nothing about coverage: {out}");
    assert_eq!(json["poisonQueue"]["messages"], Value::Null);
    assert!(json["poisonQueue"]["error"].as_str().unwrap().contains("403"), "{out}");
    let (_, out) = report(&serving, "table").await;
    assert!(out.contains("Poison queue: not read: "), "{out}");
}

#[tokio::test]
async fn where_the_queue_service_is_unknown_or_not_azures_nothing_is_asked_and_nothing_is_said() {
    let (azure, serving) = installation().await;
    azure.put_queue(POISON, 3, &[given_up("a")]);
    for named in ["", "https://st.queue.core.windows.net.example.com/", "http://st.queue.core.windows.net/"] {
        azure.install(&app(), &[("DISKSEAL_MODE", "enforce"), (SETTING, named)]);
        let (_, out) = report(&serving, "json").await;
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["poisonQueue"], Value::Null, "{named}");
        let (_, out) = report(&serving, "table").await;
        assert!(!out.contains("Poison queue"), "{named}: {out}");
    }
    let asked = azure.journal().into_iter().filter(|exchange| exchange.path.contains("poison")).count();
    assert_eq!(asked, 0, "a token for storage goes only to Azure");
    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Token).always());
    assert_eq!(report(&serving, "json").await.0, Some(3));
}

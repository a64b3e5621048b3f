//! Replies, and what becomes of them.

use diskseal_emulator::host::{Trigger, Verdict};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{App, Handler, case, names, text};

fn app(given: &Value) -> App {
    let mut output = json!({ "type": "queue", "direction": "out", "name": "pending", "queueName": "out" });
    let binding = given["binding"].as_str().unwrap_or_default();
    if binding.contains("$return") {
        output["name"] = json!("$return");
    }
    if binding.contains("dataType binary") {
        output["dataType"] = json!("binary");
    }
    let trigger = json!({ "type": "eventGridTrigger", "direction": "in", "name": "event" });
    let limit = given["functionTimeout"].as_str().unwrap_or("00:05:00");
    App::new(&json!({ "functionTimeout": limit }), &[("seal_on_write", json!([trigger, output]))])
}

/// The stored texts of the queue `out`.
fn stored(host: &diskseal_emulator::host::FunctionsHost) -> Vec<String> {
    host.queues().queue("out").messages().into_iter().map(|message| message.text).collect()
}

#[tokio::test(start_paused = true)]
async fn replies_become_what_was_recorded() {
    for name in names("outputs") {
        if name == "outputs/outputs-2000" {
            continue;
        }
        let case = case(&name);
        let app = app(&case["given"]);
        let host = app.start(&Handler::answering(&case["reply"]));
        let event = json!([{ "id": "1", "data": {} }]);
        let given = json!({ "method": "POST", "function": "seal_on_write",
            "headers": [["aeg-event-type", "Notification"]], "body": event.to_string() });
        let start = Instant::now();
        let (status, _, body) = super::event_grid::post(&host, &given).await;
        assert_eq!(json!(status), case["webhook"]["status"], "{name}");
        assert_eq!(json!(body), case["webhook"]["body"], "{name}");
        let theirs: Vec<_> = case["queue"].as_array().into_iter().flatten().collect();
        let ours = stored(&host);
        let ours = &ours[..ours.len().min(if theirs.len() == 32 { 32 } else { usize::MAX })];
        let theirs: Vec<_> = theirs.iter().map(|one| one["text"].as_str().unwrap_or_default()).collect();
        assert_eq!(ours, theirs, "{name}");
        let invocation = host.invocations().remove(0);
        let ended = match invocation.verdict {
            Verdict::Succeeded => "succeeded",
            Verdict::Failed(_) => "failed",
            Verdict::Hung | Verdict::TimedOut => "timedOut",
        };
        assert_eq!(ended, text(&case["outcome"], &name), "{name}");
        if ended == "timedOut" {
            assert_eq!(start.elapsed().as_secs(), 6, "{name}");
            assert_eq!((host.exits()[0].signal, host.exits()[0].counted), (Some(9), false), "{name}");
        } else {
            let logs = case["logs"].as_array().into_iter().flatten();
            let theirs: Vec<_> = logs.map(|line| text(&line["text"], &name)).collect();
            assert_eq!(invocation.logs, theirs, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_of_two_thousand_is_as_many_messages() {
    let name = "outputs/outputs-2000";
    if !names("outputs").iter().any(|known| known == name) {
        return;
    }
    let objects: Vec<_> = (0..2000).map(|number| json!({ "n": number })).collect();
    let body = json!({ "Outputs": { "pending": objects } }).to_string();
    let reply = json!({ "status": 200, "headers": [["Content-Type", "application/json"]], "body": body });
    let app = app(&json!({}));
    let host = app.start(&Handler::answering(&reply));
    host.invoke("seal_on_write", Trigger::Event(json!({}))).await.unwrap();
    assert_eq!(json!(stored(&host).len()), case(name)["inQueue"]);
}

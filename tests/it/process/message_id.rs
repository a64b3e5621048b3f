//! The ID of a queue message in the trace: the host lets members of a message take the place of its own values.

use diskseal_emulator::{disk_body, queue::Encoding};
use serde_json::json;

use super::{disk, is_sealed, setup, start};

#[tokio::test]
async fn a_message_s_id_is_the_queue_s_or_none_and_never_the_disk() {
    let azure = start(setup(), &[]).await;
    // The present form, and that of earlier versions, whose member `id` hides the queue's ID.
    for (member, name) in [("resource", "new"), ("id", "old")] {
        let id = disk(name);
        azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
        let message = json!({member: id, "reason": "conflict", "firstSeen": "2026-11-24T01:02:03Z"});
        let text = Encoding::Base64.encode(message.to_string().as_bytes());
        let put = azure.queues.queue("diskseal-pending").put(text).unwrap();
        azure.host.queues_drained().await;
        assert!(is_sealed(&azure, &id), "{name}");
        let enforce = azure
            .collector
            .wait_for(|span| span.name == "enforce" && span.attributes["diskseal.resource_id"] == id)
            .await;
        let queued = azure
            .collector
            .wait_for(|span| span.name == "seal_queued" && span.trace_id == enforce.trace_id)
            .await;
        let expected = (member == "resource").then(|| json!(put.id));
        assert_eq!(queued.attributes.get("messaging.message.id").cloned(), expected, "{name}");
    }
}

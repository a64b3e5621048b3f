//! The queue `diskseal-outcomes` through the real process, which is killed at the last receipt of a message.

use diskseal_emulator::{
    disk_body,
    fault::{Fault, Kind, Refusal},
};

use super::{disk, setup, start};
use crate::{outcomes::outcomes, world::jane};

#[tokio::test]
async fn a_kill_at_the_last_receipt_repeats_the_look_and_the_outcome_is_sent() {
    let azure = start(setup(), &[("DISKSEAL_OUTCOMES", "on"), ("WEBSITE_SITE_NAME", "func")]).await;
    let (id, queue) = (disk("d"), azure.queues.queue("diskseal-outcomes"));
    // The looks at the event and at the receipts 1, 2, 4 and 8; the next one is the last.
    let refusal = || Fault::refuse(Refusal::scope_locked()).on(Kind::Patch);
    azure.emulator.inject(refusal().times(5));
    let held = azure.emulator.inject(Fault::hold_before_applying().on(Kind::Patch).times(1));
    azure.emulator.inject(refusal().always());
    azure.emulator.put(&id, &jane(), &disk_body("westeurope")).unwrap();
    held.held().await;
    assert!(queue.is_empty());
    azure.host.kill("seal_queued").await;
    held.cut_off();

    azure.queues.poison("diskseal-pending").wait_for(|messages| !messages.is_empty()).await;
    azure.host.queues_drained().await;
    let [event] = outcomes(&queue).try_into().unwrap();
    assert_eq!(event["type"], "diskseal.given_up");
    assert_eq!(event["subject"], id);
    assert_eq!(event["data"]["reason"], "locked");
    assert!(event["traceparent"].is_string(), "{event}");
    let receipts = azure.host.invocations().iter().filter(|one| one.function == "seal_queued").count();
    assert_eq!(receipts, 17, "one is left for what the kill has cost");
    assert_eq!(azure.queues.poison("diskseal-pending").len(), 1);
}

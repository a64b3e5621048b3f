//! Looks at one resource at once that have different terms.

use std::time::Duration;

use diskseal::enforce::{Outcome, Trigger};
use diskseal_emulator::fault::{Fault, Kind};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn an_event_does_not_wait_for_a_queue_message_of_its_disk_which_then_writes_nothing() {
    let world = World::new();
    let id = world.disk("d");
    let hold = world.fault(Fault::hold_after_applying().on(Kind::Get));
    let event = async {
        hold.held().await;
        let outcome = world.enforce(&id).await;
        assert!(world.is_sealed(&id));
        hold.release();
        outcome
    };
    let (message, event) = tokio::join!(world.enforce_for(&id, Trigger::Queue), event);
    assert_eq!(event.map(|outcome| outcome.label()), Ok("sealed"));
    assert_eq!(message, Ok(Outcome::AlreadySealed), "its own read was before the seal");
    let writes = world.requests(&id).iter().filter(|kind| **kind != Kind::Get).count();
    assert_eq!(writes, 2, "the mode once, and the tags once");
}

#[tokio::test(start_paused = true)]
async fn an_event_does_not_inherit_the_failure_of_a_look_with_less_time() {
    for trigger in [Trigger::Event, Trigger::Queue] {
        let world = World::new();
        let id = world.disk("d");
        let slow = world.fault(Fault::delay(Duration::from_secs(3)).on(Kind::Get).times(1));
        let short = world.enforce_for_within(&id, trigger, Duration::from_secs(1));
        let long = async {
            slow.met().await;
            world.enforce(&id).await
        };
        let (short, long) = tokio::join!(short, long);
        assert!(short.is_err(), "{trigger:?}");
        assert_eq!(long.map(|outcome| outcome.label()), Ok("sealed"), "{trigger:?}");
    }
}

//! Writes whose answer is late or lost: ARM may have applied them, so the resource is read before anything is sent
//! again.

use std::time::Duration;

use diskseal::enforce::Trigger;
use diskseal_emulator::fault::{Fault, Kind};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_write_that_was_applied_is_sent_once_however_its_answer_is_lost() {
    for fault in [
        Fault::late(Duration::from_secs(12)),
        Fault::late(Duration::from_mins(10)),
        Fault::reset_after_applying(),
        Fault::half_an_answer(),
    ] {
        for kind in [Kind::Patch, Kind::TagsWrite] {
            let world = World::new();
            let id = world.disk("d");
            let writes = world.fault(fault.clone().on(kind).always());
            let outcome = world.enforce(&id).await;
            assert_eq!(outcome.map(|outcome| outcome.label()), Ok("sealed"), "{kind:?} {fault:?}");
            assert!(world.is_sealed(&id));
            assert_eq!(writes.fired(), 1, "{kind:?} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_not_applied_is_sent_again_after_a_read() {
    for fault in [Fault::delay(Duration::from_secs(12)), Fault::reset()] {
        for kind in [Kind::Patch, Kind::TagsWrite] {
            let world = World::new();
            let id = world.disk("d");
            world.fault(fault.clone().on(kind));
            assert_eq!(world.enforce(&id).await.map(|outcome| outcome.label()), Ok("sealed"), "{kind:?}");
            assert!(world.is_sealed(&id));
            let kinds = world.requests(&id);
            let last = kinds.iter().rposition(|one| *one == kind).unwrap();
            assert_eq!(kinds[last - 1], Kind::Get, "{kinds:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_for_an_event_waits_longer_for_an_answer() {
    for kind in [Kind::Get, Kind::Patch, Kind::TagsWrite] {
        let settings = &[("DISKSEAL_DEADLINE", "60")];
        let world = World::with(diskseal_emulator::Options::immediate(), settings);
        let id = world.disk("d");
        let slow = world.fault(Fault::delay(Duration::from_secs(25)).on(kind).times(1));
        let outcome = world.enforce_for(&id, Trigger::Sweep).await;
        assert_eq!(outcome.map(|outcome| outcome.label()), Ok("sealed"), "{kind:?}");
        assert_eq!(slow.fired(), 1);
        let of_kind = world.requests(&id).iter().filter(|one| **one == kind).count();
        assert_eq!(of_kind, 1, "{kind:?} is sent once");
    }
}

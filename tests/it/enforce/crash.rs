//! A process that ends at any of its requests, and the look after it.

use diskseal_emulator::{
    Options,
    fault::{Fault, Kind},
};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn the_next_look_converges_after_a_stop_at_any_step() {
    let points = [Kind::Get, Kind::Patch, Kind::Poll, Kind::TagsWrite];
    let holds: [fn() -> Fault; 2] = [Fault::hold_before_applying, Fault::hold_after_applying];
    for options in [Options::immediate(), Options { throttling: None, ..Options::default() }] {
        for point in points {
            for hold in holds {
                let world = World::with(options.clone(), &[]);
                let id = world.disk("d");
                let held = world.fault(hold().on(point));
                // Drops the future, so that the process stops here.
                tokio::select! {
                    outcome = world.enforce(&id) => {
                        // At 0 ms, Azure has no operation to poll.
                        assert_eq!((point, outcome.unwrap().label()), (Kind::Poll, "sealed"));
                    }
                    () = held.held() => {}
                }
                held.cut_off();
                held.remove();

                let next = world.restarted();
                assert!(next.enforce(&id).await.is_ok(), "{point:?}");
                assert!(next.is_sealed(&id), "{point:?}");
                assert_eq!(next.enforce(&id).await.unwrap().label(), "already_sealed", "{point:?}");
            }
        }
    }
}

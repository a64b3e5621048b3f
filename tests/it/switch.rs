//! The switch: a tag that stops every write within a minute, and lets go within another.

use std::time::Duration;

use diskseal::{azure::Terms, enforce::Outcome, sweep};
use diskseal_emulator::{
    Options,
    fault::{Fault, Kind, Refusal},
};

use crate::world::World;

const SWITCH: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-seal";

fn world() -> World {
    World::with(Options::immediate(), &[("DISKSEAL_SWITCH", SWITCH)])
}

fn reads_of_the_switch(world: &World) -> usize {
    world.azure.journal().iter().filter(|exchange| exchange.kind == Kind::TagsRead).count()
}

#[tokio::test(start_paused = true)]
async fn off_stops_every_write_within_a_minute_and_on_allows_them_again() {
    let world = world();
    assert_eq!(world.enforce(&world.disk("a")).await.unwrap().label(), "sealed");

    world.azure.set_scope_tag(SWITCH, "DiskSeal", " OFF ");
    tokio::time::advance(Duration::from_mins(1)).await;
    let id = world.disk("b");
    let writes = world.writes();
    for _ in 0..50 {
        assert_eq!(world.enforce(&id).await, Ok(Outcome::SwitchedOff));
    }
    let terms = Terms::behind_events(Duration::from_mins(4));
    assert!(matches!(sweep::collect(&world.ctx, terms).await, Err(sweep::Error::SwitchedOff)));
    assert_eq!(world.writes(), writes);
    assert_eq!(reads_of_the_switch(&world), 2, "what was read is taken for true for a minute");

    world.azure.set_scope_tag(SWITCH, "DiskSeal", "on");
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
    assert!(world.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_cannot_be_read_stands_as_it_stood() {
    let world = world();
    let unreadable = world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::TagsRead).always());
    assert_eq!(
        world.enforce(&world.disk("a")).await.unwrap().label(),
        "sealed",
        "on before it was ever read"
    );
    unreadable.remove();
    world.azure.set_scope_tag(SWITCH, "diskseal", "off");
    tokio::time::advance(Duration::from_mins(1)).await;
    let id = world.disk("b");
    assert_eq!(world.enforce(&id).await, Ok(Outcome::SwitchedOff));
    world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::TagsRead).always());
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(world.enforce(&id).await, Ok(Outcome::SwitchedOff));
}

#[tokio::test(start_paused = true)]
async fn without_a_switch_nothing_is_read_for_it_and_a_sealed_resource_never_asks() {
    let without = World::new();
    without.enforce(&without.disk("a")).await.unwrap();
    assert_eq!(reads_of_the_switch(&without), 0);
    let with = world();
    with.enforce(&with.sealed_disk("a")).await.unwrap();
    assert_eq!(reads_of_the_switch(&with), 0);
}

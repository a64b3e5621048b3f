//! The switch: a tag that stops all writes within a minute, and allows them again within another.

use std::time::Duration;

use diskseal::{
    azure::Terms,
    enforce::{ExemptionTag, Outcome, Unsealed, unseal},
    sweep,
};
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
async fn a_switch_that_does_not_answer_delays_nobody_by_more_than_two_seconds() {
    let world = world();
    let hangs = Fault::delay(Duration::from_mins(2)).on(Kind::TagsRead).always();
    let hangs = world.fault(hangs);
    let started = tokio::time::Instant::now();
    let ids: Vec<_> = (0..20).map(|n| world.disk(&format!("d{n}"))).collect();
    let all = futures::future::join_all(ids.iter().map(|id| world.enforce(id))).await;
    assert!(all.iter().all(|result| result.as_ref().unwrap().label() == "sealed"), "{all:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(reads_of_the_switch(&world), 0, "no read has come to its end");
    hangs.remove();
    // It is tried again long before what was read would be out of date.
    world.azure.set_scope_tag(SWITCH, "diskseal", "off");
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(world.enforce(&world.disk("late")).await, Ok(Outcome::SwitchedOff));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_runs_out_of_time_says_nothing_about_the_switch() {
    let world = world();
    world.azure.set_scope_tag(SWITCH, "diskseal", "off");
    let slow = world.fault(Fault::delay(Duration::from_millis(1_500)).on(Kind::TagsRead).always());
    let id = world.disk("a");
    assert!(world.enforce_within(&id, Duration::from_secs(1)).await.is_err());
    assert_eq!(world.enforce(&id).await, Ok(Outcome::SwitchedOff), "it is off, and was not taken for on");
    assert_eq!(world.writes(), 0);
    slow.remove();
}

#[tokio::test(start_paused = true)]
async fn an_unseal_stops_at_the_switch_as_well() {
    let settings = [("DISKSEAL_SWITCH", SWITCH), ("DISKSEAL_EXEMPT_TAG", "keep")];
    let world = World::with(Options::immediate(), &settings);
    let id = world.sealed_disk("a");
    let until = time::macros::date!(2999 - 12 - 31);
    let exemption = ExemptionTag::new(&world.ctx.policy, until, "INC-1", world.ctx.now()).unwrap();
    let unseal = async || unseal(&world.ctx, &id.parse().unwrap(), &exemption, Duration::from_secs(25)).await;
    world.azure.set_scope_tag(SWITCH, "diskseal", "off");
    assert_eq!(unseal().await, Ok(Unsealed::SwitchedOff));
    assert_eq!(world.writes(), 0);
    world.azure.set_scope_tag(SWITCH, "diskseal", "on");
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(unseal().await, Ok(Unsealed::Unsealed));
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

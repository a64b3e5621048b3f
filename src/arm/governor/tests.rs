//! Doors, the reserve and the pace, on a paused clock.

use super::*;
use crate::arm::error::Failure;

const DEADLINE: Duration = Duration::from_secs(25);

async fn admit(governor: &Governor, subscription: &str, kind: Kind, terms: Terms) -> Result<(), Error> {
    governor.admit("setting dataAccessAuthMode", subscription, kind, terms).await.map(drop)
}

fn event() -> Terms {
    Terms::for_event(DEADLINE)
}

#[tokio::test(start_paused = true)]
async fn a_closed_door_delays_only_its_own_subscription_and_kind() {
    let governor = Governor::new(None);
    governor.close("AAAA", Kind::Write, Duration::from_secs(10));
    let start = Instant::now();
    for (subscription, kind) in [("aaaa", Kind::Read), ("bbbb", Kind::Write)] {
        admit(&governor, subscription, kind, event()).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    admit(&governor, "aaaa", Kind::Write, event()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_sent_in_time_fails_at_once() {
    let governor = Governor::new(None);
    governor.close("a", Kind::Write, Duration::from_mins(20));
    // A later, shorter wait does not open it earlier.
    governor.close("a", Kind::Write, Duration::from_secs(1));
    let start = Instant::now();
    let error = admit(&governor, "a", Kind::Write, event()).await.unwrap_err();
    assert_eq!(error.failure, Failure::System(SystemFailure::Throttled));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn events_use_the_reserve_that_the_sweep_leaves() {
    let governor = Governor::new(None);
    let sweep = || Terms::behind_events(Duration::from_mins(10));
    governor.note("a", Kind::Write, 45);
    let start = Instant::now();
    for _ in 0..5 {
        admit(&governor, "a", Kind::Write, sweep()).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "down to the reserve of 40");
    admit(&governor, "a", Kind::Write, sweep()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(99), "at ARM's 10 a second");
    let start = Instant::now();
    for _ in 0..35 {
        admit(&governor, "a", Kind::Write, event()).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "events take from the reserve");
}

#[tokio::test(start_paused = true)]
async fn the_pace_slows_writes_of_the_sweep_but_neither_events_nor_queries() {
    let governor = Governor::new(NonZeroU32::new(4));
    let start = Instant::now();
    for _ in 0..240 {
        let sweep = Terms::behind_events(Duration::from_mins(10));
        admit(&governor, "a", Kind::Write, sweep).await.unwrap();
    }
    let took = start.elapsed().as_secs_f64();
    assert!((59.0..60.5).contains(&took), "240 writes at 4 a second took {took} s");
    let start = Instant::now();
    admit(&governor, "a", Kind::Write, event()).await.unwrap();
    for _ in 0..20 {
        admit(&governor, "a", Kind::of(&QUERY), Terms::behind_events(DEADLINE)).await.unwrap();
    }
    admit(&governor, "b", Kind::Write, Terms::behind_events(DEADLINE)).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

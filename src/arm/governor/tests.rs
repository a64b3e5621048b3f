//! Doors, the reserve and the pace, on a paused clock.

use super::*;
use crate::arm::error::Failure;

const DEADLINE: Duration = Duration::from_secs(25);

async fn admit(governor: &Governor, subscription: &str, kind: Kind, terms: Terms) -> Result<(), Error> {
    governor.admit("setting dataAccessAuthMode", subscription, kind, None, terms).await.map(drop)
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

/// As if ARM had just answered that so many tokens are left.
async fn answer(governor: &Governor, kind: Kind, remaining: u32) {
    let admission = governor.admit("reading", "a", kind, None, event()).await.unwrap();
    admission.answered(Some(remaining));
}

#[tokio::test(start_paused = true)]
async fn events_use_the_reserve_that_the_sweep_leaves() {
    let governor = Governor::new(None);
    let sweep = || Terms::behind_events(Duration::from_mins(10));
    answer(&governor, Kind::Write, 200).await;
    let start = Instant::now();
    for _ in 0..120 {
        admit(&governor, "a", Kind::Write, sweep()).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "down to where it slows");
    for _ in 0..200 {
        admit(&governor, "a", Kind::Write, sweep()).await.unwrap();
    }
    let took = start.elapsed().as_secs_f64();
    assert!((15.0..21.0).contains(&took), "at what ARM refills, 10 a second: {took} s");
    let start = Instant::now();
    for _ in 0..40 {
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

/// The times in milliseconds after which each of `count` requests is admitted, or refused, when all come at once.
async fn storm(governor: &Governor, count: usize, terms: Terms) -> (Vec<u128>, Vec<u128>) {
    let start = Instant::now();
    let requests = (0..count).map(|_| async {
        let result = governor.admit("setting", "a", Kind::Write, None, terms).await;
        (result.is_ok(), start.elapsed().as_millis())
    });
    let all = futures::future::join_all(requests).await;
    let of = |admitted| all.iter().filter(|(is, _)| *is == admitted).map(|(_, at)| *at).collect();
    (of(true), of(false))
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_admitted_in_order_and_the_rest_is_refused_at_once() {
    for count in [500, 4_000] {
        let governor = Governor::new(None);
        answer(&governor, Kind::Write, 200).await;
        let (admitted, refused) = storm(&governor, count, event()).await;
        // The bucket of 200, and 10 a second for most of the 25 s.
        assert!((440..=450).contains(&admitted.len()), "{}", admitted.len());
        assert!(admitted.is_sorted(), "{admitted:?}");
        assert!(refused.iter().all(|at| *at == 0), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_gives_back_its_place() {
    let governor = Governor::new(None);
    answer(&governor, Kind::Write, 0).await;
    let start = Instant::now();
    let others = (0..100).map(|_| admit(&governor, "a", Kind::Write, event()));
    let others = tokio::time::timeout(Duration::from_millis(50), futures::future::join_all(others));
    assert!(others.await.is_err());
    admit(&governor, "a", Kind::Write, event()).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let reserved = governor.reserve("setting", "a", Kind::Write, 100, event()).await.unwrap();
    drop(reserved);
    let start = Instant::now();
    for _ in 0..100 {
        admit(&governor, "a", Kind::Write, event()).await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(1), "what was not used is there: {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_reserved_is_sent_although_others_come_first() {
    let governor = Governor::new(None);
    answer(&governor, Kind::Write, 2).await;
    let reserved = governor.reserve("setting", "a", Kind::Write, 2, event()).await.unwrap();
    let start = Instant::now();
    let begun = async {
        for _ in 0..2 {
            governor.admit("merging", "a", Kind::Write, Some(&reserved), event()).await.unwrap();
        }
        start.elapsed()
    };
    let (took, _) = tokio::join!(begun, storm(&governor, 100, event()));
    assert_eq!(took, Duration::ZERO);
    // A third one was not reserved, but goes before whatever was not begun.
    let later = async {
        // On the paused clock: the storm stands in line by then.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let start = Instant::now();
        governor.admit("merging", "a", Kind::Write, Some(&reserved), event()).await.unwrap();
        start.elapsed()
    };
    let (_, took) = tokio::join!(storm(&governor, 100, event()), later);
    assert!(took < Duration::from_millis(1_100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_leaves_no_more_than_the_bucket() {
    let governor = Governor::new(None);
    answer(&governor, Kind::Write, 200).await;
    // On the paused clock.
    tokio::time::sleep(Duration::from_hours(1)).await;
    let (admitted, _) = storm(&governor, 1_000, Terms::behind_events(Duration::from_mins(10))).await;
    let at_once = admitted.iter().filter(|at| **at == 0).count();
    assert!((100..=160).contains(&at_once), "{at_once}");
}

/// The seconds for which a door is closed after each refusal.
async fn closings(retry_after: &[Option<Duration>]) -> Vec<u64> {
    let governor = Governor::new(None);
    let mut closed = vec![];
    for wait in retry_after {
        let terms = Terms::for_event(Duration::from_hours(3));
        let start = Instant::now();
        let admission = governor.admit("setting", "a", Kind::Write, None, terms).await.unwrap();
        closed.push(start.elapsed().as_secs());
        admission.refused(*wait);
    }
    closed.remove(0);
    closed
}

#[tokio::test(start_paused = true)]
async fn a_refusal_closes_the_door_for_at_least_a_second_and_at_most_an_hour() {
    assert_eq!(closings(&[None; 6]).await, [2, 4, 8, 16, 16]);
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let closed = closings(&[seconds(0), seconds(7), seconds(1_000_000_000), None]).await;
    assert_eq!(closed[..2], [1, 7]);
    assert!((3_600..3_700).contains(&closed[2]), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_door_opens_by_degrees_after_a_refusal() {
    let governor = Governor::new(None);
    let admission = governor.admit("setting", "a", Kind::Write, None, event()).await.unwrap();
    admission.refused(Some(Duration::from_secs(3)));
    drop(admission);
    let (admitted, _) = storm(&governor, 1_000, event()).await;
    assert!(admitted.iter().all(|at| *at >= 3_000), "{admitted:?}");
    let within = |from: u128, to: u128| admitted.iter().filter(|at| (from..to).contains(*at)).count();
    assert!((4..=7).contains(&within(3_500, 4_500)), "half of what ARM refills: {}", within(3_500, 4_500));
    assert!(within(19_000, 20_000) > within(4_000, 5_000), "{admitted:?}");
}

#[test]
fn doors_are_bounded_whatever_subscriptions_events_name() {
    let governor = Governor::new(None);
    for n in 0..DOORS_MAX * 2 {
        governor.door(&n.to_string(), Kind::Write);
    }
    assert!(governor.doors.lock().len() <= DOORS_MAX);
}

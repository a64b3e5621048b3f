//! Who waits for whom, and whose result counts for whom, on a paused clock.

use std::cell::Cell;

use super::*;

fn disk() -> ResourceId {
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d"
        .parse()
        .unwrap()
}

fn event() -> Terms {
    Terms::for_event(Duration::from_secs(25))
}

fn behind() -> Terms {
    Terms::behind_events(Duration::from_mins(2))
}

/// Runs `invocations` at once; each look lasts a while. Returns how many looks there were.
async fn looks(invocations: usize) -> u32 {
    let (in_flight, id, looks) = (InFlight::default(), disk(), Cell::new(0));
    let one = || async {
        let progress = in_flight.arrive();
        let work = || async {
            progress.looking();
            looks.set(looks.get() + 1);
            // On the paused clock: the look ends only after every other invocation has arrived.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            Ok(Outcome::AlreadySealed)
        };
        in_flight.once(&id, event(), &progress, work).await
    };
    for result in futures::future::join_all((0..invocations).map(|_| one())).await {
        assert_eq!(result, Ok(Outcome::AlreadySealed));
    }
    assert!(in_flight.resources.lock().is_empty());
    looks.get()
}

#[tokio::test(start_paused = true)]
async fn who_arrived_after_a_look_began_shares_the_next_one_at_most() {
    assert_eq!(looks(1).await, 1);
    assert_eq!(looks(2).await, 2);
    assert_eq!(looks(500).await, 2);
}

#[tokio::test(start_paused = true)]
async fn who_arrived_before_the_write_shares_its_result() {
    let (in_flight, id) = (InFlight::default(), disk());
    let first = in_flight.arrive();
    let second = in_flight.arrive();
    let work = || async {
        first.looking();
        tokio::task::yield_now().await;
        Ok(Outcome::Gone)
    };
    let (a, b) = tokio::join!(
        in_flight.once(&id, event(), &first, work),
        in_flight.once(&id, event(), &second, || async { unreachable!("the first has done the work") }),
    );
    assert_eq!((a, b), (Ok(Outcome::Gone), Ok(Outcome::Gone)));
}

#[tokio::test(start_paused = true)]
async fn what_an_event_leaves_to_the_sweep_is_not_the_sweeps_result() {
    let (in_flight, id) = (InFlight::default(), disk());
    let (of_event, of_sweep) = (in_flight.arrive(), in_flight.arrive());
    let left = || async {
        of_event.looking();
        tokio::task::yield_now().await;
        Ok(Outcome::LeftToSweep(Left::Attached))
    };
    let (first, second) = tokio::join!(
        in_flight.once(&id, event(), &of_event, left),
        in_flight.once(&id, behind(), &of_sweep, || async { Ok(Outcome::AlreadySealed) }),
    );
    assert_eq!(first, Ok(Outcome::LeftToSweep(Left::Attached)));
    assert_eq!(second, Ok(Outcome::AlreadySealed));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_invocation_lets_the_next_one_in() {
    let (in_flight, id) = (InFlight::default(), disk());
    let (first, second) = (in_flight.arrive(), in_flight.arrive());
    let stuck = in_flight.once(&id, event(), &first, std::future::pending);
    let cancelled = tokio::time::timeout(std::time::Duration::from_secs(1), stuck);
    let next = in_flight.once(&id, event(), &second, || async { Ok(Outcome::AlreadySealed) });
    let (cancelled, next) = tokio::join!(cancelled, next);
    assert!(cancelled.is_err());
    assert_eq!(next, Ok(Outcome::AlreadySealed));
}

/// A look that starts first and ends after a minute, and one that comes a second later. Returns after how many
/// seconds the second one looked, and both results.
async fn overlap(
    first: Terms,
    second: Terms,
    result: Result<Outcome, Error>,
) -> (Option<u64>, Result<Outcome, Error>, Result<Outcome, Error>) {
    let (in_flight, id, start) = (InFlight::default(), disk(), tokio::time::Instant::now());
    let (of_first, of_second) = (in_flight.arrive(), in_flight.arrive());
    let slow = in_flight.once(&id, first, &of_first, || async {
        of_first.looking();
        tokio::time::sleep(Duration::from_mins(1)).await;
        of_first.give_way()?;
        result.clone()
    });
    let looked = Cell::new(None);
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let work = || async {
            of_second.looking();
            looked.set(Some(start.elapsed().as_secs()));
            tokio::time::sleep(Duration::from_secs(90)).await;
            Ok(Outcome::Gone)
        };
        in_flight.once(&id, second, &of_second, work).await
    };
    let (first, second) = tokio::join!(slow, late);
    assert!(in_flight.resources.lock().is_empty());
    (looked.get(), first, second)
}

#[tokio::test(start_paused = true)]
async fn an_event_does_not_wait_for_a_look_with_less_urgency_which_gives_way_to_it() {
    let (looked, first, second) = overlap(behind(), event(), Ok(Outcome::AlreadySealed)).await;
    assert_eq!((looked, second), (Some(1), Ok(Outcome::Gone)));
    assert_eq!(first, Ok(Outcome::Gone), "it waits for the event's look, and takes over the result");
}

#[tokio::test(start_paused = true)]
async fn an_event_does_not_wait_for_a_look_with_less_time() {
    let short = Terms::for_event(Duration::from_secs(15));
    let (looked, first, _) = overlap(short, event(), Ok(Outcome::AlreadySealed)).await;
    assert_eq!((looked, first), (Some(1), Ok(Outcome::AlreadySealed)));
    let (looked, ..) = overlap(event(), event(), Ok(Outcome::AlreadySealed)).await;
    assert_eq!(looked, None, "with as much time, it waits and takes over the result");
    let (looked, ..) = overlap(event(), behind(), Ok(Outcome::AlreadySealed)).await;
    assert_eq!(looked, None, "what is not urgent waits for what is, whatever its own time");
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_the_terms_of_one_look_is_no_result_for_another() {
    use crate::arm::{self, Failure, ResourceFailure, SystemFailure};
    let arm = |failure| {
        let error = arm::Error::without_answer("reading", SystemFailure::Timeout, "x");
        Error::Arm(arm::Error { failure, ..error })
    };
    for (error, is_shared) in [
        (arm(Failure::System(SystemFailure::Throttled)), false),
        (arm(Failure::System(SystemFailure::Timeout)), false),
        (arm(Failure::Resource(ResourceFailure::Locked)), true),
        (Error::Deadline, false),
        (Error::Busy, false),
        (Error::Unfinished, false),
        (Error::NotVisible, false),
        (Error::SealRemoved(Duration::from_secs(9)), false),
        (Error::Unproven, true),
    ] {
        let (looked, ..) = overlap(event(), event(), Err(error.clone())).await;
        assert_eq!(looked.is_none(), is_shared, "{error:?}");
    }
}

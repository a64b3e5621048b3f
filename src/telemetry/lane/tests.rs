//! What fits is queued; what is lost is counted, and logged once.

use std::{
    io::{self, BufRead, BufReader},
    sync::Arc,
};

use opentelemetry_sdk::error::OTelSdkError;

use super::*;

/// The lines that `emit` logs.
fn logged(emit: impl FnOnce(&Lane)) -> Vec<String> {
    let (lines, writer) = io::pipe().unwrap();
    let subscriber = tracing_subscriber::fmt().without_time().with_target(false).with_ansi(false);
    let lane = Lane::new(Signal::Traces, "http://c".to_owned(), 2);
    tracing::subscriber::with_default(subscriber.with_writer(Arc::new(writer)).finish(), || emit(&lane));
    BufReader::new(lines).lines().map(|line| line.unwrap().trim().to_owned()).collect()
}

fn failed() -> OTelSdkResult {
    Err(OTelSdkError::InternalFailure("HTTP export failed".to_owned()))
}

#[test]
fn a_full_queue_refuses_items_until_some_are_sent() {
    let lane = Lane::new(Signal::Logs, String::new(), 2);
    assert_eq!([lane.enter(1), lane.enter(1), lane.enter(1)], [true, true, false]);
    lane.leave(1, 1);
    assert_eq!([lane.enter(1), lane.enter(1)], [true, false]);
    lane.leave(5, 5);
    assert_eq!([lane.enter(1), lane.enter(1), lane.enter(1)], [true, true, false]);
}

#[test]
fn a_queue_is_full_of_bytes_as_well_as_of_items() {
    let lane = Lane::new(Signal::Traces, String::new(), 10);
    let most = 10 * BYTES_PER_ITEM;
    assert!(!lane.enter(most + 1), "too large for an empty queue");
    assert!(lane.enter(most));
    assert!(!lane.enter(1));
    lane.leave(1, most);
    assert!(lane.enter(most - 1) && lane.enter(1) && !lane.enter(1));
    lane.leave(2, most);
    // What did not fit has left no item behind.
    assert_eq!((0..11).filter(|_| lane.enter(0)).count(), 10);
}

#[test]
fn the_first_failure_and_the_recovery_are_logged_once_with_the_loss() {
    let lines = logged(|lane| {
        lane.note_fault("connection refused".to_owned());
        for _ in 0..3 {
            let _ = lane.exported(failed(), 10);
        }
        let _ = lane.exported(Ok(()), 10);
        let _ = lane.exported(Ok(()), 10);
        let _ = lane.exported(failed(), 1);
    });
    let expected = [
        "WARN traces are not exported, and nothing else is affected: http://c: connection refused",
        "INFO traces are exported again: http://c: 30 were lost meanwhile",
        "WARN traces are not exported, and nothing else is affected: http://c: Operation failed: HTTP export failed",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn items_that_overflow_or_are_refused_are_counted_and_logged() {
    let lines = logged(|lane| {
        for _ in 0..5 {
            lane.enter(1);
        }
        lane.leave(2, 2);
        let _ = lane.exported(Ok(()), 2);
        let _ = lane.exported(Ok(()), 2);
    });
    let expected = [
        "WARN traces are lost, and nothing else is affected: http://c is too slow for them",
        "INFO traces are exported again: http://c: 3 were lost meanwhile",
    ];
    assert_eq!(lines, expected);
    let lines = logged(|lane| {
        lane.note_refused(4, "too\nold");
        let _ = lane.exported(Ok(()), 9);
        let _ = lane.exported(Ok(()), 9);
    });
    let expected = [
        "WARN traces are not all taken, and nothing else is affected: http://c: 4 refused: too old",
        "INFO traces are exported again: http://c: 4 were lost meanwhile",
    ];
    assert_eq!(lines, expected);
}

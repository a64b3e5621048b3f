//! What the Functions host sends, for a fuzzer.
#![expect(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

use super::{
    envelope::{Envelope, EnvelopeError},
    pending::Pending,
};

fn said(error: &EnvelopeError) {
    let said = error.to_string();
    assert!(!said.contains(['\n', '\r']) && said.len() < 1_024, "{said:?}");
}

/// An invocation of any trigger: what comes out are objects, 5,000 at most.
pub fn envelope(data: &[u8]) {
    match Envelope::read(data).and_then(Envelope::events) {
        Ok(events) => assert!(events.len() <= 5_000 && events.iter().all(crate::json::Node::is_object)),
        Err(error) => said(&error),
    }
    match Envelope::read(data).and_then(Envelope::timer) {
        Ok(timer) => {
            assert!(timer.is_object());
            let _ = super::sweep::interval(&timer);
        }
        Err(error) => said(&error),
    }
}

/// A message of the queue: what is written is read as the same.
pub fn message(data: &[u8]) {
    let received = match Envelope::read(data).and_then(Envelope::message) {
        Ok(received) => received,
        Err(error) => return said(&error),
    };
    let written = serde_json::to_value(&received.pending).unwrap_or_default();
    let again = serde_json::from_value::<Pending>(written).ok();
    assert_eq!(again.as_ref(), Some(&received.pending), "a message changes when it is handed on");
    assert!(received.is_due() || received.dequeue_count > 1, "the first receipt is a try");
    let _ = received.pending.known_reason();
}

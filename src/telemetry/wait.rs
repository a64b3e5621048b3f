//! Waits as spans, so that the time of a trace adds up.

use std::{future::poll_fn, pin::pin, task::Poll};

use tracing::{Instrument, info_span};

/// What is waited for: the closed set of `diskseal.wait.for`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The start of the process to be over.
    Start,
    /// Another invocation's work on the same resource.
    Turn,
    /// Another invocation's look at the switch.
    Switch,
    /// Another invocation's look at the management group in scope.
    Members,
    /// A place among the requests that ARM's quota, an earlier 429 or the pace allow.
    Admission,
    /// A token.
    Token,
    /// The time before a request is sent again.
    Retry,
    /// The time before a look at a long-running operation.
    Operation,
    /// The time before a look that is to prove a write.
    Proof,
    /// Another writer to be done.
    OtherWriter,
    /// The pause before a resource may be written again.
    Breaker,
    /// A new resource to be known to all replicas of ARM.
    Replication,
}

impl Wait {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Start,
        Self::Turn,
        Self::Switch,
        Self::Members,
        Self::Admission,
        Self::Token,
        Self::Retry,
        Self::Operation,
        Self::Proof,
        Self::OtherWriter,
        Self::Breaker,
        Self::Replication,
    ];

    /// The span's name, and the word for `diskseal.wait.for`.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Start => ("wait for start", "start"),
            Self::Turn => ("wait for turn", "turn"),
            Self::Switch => ("wait for switch", "switch"),
            Self::Members => ("wait for members", "members"),
            Self::Admission => ("wait for admission", "admission"),
            Self::Token => ("wait for token", "token"),
            Self::Retry => ("wait for retry", "retry"),
            Self::Operation => ("wait for operation", "operation"),
            Self::Proof => ("wait for proof", "proof"),
            Self::OtherWriter => ("wait for other writer", "other_writer"),
            Self::Breaker => ("wait for breaker", "breaker"),
            Self::Replication => ("wait for replication", "replication"),
        }
    }
}

/// Awaits `future` within a span, if it has to be waited for at all: what is ready at once makes none, so that
/// a trace in which nothing happens stays small.
pub async fn wait<F: Future>(reason: Wait, future: F) -> F::Output {
    let mut future = pin!(future);
    if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        return output;
    }
    let (name, word) = reason.words();
    let span = info_span!("wait", otel.name = name, diskseal.wait.for = word);
    future.instrument(span).await
}

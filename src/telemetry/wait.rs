//! Waits as spans, so that a trace accounts for all of its time.

use std::{future::poll_fn, pin::pin, task::Poll};

use tracing::{Instrument, info_span};

use super::parts::spend;

words! {
    /// What is waited for: the closed set of `diskseal.wait.for`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Wait, word of words {
        /// The end of the process's start.
        Start => "start",
        /// Another invocation's work on the same resource.
        Turn => "turn",
        /// Another invocation's read of the switch.
        Switch => "switch",
        /// Another invocation's listing of the management group in scope.
        Members => "members",
        /// Another look's read of what backups protect.
        Guard => "guard",
        /// Admission by the governor: ARM's quota, an earlier 429 or the pace.
        Admission => "admission",
        /// A token.
        Token => "token",
        /// The time before a retry.
        Retry => "retry",
        /// The time before a poll of a long-running operation.
        Operation => "operation",
        /// The time before a read that is to prove a write.
        Proof => "proof",
        /// The end of another writer's change.
        OtherWriter => "other_writer",
        /// The pause before another write of a resource whose seal was removed repeatedly.
        Breaker => "breaker",
        /// The replication of a new resource within ARM.
        Replication => "replication",
    }
}

/// Awaits `future` within a span. If it is ready at once, there is no span, so that traces stay small.
pub async fn wait<F: Future>(reason: Wait, future: F) -> F::Output {
    let mut future = pin!(future);
    if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        return output;
    }
    let name = format!("wait for {}", reason.word().replace('_', " "));
    let span = info_span!("wait", otel.name = name, diskseal.wait.for = reason.word());
    let _spending = spend(reason.is_arm());
    future.instrument(span).await
}

impl Wait {
    /// Whether the time is ARM's: it has accepted a write, which takes effect meanwhile.
    const fn is_arm(self) -> bool {
        matches!(self, Self::Operation | Self::Proof)
    }
}

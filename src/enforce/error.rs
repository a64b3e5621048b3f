//! Why a resource is not sealed, and who tries again.

use std::time::Duration;

use crate::{
    arm::{self, Failure, ResourceFailure, SystemFailure},
    policy::decide::PendingReason,
    resource::Resource,
};

/// The word for a seal that somebody has removed.
pub const SEAL_REMOVED: &str = "seal_removed";

/// Whom a failure concerns, which decides who tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// This resource alone: the queue tries again, and no other resource waits for it.
    Resource,
    /// Every resource: Event Grid or the queue delivers again later.
    System,
    /// Every resource of a subscription whose quota of requests is spent. That is no failure but a wait, which the
    /// resource spends on the queue.
    Quota,
}

impl Concern {
    /// A word from a closed set, for the trace and the log.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Resource | Self::Quota => "pending",
            Self::System => "failed",
        }
    }

    /// The concern itself, a word from a closed set, for metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::System => "system",
            Self::Quota => "quota",
        }
    }
}

words! {
    /// Why a resource is not sealed.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Error, reason of reasons {
        /// ARM has accepted the change, and the resource does not show it.
        #[error("the change was accepted, and the resource does not show it yet")]
        Unproven => "unproven",
        /// ARM has accepted the change, and the time is over.
        #[error("the change was accepted, and not finished within the deadline")]
        Unfinished => "unfinished",
        /// It was written just now, or read a moment ago, and ARM answers that it does not exist.
        #[error("ARM does not show it, although it was written or read a moment ago")]
        NotVisible => "not_visible",
        /// Another invocation is at work on it, and the time is over.
        #[error("another invocation was at work on it for the whole of the deadline")]
        Busy => "busy",
        /// It is attached, and ARM refuses to change it in that state.
        #[error("it is attached: {0}")]
        Attached(arm::Error) => "attached",
        /// It was written so often that the next write is still this long away.
        #[error("its seal was removed repeatedly; the next write is due in {} s", .0.as_secs())]
        SealRemoved(Duration) => SEAL_REMOVED,
        /// The time is over.
        #[error("not done within the deadline")]
        Deadline => "deadline",
    } + {
        /// It is in a state in which it is not to be written.
        #[error(transparent)]
        Pending(#[from] PendingReason),
        /// ARM refused a request, or could not be asked.
        #[error(transparent)]
        Arm(#[from] arm::Error),
    }
}

impl Error {
    /// Whom it concerns.
    pub fn concern(&self) -> Concern {
        match self {
            Self::Pending(_)
            | Self::Unproven
            | Self::Unfinished
            | Self::NotVisible
            | Self::Busy
            | Self::Attached(_)
            | Self::SealRemoved(_) => Concern::Resource,
            Self::Deadline => Concern::System,
            Self::Arm(error) => match error.failure {
                Failure::Gone | Failure::Overtaken | Failure::Resource(_) => Concern::Resource,
                Failure::System(SystemFailure::Throttled) => Concern::Quota,
                Failure::System(_) => Concern::System,
            },
        }
    }

    /// Why, with all that ARM says. A line of a log, which is the usual form, has only the beginning of it.
    pub fn whole(&self) -> String {
        match self {
            Self::Attached(error) => format!("it is attached: {error:#}"),
            Self::Arm(error) => format!("{error:#}"),
            error => error.to_string(),
        }
    }

    /// ARM's code, where it gave one: known, or `_OTHER`.
    pub fn azure_code(&self) -> Option<&'static str> {
        match self {
            Self::Arm(error) | Self::Attached(error) => error.known_code(),
            _ => None,
        }
    }

    /// The same about a resource in this state.
    pub(super) fn about(self, resource: &Resource) -> Self {
        match self {
            Self::Arm(error)
                if error.failure == Failure::Resource(ResourceFailure::Conflict) && resource.is_held() =>
            {
                Self::Attached(error)
            }
            error => error,
        }
    }

    /// Whether it is expected to last: someone has to end an upload or detach a disk first. The sweep finds the
    /// resource when that is done, so it never ends in the poison queue.
    pub fn is_expected_wait(&self) -> bool {
        match self {
            Self::Pending(reason) => {
                !matches!(reason, PendingReason::Provisioning | PendingReason::Malformed)
            }
            // Another invocation waits for its pause to end.
            Self::Attached(_) | Self::SealRemoved(_) => true,
            Self::Unproven
            | Self::Unfinished
            | Self::NotVisible
            | Self::Busy
            | Self::Deadline
            | Self::Arm(_) => false,
        }
    }

    /// Whether another look in a second or so is likely to find it over.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Pending(reason) => {
                matches!(reason, PendingReason::Provisioning | PendingReason::Import)
            }
            Self::Arm(error) => error.failure == Failure::Overtaken,
            // Somebody has undone it meanwhile, or a replica shows it late: either way, look again.
            Self::Unproven => true,
            Self::Unfinished
            | Self::NotVisible
            | Self::Busy
            | Self::Deadline
            | Self::Attached(_)
            | Self::SealRemoved(_) => false,
        }
    }
}

//! Why a resource is not sealed, and who tries again.

use crate::{
    arm::{self, Failure},
    policy::decide::PendingReason,
};

/// Whom a failure concerns, which decides who tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// This resource alone: the queue tries again, and no other resource waits for it.
    Resource,
    /// Every resource: Event Grid or the queue delivers again later.
    System,
}

impl Concern {
    /// A word from a closed set, for the trace and the log.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Resource => "pending",
            Self::System => "failed",
        }
    }

    /// The concern itself, a word from a closed set, for metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::System => "system",
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
            Self::Pending(_) | Self::Unproven | Self::Unfinished | Self::NotVisible | Self::Busy => {
                Concern::Resource
            }
            Self::Deadline => Concern::System,
            Self::Arm(error) => match error.failure {
                Failure::Gone | Failure::Overtaken | Failure::Resource(_) => Concern::Resource,
                Failure::System(_) => Concern::System,
            },
        }
    }

    /// ARM's code, where it gave one: known, or `_OTHER`.
    pub fn azure_code(&self) -> Option<&'static str> {
        match self {
            Self::Arm(error) => error.known_code(),
            _ => None,
        }
    }

    /// Whether another look in a second or so is likely to find it over.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Pending(reason) => *reason == PendingReason::Provisioning,
            Self::Arm(error) => error.failure == Failure::Overtaken,
            // Somebody has undone it meanwhile, or a replica shows it late: either way, look again.
            Self::Unproven => true,
            Self::Unfinished | Self::NotVisible | Self::Busy | Self::Deadline => false,
        }
    }
}

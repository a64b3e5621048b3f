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

/// Every word that [`Error::reason`] gives.
pub const REASONS: [&str; 27] = [
    "active_upload",
    "busy",
    "conflict",
    "deadline",
    "deny_assignment",
    "disallowed_by_policy",
    "forbidden",
    "gone",
    "locked",
    "no_token",
    "operation_canceled",
    "operation_failed",
    "overtaken",
    "provisioning",
    "refused",
    "server_error",
    "subscription_not_found",
    "throttled",
    "timeout",
    "unauthorized",
    "unfinished",
    "unproven",
    "unreachable",
    "unreadable",
    // What a sweep's message says: the resource was listed.
    "sweep",
    // And one of a machine with many disks.
    "machine",
    // A message of another version of this handler.
    "_OTHER",
];

/// A message's reason as a word of the closed set.
pub fn known_reason(text: &str) -> &'static str {
    REASONS.into_iter().find(|reason| *reason == text).unwrap_or("_OTHER")
}

/// Why a resource is not sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is in a state in which it is not to be written.
    #[error("pending: {}", .0.reason())]
    Pending(PendingReason),
    /// ARM said no, or could not be asked.
    #[error(transparent)]
    Arm(#[from] arm::Error),
    /// ARM has taken the change, and the resource does not show it.
    #[error("the change was accepted, and the resource does not show it yet")]
    Unproven,
    /// ARM has taken the change, and the time is over.
    #[error("the change was accepted, and not finished within the deadline")]
    Unfinished,
    /// Another invocation is at work on it, and the time is over.
    #[error("another invocation was at work on it for the whole of the deadline")]
    Busy,
    /// The time is over.
    #[error("not done within the deadline")]
    Deadline,
}

impl Error {
    /// Whom it concerns.
    pub fn concern(&self) -> Concern {
        match self {
            Self::Pending(_) | Self::Unproven | Self::Unfinished | Self::Busy => Concern::Resource,
            Self::Deadline => Concern::System,
            Self::Arm(error) => match error.failure {
                Failure::Gone | Failure::Overtaken | Failure::Resource(_) => Concern::Resource,
                Failure::System(_) => Concern::System,
            },
        }
    }

    /// A word from a closed set, for `error.type` and the queue's messages.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Pending(reason) => reason.reason(),
            Self::Arm(error) => error.failure.reason(),
            Self::Unproven => "unproven",
            Self::Unfinished => "unfinished",
            Self::Busy => "busy",
            Self::Deadline => "deadline",
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
            Self::Unfinished | Self::Busy | Self::Deadline => false,
        }
    }
}

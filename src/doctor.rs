//! What is wrong with a deployment, and what to do about it.
//!
//! Pure but for [`examine`]: each file below turns facts as Azure tells them into findings. A fact that
//! may not be looked at is told as that, never as an absence.

mod event_grid;
mod examine;
mod function_app;
mod ingestion;
mod permissions;
mod probe;

use crate::arm::{self, Failure, ResourceFailure, SystemFailure};

pub use examine::{Subject, examine};

/// How bad it is, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, or it could not be looked at; somebody should know.
    Warning,
    /// Resources are not sealed because of it.
    Failed,
    /// Azure could not be asked.
    Unreachable,
}

impl Verdict {
    /// The word that is printed. That Azure cannot be asked is a failure as well.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed | Self::Unreachable => "failed",
        }
    }
}

/// One line of the diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// The subscription, app or other thing that it is about; empty for all.
    pub about: String,
    /// What is so.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, check, about: about.into(), text: text.into(), remedy: None }
    }

    /// It works, and somebody should know.
    pub fn warning(
        check: &'static str,
        about: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Warning, remedy: Some(remedy.into()), ..Self::ok(check, about, text) }
    }

    /// It does not work.
    pub fn failed(
        check: &'static str,
        about: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Failed, ..Self::warning(check, about, text, remedy) }
    }

    /// It could not be read. `needed` is the action that reading it takes.
    fn not_seen(check: &'static str, about: &str, needed: Option<&str>, error: &arm::Error) -> Self {
        match error.failure {
            Failure::System(failure) => Self {
                verdict: Verdict::Unreachable,
                ..Self::warning(check, about, error.to_string(), remedy_of(failure))
            },
            Failure::Resource(ResourceFailure::Forbidden | ResourceFailure::DenyAssignment) => Self::warning(
                check,
                about,
                format!("not checked: this identity lacks {}", needed.unwrap_or("a role")),
                "run doctor as somebody with the role Reader there, with --credential azure-cli",
            ),
            Failure::Resource(ResourceFailure::SubscriptionNotFound) => Self::failed(
                check,
                about,
                "this identity's tenant does not know the subscription",
                "correct DISKSEAL_SUBSCRIPTIONS, or use an identity of the subscription's tenant",
            ),
            Failure::Gone | Failure::Overtaken | Failure::Resource(_) => {
                Self::failed(check, about, error.to_string(), "see what Azure says")
            }
        }
    }
}

fn remedy_of(failure: SystemFailure) -> &'static str {
    match failure {
        SystemFailure::NoToken => {
            "sign in (az login), or set DISKSEAL_CREDENTIAL and AZURE_CLIENT_ID to the identity of this machine or app"
        }
        SystemFailure::Unauthorized => "set DISKSEAL_CLOUD to the cloud that the token is from",
        SystemFailure::Throttled => "try again in a few minutes",
        SystemFailure::ServerError => "try again later; https://status.azure.com tells of outages",
        SystemFailure::Unreachable | SystemFailure::Timeout | SystemFailure::Unreadable => {
            "check DNS, firewall and proxy between here and DISKSEAL_ARM_ENDPOINT"
        }
    }
}

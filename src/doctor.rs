//! `diskseal doctor`: what is wrong with a deployment, and what to do about it.
//!
//! The files below turn Azure's answers into findings; only [`examine()`] and the trial send requests. Checks that the identity
//! may not make are reported as such, never as something that is missing.

mod event_grid;
mod examine;
mod function_app;
mod handler;
mod ingestion;
mod names;
mod peek;
mod permissions;
mod poison;
mod probe;
mod trial;

use crate::arm::{self, Failure, ResourceFailure, SystemFailure};

pub use examine::{Deployment, examine};
pub use peek::{PEEKED_MAX, Peek, Peeked, peek};
pub use trial::{NO_WORKSPACE, Stop, Trial, Wishes, attempt, is_workspace, plan};

/// The severity of a finding, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing is wrong.
    Ok,
    /// It works but needs attention, or it could not be checked.
    Warning,
    /// It was to be proven, and nothing shows whether it works.
    Unknown,
    /// Resources are not sealed because of it.
    Failed,
    /// Azure could not be reached.
    Unreachable,
}

impl Verdict {
    /// The word to print. Azure that cannot be reached counts as a failure.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Failed | Self::Unreachable => "failed",
        }
    }
}

/// One line of the diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The severity.
    pub verdict: Verdict,
    /// The name of the check, in a word or two.
    pub check: &'static str,
    /// What was checked, such as a subscription or an app; empty if it is not about a single one.
    pub about: String,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// The subscription that it is about, if Azure returns its name.
    pub subscription: Option<Box<Subscription>>,
}

/// A subscription and its name ("Subscriptions - List", `displayName`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its ID.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// How the text of a finding begins whose check this identity may not make.
const NOT_CHECKED: &str = "not checked";

impl Finding {
    /// Nothing is wrong.
    pub fn ok(check: &'static str, about: impl Into<String>, text: impl Into<String>) -> Self {
        let (about, text) = (about.into(), text.into());
        Self { verdict: Verdict::Ok, check, about, text, remedy: None, subscription: None }
    }

    /// It works but needs attention.
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

    /// What was checked, for people: the subscription by its name.
    pub fn title(&self) -> String {
        match &self.subscription {
            Some(one) => self.about.replacen(&one.id, &one.name, 1),
            None => self.about.clone(),
        }
    }

    /// It could not be read. `needed` is the action that the identity needs to read it.
    fn unreadable(check: &'static str, about: &str, needed: Option<&str>, error: &arm::Error) -> Self {
        match error.failure {
            Failure::System(failure) => Self {
                verdict: Verdict::Unreachable,
                ..Self::warning(check, about, format!("{error:#}"), remedy_of(failure))
            },
            Failure::Resource(ResourceFailure::Forbidden | ResourceFailure::DenyAssignment) => Self::warning(
                check,
                about,
                format!("{NOT_CHECKED}: this identity lacks {}", needed.unwrap_or("a role")),
                "sign in with an account that has the role Reader there, and run doctor with --credential azure-cli",
            ),
            Failure::Resource(ResourceFailure::SubscriptionNotFound) => Self::failed(
                check,
                about,
                "this identity's tenant does not know the subscription",
                "correct DISKSEAL_SUBSCRIPTIONS, or use an identity of the subscription's tenant",
            ),
            Failure::Gone | Failure::Overtaken | Failure::Resource(_) => {
                Self::failed(check, about, format!("{error:#}"), remedy_of_refusal(error))
            }
        }
    }
}

/// What to do if Azure refuses a request about one thing.
fn remedy_of_refusal(error: &arm::Error) -> &'static str {
    match error.failure {
        Failure::Gone => "correct the ID, or create what it names",
        Failure::Overtaken => "run doctor again: something else is changing it",
        Failure::Resource(ResourceFailure::WrongTenant) => {
            "sign in to the tenant of the subscription (az login --tenant)"
        }
        Failure::Resource(ResourceFailure::Locked) => "remove the lock: az lock list shows it",
        Failure::Resource(ResourceFailure::DisallowedByPolicy) => {
            "exempt the identity or the resource from that policy"
        }
        _ => "correct what the error names, then run doctor again",
    }
}

/// What to do if Azure cannot be asked for this reason.
pub const fn remedy_of(failure: SystemFailure) -> &'static str {
    match failure {
        SystemFailure::NoToken => {
            "sign in (az login), or set DISKSEAL_CREDENTIAL and AZURE_CLIENT_ID to the identity of this machine or app"
        }
        SystemFailure::Unauthorized => "set DISKSEAL_CLOUD to the cloud that issued the token",
        SystemFailure::ScopeUnreadable => "give the identity the right to list the subscriptions in scope",
        SystemFailure::Throttled => "try again in a few minutes",
        SystemFailure::ServerError => "try again later; https://status.azure.com lists outages",
        SystemFailure::Unreachable | SystemFailure::Timeout | SystemFailure::Unreadable => {
            "check DNS, firewall and proxy on the way there; DISKSEAL_CLOUD and DISKSEAL_ARM_ENDPOINT (--cloud, \
             --arm-endpoint) set the host"
        }
    }
}

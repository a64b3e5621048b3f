//! What one line says of a resource: for the log, for the host and for whoever runs a command.

use std::fmt;

use tracing::Level;

use super::{Concern, Error, Left, Look, Outcome, Unsealed, error::SEAL_REMOVED};
use crate::{arm::SystemFailure, policy::Guarded};

/// The outcome of a resource or machine: `outcome id`, and `: why` where there is more to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How bad it is.
    pub level: Level,
    /// A word from a closed set.
    pub outcome: &'static str,
    /// Why it is not sealed, a word from a closed set.
    pub reason: Option<&'static str>,
    /// The ID of the resource or machine.
    pub resource: String,
    /// The correlation ID of the write that led to the look, for the log record. It is printed if that write has removed
    /// the seal, and of a grant of access.
    pub correlation_id: Option<String>,
    /// More about it, in a sentence.
    pub why: Option<String>,
}

impl Line {
    /// The word for a grant of access.
    pub const GRANTED: &str = "access_granted";

    /// A line with a sentence of its own.
    pub fn new(
        level: Level,
        outcome: &'static str,
        resource: &impl fmt::Display,
        why: Option<String>,
    ) -> Self {
        let resource = resource.to_string();
        Self { level, outcome, reason: None, resource, correlation_id: None, why }
    }

    /// What a look at a resource or machine led to.
    pub fn of_look(resource: &impl fmt::Display, result: &Result<Outcome, Error>) -> Self {
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => return Self::of_failure(error.concern().label(), resource, error),
        };
        let level = match outcome {
            Outcome::LeftToSweep(_)
            | Outcome::SwitchedOff
            | Outcome::Protected(Guarded::Unknown)
            | Outcome::NetworkAlone(Guarded::Unknown) => Level::WARN,
            _ if outcome.reason() == Some(SEAL_REMOVED) => Level::WARN,
            _ => Level::INFO,
        };
        let why = outcome.why().map(ToString::to_string);
        Self { reason: outcome.reason(), ..Self::new(level, outcome.label(), resource, why) }
    }

    /// The same with the correlation ID of the write that led to the look.
    #[must_use]
    pub fn caused_by(self, correlation_id: Option<&str>) -> Self {
        Self { correlation_id: correlation_id.map(str::to_owned), ..self }
    }

    /// A machine whose disks cannot all be read.
    pub fn left_to_sweep(machine: &impl fmt::Display, why: String) -> Self {
        Self::new(Level::WARN, Left::OUTCOME, machine, Some(why))
    }

    /// A grant of access to a resource, which is the reason for this look.
    pub fn of_grant(look: &Look) -> Self {
        let line = Self::new(Level::INFO, Self::GRANTED, &look.resource, None);
        line.caused_by(look.correlation_id.as_deref())
    }

    /// A resource that was not looked at, because the quota of its subscription is spent.
    pub fn waiting(resource: &impl fmt::Display, why: String) -> Self {
        let reason = Some(SystemFailure::Throttled.reason());
        Self { reason, ..Self::new(Level::INFO, Concern::Quota.label(), resource, Some(why)) }
    }

    /// What an unseal of a resource led to.
    pub fn of_unseal(resource: &impl fmt::Display, result: &Result<Unsealed, Error>) -> Self {
        match result {
            Ok(Unsealed::SwitchedOff) => Self::of_look(resource, &Ok(Outcome::SwitchedOff)),
            Ok(outcome) => Self::new(Level::INFO, outcome.label(), resource, None),
            Err(error) => Self::of_failure(error.concern().label(), resource, error),
        }
    }

    /// A failure, under the word for what follows from it.
    pub fn of_failure(outcome: &'static str, resource: &impl fmt::Display, error: &Error) -> Self {
        let level = match error.concern() {
            Concern::Resource | Concern::Quota => Level::WARN,
            Concern::System => Level::ERROR,
        };
        Self { reason: Some(error.reason()), ..Self::new(level, outcome, resource, Some(error.to_string())) }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.outcome, self.resource)?;
        self.why.iter().try_for_each(|why| write!(f, ": {why}"))?;
        let is_shown = self.reason == Some(SEAL_REMOVED) || self.outcome == Self::GRANTED;
        self.correlation_id.iter().filter(|_| is_shown).try_for_each(|id| write!(f, "; correlation ID {id}"))
    }
}

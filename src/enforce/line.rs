//! What one line says of a resource: for the log, for the host and for whoever runs a command.

use std::fmt;

use super::{Error, Outcome, Unsealed};

/// The outcome of a resource or machine: `outcome id`, and `: why` where there is more to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A word from a closed set.
    pub outcome: &'static str,
    /// Why it is not sealed, a word from a closed set.
    pub reason: Option<&'static str>,
    /// The ID of the resource or machine.
    pub resource: String,
    why: Option<String>,
}

impl Line {
    /// A line with a sentence of its own.
    pub fn new(outcome: &'static str, resource: &impl fmt::Display, why: Option<String>) -> Self {
        Self { outcome, reason: None, resource: resource.to_string(), why }
    }

    /// What a look at a resource led to.
    pub fn of_look(resource: &impl fmt::Display, result: &Result<Outcome, Error>) -> Self {
        match result {
            Ok(outcome) => Self {
                reason: outcome.reason(),
                ..Self::new(outcome.label(), resource, outcome.why().map(ToString::to_string))
            },
            Err(error) => Self::of_failure(error.concern().label(), resource, error),
        }
    }

    /// What an unseal of a resource led to.
    pub fn of_unseal(resource: &impl fmt::Display, result: &Result<Unsealed, Error>) -> Self {
        match result {
            Ok(outcome) => Self::new(outcome.label(), resource, None),
            Err(error) => Self::of_failure(error.concern().label(), resource, error),
        }
    }

    /// A failure, under the word for what follows from it.
    pub fn of_failure(outcome: &'static str, resource: &impl fmt::Display, error: &Error) -> Self {
        Self { reason: Some(error.reason()), ..Self::new(outcome, resource, Some(error.to_string())) }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.outcome, self.resource)?;
        self.why.iter().try_for_each(|why| write!(f, ": {why}"))
    }
}

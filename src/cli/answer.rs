//! How a command ended, and its exit code.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::{
    enforce::{Concern, Error, Outcome, Unsealed},
    policy::decide::Decision,
};

/// How a command ended. The outcome of a resource decides; with several resources, the highest code applies.
///
/// | code | when |
/// | --- | --- |
/// | 0 | `sealed`, `network_sealed` of what has the mode, `already_sealed`, `exempt`, and `gone` for a listed resource; for `unseal`: `unsealed`, `already_unsealed`; for `reseal`, `exempt` is 1; a completed dry run |
/// | 1 | any other outcome that leaves a resource unsealed (`pending`, `would_seal`, `left_to_sweep`, `switched_off`, `protected`, `network_sealed` of what a backup needs, unreadable in a listing) or, for `unseal`, sealed; `not_found`; a sweep that a limit or the switch stopped; Ctrl-C |
/// | 2 | invalid arguments or settings: nothing was tried; or standard output could not be written, whatever was done |
/// | 3 | Azure could not be reached (`failed`) |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// Done.
    #[default]
    Done,
    /// At least one resource is not in the requested state.
    NotAll,
    /// Invalid arguments or settings: nothing was tried. Also if standard output could not be written.
    Usage,
    /// Azure could not be reached.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::NotAll => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        })
    }
}

impl From<&Result<Outcome, Error>> for Exit {
    fn from(result: &Result<Outcome, Error>) -> Self {
        match result {
            Ok(
                Outcome::Sealed(_)
                | Outcome::Missed(_)
                | Outcome::Resealed(_)
                | Outcome::Tagged(_)
                | Outcome::Retagged(_)
                | Outcome::NetworkSealed(_)
                | Outcome::NetworkResealed(_)
                | Outcome::AlreadySealed
                | Outcome::Exempt(_)
                | Outcome::Gone,
            ) => Self::Done,
            Ok(
                Outcome::WouldSeal(_)
                | Outcome::NotFound
                | Outcome::LeftToSweep(_)
                | Outcome::SwitchedOff
                | Outcome::Protected(_)
                | Outcome::NetworkAlone(_),
            ) => Self::NotAll,
            Err(error) => error.into(),
        }
    }
}

impl From<&Result<Unsealed, Error>> for Exit {
    fn from(result: &Result<Unsealed, Error>) -> Self {
        match result {
            Ok(Unsealed::Unsealed | Unsealed::AlreadyUnsealed) => Self::Done,
            Ok(Unsealed::WouldUnseal | Unsealed::NotFound | Unsealed::SwitchedOff) => Self::NotAll,
            Err(error) => error.into(),
        }
    }
}

impl From<&Decision> for Exit {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Compliant | Decision::Exempt(_) => Self::Done,
            Decision::Pending(_) | Decision::Protected(_) | Decision::Seal(_) => Self::NotAll,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        // It concerns everything, and Azure has answered all the same.
        if matches!(error, Error::Arm(error) if error.is_refusal()) {
            return Self::NotAll;
        }
        match error.concern() {
            Concern::Resource => Self::NotAll,
            Concern::System | Concern::Quota => Self::Unreachable,
        }
    }
}

/// A progress bar with this template. Without a terminal it draws nothing.
pub(super) fn progress(form: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_finish(ProgressFinish::AndClear)
}

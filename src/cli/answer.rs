//! How a command ended, and its exit code.

use std::process::ExitCode;

use crate::{
    arm::{self, Failure, SystemFailure},
    doctor::remedy_of,
    enforce::{Concern, Error, Outcome, Reverted, Unsealed},
    policy::decide::Decision,
};

/// What a shell and every tool mean by 130: ended by SIGINT, signal 2.
pub(super) const INTERRUPTED: u8 = 130;

/// How a command ended. The outcome of a resource decides; with several resources, the highest code applies.
///
/// | code | when |
/// | --- | --- |
/// | 0 | `sealed`, `network_sealed` of what has the mode, `already_sealed`, `exempt`, and `gone` for a listed resource; for `unseal`: `unsealed`, `already_unsealed`; for a revert: `reverted`, `already_reverted`; for `reseal`, `exempt` is 1; a completed dry run |
/// | 1 | any other outcome that leaves a resource unsealed (`pending`, `would_seal`, `drifted`, `left_to_sweep`, `switched_off`, `protected`, `network_sealed` of what a backup needs, unreadable in a listing) or, for `unseal`, sealed; `not_found`; a sweep that a limit or the switch stopped |
/// | 2 | invalid arguments or settings: nothing was tried; or standard output could not be written, whatever was done |
/// | 3 | Azure could not be reached (`failed`) |
/// | 130 | Ctrl-C, as with every tool (128 and SIGINT) |
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
    /// Ctrl-C stopped the command, whatever it had done.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::NotAll => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Interrupted => INTERRUPTED,
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
                | Outcome::InAudit(_)
                | Outcome::Drifted(_)
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

impl From<&Result<Reverted, Error>> for Exit {
    fn from(result: &Result<Reverted, Error>) -> Self {
        match result {
            Ok(Reverted::Reverted | Reverted::AsBefore) => Self::Done,
            Ok(Reverted::WouldRevert | Reverted::Drifted(_) | Reverted::NotFound | Reverted::SwitchedOff) => {
                Self::NotAll
            }
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

/// Why Azure could not be asked, with all that it says, and on a line of its own what to do about it.
pub(super) fn explained(error: &arm::Error) -> String {
    match error.failure {
        // What the Azure CLI lacks says what to do itself.
        Failure::System(SystemFailure::NoToken) if error.message.contains("Azure CLI") => {
            format!("{error:#}")
        }
        Failure::System(failure) => format!("{error:#}\n  {}", remedy_of(failure)),
        _ => format!("{error:#}"),
    }
}
